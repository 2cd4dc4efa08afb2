"""``selftaught finetune`` on pictures: a network and a head for classes, trained together on few labels."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from selftaught.backbones.vision import holds_classes
from selftaught.curve import draw_curve
from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import PictureStore, prepare_pictures
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.errors import SelftaughtError
from selftaught.facts import shown, shown_fact
from selftaught.fit import Outcome, Plan, gradient_steps
from selftaught.lookup import checked
from selftaught.machine import pick_device, pick_precision
from selftaught.model_card import PICTURE_CLASSES, write_card
from selftaught.optim import adamw
from selftaught.pictures.classifying import (
    TASK,
    ClassifyPictures,
    PictureClassifier,
)
from selftaught.pictures.lessons import BATCH, CHECKS, PATIENCE, Lesson, inherited, pace_of, prepare_lesson
from selftaught.pictures.model import PictureModel
from selftaught.recipe import Recipe
from selftaught.report import SET_ASIDE, finetuned_lines, finetuned_measures, write_report
from selftaught.run import Run
from selftaught.stopping import best_file, fit_to_best


@dataclass(frozen=True)
class PictureFinetuning:
    """Everything a fine-tuning run on pictures needs, made from its recipe.

    Args:
        unlabelled: pictures that were left out for want of a label.
    """

    recipe: Recipe
    lesson: Lesson
    store: PictureStore
    test: PictureStore | None
    unlabelled: int
    run: Run

    @property
    def counts(self) -> dict[str, float]:
        """Pictures of each class."""
        return self.lesson.task.decision.counts([label for label in self.lesson.labels if label])

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train, lesson = self.recipe.train, self.lesson
        budget = f"{train.steps:,} steps" if train.steps else f"{train.seconds:.0f} s"
        stop = f"{len(lesson.stop):,} to stop by" if len(lesson.stop) else "too few to set any aside"
        begun = f"{self.recipe.model.init}{', its weights drawn anew' if self.recipe.model.scratch else ''}"
        without = f"; {self.unlabelled:,} have no label and are left out" if self.unlabelled else ""
        return [
            f"labels      {self.store.description}",
            f"pictures    {tally_sentence(self.store.tally, self.run.folder / 'labelled' / QUARANTINE)}{without}",
            f"classes     {shown_fact(self.counts)}",
            f"model       {begun}",
            f"training    {len(lesson.samples):,} pictures to train on, {stop}; at most {budget} of {train.batch} "
            f"pictures, peak rate {train.rate:g}",
            f"machine     {train.device}, {train.precision}",
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            "classes": self.counts,
            "rows": self.store.tally,
            "unlabelled": self.unlabelled,
            "train_rows": len(self.lesson.samples),
            "stop_rows": len(self.lesson.stop),
            "parameters": sum(p.numel() for p in self.lesson.learner.parameters()),
            "train": self.recipe.train.model_dump(),
        }


def prepare_picture_finetuning(run: Run, recipe: Recipe) -> PictureFinetuning:
    """Decode the pictures, choose what was left open, and put a head above the network.

    Raises:
        SelftaughtError: for what only text has, or labels that nothing can be learned from.
    """
    goal, data, train = recipe.objective, recipe.data, recipe.train
    refuse_text_tasks(recipe, "pictures")
    assert recipe.model.init is not None
    device = pick_device(train.device)
    precision = train.precision or pick_precision(device)
    model = PictureModel.load(recipe.model.init, precision)
    if recipe.model.scratch:
        model = model.untrained(train.seed)
    model.backbone.to(device)
    store = _labelled(data.path, run, "labelled", model, data.image, data.label)
    rows = np.flatnonzero([bool(label) for label in store.labels])
    labels = [store.labels[i] for i in rows]
    options = inherited(recipe.model.init) | goal.options
    task = ClassifyPictures.of(labels, **checked(ClassifyPictures, TASK, options))
    if len(task.classes) < 2:
        raise SelftaughtError(
            "these pictures have no labels" if not labels else f"all these pictures have one label, {labels[0]!r}",
            where=store.description,
            do="put the pictures of each class into a folder of its name, or give a table of paths and labels",
        )
    test = _labelled(data.test, run, "test", model, data.image, data.label) if data.test else None
    if test and (unknown := task.decision.unknown([label for label in test.labels if label])):
        raise SelftaughtError(
            f"the test pictures have labels that the training pictures have not: {shown(unknown, 5)}",
            where=data.test or "",
            do="check that both are labelled in the same way",
        )
    lesson = prepare_lesson(model, task, store.pixels, store.labels, rows, seed=train.seed)
    pace = pace_of(trained=not recipe.model.scratch)
    batch = min(train.batch or BATCH, len(lesson.samples))
    steps = train.steps
    if train.epochs is not None:
        steps = max(1, round(train.epochs * len(lesson.samples) / batch))
    elif steps is None and train.seconds is None:
        steps = pace.steps(len(lesson.samples), batch)
    values = {
        "device": str(device),
        "precision": precision,
        "batch": batch,
        "rate": train.rate or pace.rate,
        "steps": steps,
        "epochs": None,
    }
    resolved = recipe.model_copy(update={"train": train.model_copy(update=values)})
    return PictureFinetuning(resolved, lesson, store, test, len(store.labels) - len(rows), run)


def _labelled(
    data: str, run: Run, folder: str, model: PictureModel, image: str | None, label: str | None
) -> PictureStore:
    source = open_pictures(data, image=image, label=label)
    return prepare_pictures(source, run.folder / folder, resolution=model.spec.resolution, seed=0, keep=run.has_begun)


def refuse_text_tasks(recipe: Recipe, what: str) -> None:
    """Refuse what only text has.

    Args:
        what: the labels are of.

    Raises:
        SelftaughtError: if there is any.
    """
    data, train = recipe.data, recipe.train
    if recipe.objective.name != TASK:
        raise SelftaughtError(
            f"{recipe.objective.name} is a task of text, and this run holds a network over pictures",
            do=f"leave --task out: {what} are told into classes",
        )
    given = {"--text": data.text, "--second": data.second, "--unlabelled": data.unlabelled}
    for name, value in given.items():
        if value:
            raise SelftaughtError(f"{name} is for text, and this run holds a network over pictures", do="leave it out")
    if sum(value is not None for value in (train.steps, train.epochs, train.seconds)) > 1:
        raise SelftaughtError("the budget is given twice", do="give one of --steps, --epochs, --for")


def run_picture_finetuning(run: Run, ready: PictureFinetuning) -> dict[str, Any]:
    """Train, or go on training; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    train, lesson = ready.recipe.train, ready.lesson
    assert train.rate is not None
    assert train.batch is not None
    optimizer = adamw(lesson.learner, train.rate, weight_decay=train.weight_decay)
    plan = Plan.of(train, unit="pictures", per_sample=1, checks=CHECKS)
    batches = lesson.batches(train.batch, train.workers)
    outcome = fit_to_best(
        run,
        lesson.learner,
        lesson.learner,
        optimizer,
        gradient_steps(lesson.learner, batches.starting, optimizer, plan),
        plan,
        measures=lesson.stopping_measures if len(lesson.stop) else None,
        patience=PATIENCE,
    )
    report = _finish(run, ready, outcome)
    best_file(run).unlink(missing_ok=True)
    return report


def _finish(run: Run, ready: PictureFinetuning, outcome: Outcome) -> dict[str, Any]:
    lesson, classifier, recipe = ready.lesson, ready.lesson.classifier, ready.recipe
    classifier.save(run)
    draw_curve(run.metrics, run.folder / "curve.png", {}, f"{TASK} from {recipe.model.init}")
    report = {
        "verb": "finetune",
        "run": str(run.folder),
        "task": TASK,
        "init": recipe.model.init,
        "scratch": recipe.model.scratch,
        "classes": ready.counts,
        "steps": outcome.progress.step,
        "seconds": outcome.progress.seconds,
        "stopping": lesson.stopping_measures() if len(lesson.stop) else None,
        "test": measured(classifier, ready.test) if ready.test else None,
        "rows": ready.store.tally,
        "unlabelled": ready.unlabelled,
        "notes": list(outcome.notes) + _notes(ready),
    }
    _write_card(run, ready, report)
    lines = ["```", *finetuned_lines(report), "```", "", "![the loss over the run](curve.png)"]
    write_report(run, report, lines)
    return report


def measured(classifier: PictureClassifier, store: PictureStore) -> dict[str, float]:
    """The task's measures on labelled pictures; those without a label are not asked about."""
    rows = np.flatnonzero([bool(label) for label in store.labels])
    said = classifier.answers(store.pixels[rows])
    return classifier.task.decision.measure([store.labels[i] for i in rows], said)


def _notes(ready: PictureFinetuning) -> list[str]:
    rare = [name for name, count in ready.counts.items() if count < 3]
    found = [f"seen once or twice only: {shown(rare)}"] if rare else []
    if ready.test is not None:
        known = Counter(row.tobytes() for row in ready.store.pixels)
        shared = sum(row.tobytes() in known for row in ready.test.pixels)
        found += [f"{shared:,} test pictures are also among the training pictures"] if shared else []
    return found


def _write_card(run: Run, ready: PictureFinetuning, report: dict[str, Any]) -> None:
    names, headed = list(report["classes"]), holds_classes(ready.lesson.model.backbone)
    facts = {
        "task": TASK,
        "begun from": str(report["init"]) + (" (weights drawn anew)" if report["scratch"] else ""),
        "classes": ", ".join(names) if len(names) <= 20 else len(names),
        "labelled pictures": len(ready.lesson.samples) + len(ready.lesson.stop),
        "steps": report["steps"],
        "in transformers": f"AutoModel{'ForImageClassification' if headed else ''}",
    }
    caveats = [SET_ASIDE, "It answers with its own classes, whatever it is shown."]
    write_card(run, PICTURE_CLASSES, facts, finetuned_measures(report), caveats)
