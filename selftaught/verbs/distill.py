"""``selftaught distill``: a small model that learns from a large one."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from selftaught.console import note, tell
from selftaught.distilling.pictures import distill_pictures, distilled_summary
from selftaught.distilling.text import Distillation, check_labels, pretrained, summary, teacher_options
from selftaught.errors import SelftaughtError
from selftaught.pictures.model import holds_picture_model
from selftaught.pictures.preparing import prepare_picture_pretraining
from selftaught.pretrained import open_pretrained
from selftaught.recipe import compose, read_recipe, settled
from selftaught.run.folder import Run
from selftaught.run.report import finished
from selftaught.schedule import parse_duration
from selftaught.text.preparing import check_recipe, prepare_pretraining
from selftaught.verbs import Place


def distill(
    run: Place,
    data: str,
    *,
    size: str | None = None,
    out: Place | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    text: str | None = None,
    labels: str | None = None,
    label: str | None = None,
    task_labels: str | None = None,
    test: str | None = None,
    batch: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    recipe: Place | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set")] = None,
    dry_run: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Make a small model that keeps most of what a large one knows.

    The student reads unlabelled text beside its teacher and learns to do inside what the teacher does, and to give its
    answers. At the end stands what it keeps and what it costs. The same command again resumes an interrupted run.

    Args:
        run: The teacher: a run, or a checkpoint folder of transformers.
        data: Unlabelled text as for pretrain, best of the kind that the teacher was trained on.
        size: The student: tiny (if not given), small, medium or base; of pictures conv-tiny or another of pretrain's.
        out: The student's run folder; RUN-SIZE if not given.
        steps: Train for so many steps.
        epochs: Train for so many passes over the data.
        for_: Train for so long, such as 90s, 10m or 1h30m; 10m if no budget is given.
        text: The column that holds the text.
        labels: Labelled texts that teacher and student are scored on, never trained on; the same student is then also
            trained without a teacher, for the same budget.
        label: The column that holds the label, in all files of labels.
        task_labels: Labelled texts for a task stage: the teacher is fine-tuned on them unless it has been already, and
            the student learns from its answers.
        test: Labelled texts to be scored on after the task stage; the student without a teacher is then trained too.
        batch: Samples a step.
        seed: Of everything that is random.
        device: cpu, cuda, …; the GPU if there is one.
        recipe: A recipe file to begin with.
        set_: Any other recipe key, as key=value.
        dry_run: Print the plan and stop.
        json: Print one JSON object.
    """
    pictured = holds_picture_model(run)
    size = size or ("conv-tiny" if pictured else "tiny")
    teacher = None if pictured else open_pretrained(run)
    found = teacher_options(teacher) if teacher else {}
    options = {f"objective.options.{name}": value for name, value in found.items()}
    given = {
        "verb": "distill",
        "data.path": data,
        "data.text": text,
        "data.labels": labels,
        "data.label": label,
        "data.task_labels": task_labels,
        "data.test": test,
        "objective.name": "simreg" if pictured else "distill",
        **options,
        "model.size": size,
        "model.teacher": str(run),
        "train.steps": steps,
        "train.epochs": epochs,
        "train.seconds": parse_duration(for_) if for_ is not None else None,
        "train.batch": batch,
        "train.seed": seed,
        "train.device": device,
    }
    asked = compose(given, file=Path(recipe) if recipe else None, settings=set_ or ())
    check_recipe(asked)
    if teacher is None:
        _refuse_stage({"--task-labels": task_labels, "--test": test})
    else:
        check_labels(asked)
    told = summary if teacher else distilled_summary
    student = Run(Path(out) if out else Path(run).with_name(f"{Path(run).resolve().name}-{size}"))
    with student.locked():
        before = settled(student.recipe, asked)
        if before is not None and (done := finished(student, "distill")) is not None:
            note(f"{student.folder} is finished; nothing was trained. For another run choose another --out.")
            done["run"] = str(student.folder)  # it may have been moved
            return tell(done, told(done), json=json)
        if dry_run:
            prepare = prepare_pretraining if teacher else prepare_picture_pretraining
            plan = prepare(student, before or asked).plan
            return tell(plan.to_json(), [*plan.lines(), "dry run: nothing was trained"], json=json)
        if teacher is None:
            report = distill_pictures(student, asked)
            return tell(report, told(report), json=json)
        pretrained(student, asked)
        distillation = Distillation(student, read_recipe(student.recipe), teacher)
        distillation.train_twin()
        distillation.learn_task()
        report = distillation.compare()
    return tell(report, told(report), json=json)


def _refuse_stage(given: dict[str, str | None]) -> None:
    if wrong := [name for name, value in given.items() if value]:
        raise SelftaughtError(
            f"{wrong[0]} is for text: of pictures there is no task stage",
            do="leave it out, and fine-tune the student with selftaught finetune",
        )
