"""``selftaught finetune``: teach a pretrained model a task from labels."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from selftaught.console import note, tell
from selftaught.data.video_source import holds_videos
from selftaught.errors import SelftaughtError
from selftaught.finetuning.run import Ready, prepare_finetuning, run_finetuning
from selftaught.flamingo.preparing import NO_LANGUAGE
from selftaught.lookup import find_task
from selftaught.pictures.finetuning import prepare_picture_finetuning
from selftaught.pictures.model import holds_picture_model
from selftaught.pictures.teaching import Teaching, run_teaching
from selftaught.pretrained import model_folder
from selftaught.ranks import agreed, leads, place, world
from selftaught.recipe import Recipe, compose, read_recipe, settled
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run
from selftaught.run.report import finetuned_lines, finished
from selftaught.schedule import parse_duration
from selftaught.verbs import Place
from selftaught.video.finetuning import prepare_clip_finetuning


def finetune(
    run: Place,
    labels: str,
    *,
    task: str = "classify",
    out: Place | None = None,
    test: str | None = None,
    unlabelled: str | None = None,
    text: str | None = None,
    second: str | None = None,
    label: str | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    batch: int | None = None,
    scratch: bool = False,
    seed: int | None = None,
    device: str | None = None,
    recipe: Place | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set")] = None,
    dry_run: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Teach a pretrained model a task from labels, of text, pictures or videos.

    A part of the labels is set aside to know when to stop; the weights of its best check are kept. The same command
    again resumes an interrupted run.

    Args:
        run: A run, or any checkpoint folder of transformers.
        labels: The labels in the usual file of the task: a table, or for classify a folder with a subfolder a class;
            of pictures and videos such a folder, a table of paths and labels, or whatever else pretrain reads that
            names labels.
        task: What the labels mean; "selftaught objectives" lists the tasks.
        out: The new run folder; RUN-TASK if not given.
        test: Labels to be scored on at the end; never used to train or to stop.
        unlabelled: Texts of the same kind without labels, a file or folder: the labels spread to them first.
        text: The column that holds the text.
        second: The column that holds the second text of a pair.
        label: The column that holds the label, or whatever the task asks for.
        steps: Train for at most so many steps.
        epochs: Train for at most so many passes over the labels.
        for_: Train for at most so long, such as 10m.
        batch: Rows a step.
        scratch: Draw the weights anew: the same network without what it has learned, for comparison.
        seed: Of everything that is random.
        device: cpu, cuda, …
        recipe: A recipe file to begin with.
        set_: Any other recipe key, as key=value.
        dry_run: Print the plan and stop.
        json: Print one JSON object.
    """
    given = {
        "verb": "finetune",
        "data.path": labels,
        "data.text": text,
        "data.second": second,
        "data.label": label,
        "data.test": test,
        "data.unlabelled": unlabelled,
        "objective.name": task,
        "model.init": str(run),
        "model.scratch": scratch or None,
        "train.steps": steps,
        "train.epochs": epochs,
        "train.seconds": parse_duration(for_) if for_ is not None else None,
        "train.batch": batch,
        "train.seed": seed,
        "train.device": device,
    }
    asked = compose(given, file=Path(recipe) if recipe else None, settings=set_ or ())
    begun_from, pictured = Path(run), holds_picture_model(run) and not asked.model.text_init
    new = Run(Path(out) if out else begun_from.with_name(f"{begun_from.resolve().name}-{task}"))
    if not leads():
        return _led(new, pictured)
    with new.locked():
        before = settled(new.recipe, asked)
        if before is not None and (done := finished(new, "finetune")) is not None:
            agreed(False)
            note(f"{new.folder} is finished; nothing was trained. For another run choose another --out.")
            done["run"] = str(new.folder)  # it may have been moved
            return tell(done, finetuned_lines(done), json=json)
        ready = _prepared(new, before or asked, pictured)
        for line in ready.lines():
            note(line)
        if dry_run:
            agreed(False)
            return tell(ready.to_json(), ["dry run: nothing was trained"], json=json)
        ready.batches.shared(place(), world())  # or refuse before anything is written
        replace_file(new.recipe, ready.recipe.to_yaml())
        agreed(True)  # the others train along from here
        report = _run(new, ready)
    return tell(report, finetuned_lines(report), json=json)


def _led(new: Run, pictured: bool) -> dict[str, Any]:
    """What the other ranks do: wait until the first has prepared the run, if it does not end with that, and train."""
    if agreed(None):
        _run(new, _prepared(replace(new, prepared=True), read_recipe(new.recipe), pictured))
    return {}


def _prepared(new: Run, asked: Recipe, pictured: bool) -> Ready | Teaching:
    """What the run needs, by what its model is made for.

    Args:
        pictured: whether that is a network over pictures alone.
    """
    assert asked.model.init is not None
    if pictured and find_task(asked.objective.name).reads_pictures:
        raise SelftaughtError(
            "this network over pictures has no language model beside it", where=asked.model.init, do=NO_LANGUAGE
        )
    if pictured and holds_videos(asked.data.path):
        return prepare_clip_finetuning(new, asked)
    if pictured:
        return prepare_picture_finetuning(new, asked)
    model_folder(asked.model.text_init or asked.model.init)  # a wrong model is told of before its labels are read
    return prepare_finetuning(asked)


def _run(new: Run, ready: Ready | Teaching) -> dict[str, Any]:
    return run_teaching(new, ready) if isinstance(ready, Teaching) else run_finetuning(new, ready)
