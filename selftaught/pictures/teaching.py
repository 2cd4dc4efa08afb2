"""A run that teaches classes of what is seen, pictures or clips: its plan, its training, and what it reports."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch

from selftaught.data.loader import Batches
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.decisions import AnyOf, OneOf
from selftaught.errors import SelftaughtError
from selftaught.facts import shown, shown_fact
from selftaught.finetuning.stopping import best_file, fit_to_best, train_to_best
from selftaught.loop import Learner, train
from selftaught.optim import adamw
from selftaught.pictures.classes import TASK
from selftaught.ranks import leads
from selftaught.recipe import Recipe, Train
from selftaught.run.curve import draw_curve
from selftaught.run.folder import Run
from selftaught.run.model_card import write_card
from selftaught.run.report import SET_ASIDE, finetuned_lines, finetuned_measures, write_report
from selftaught.schedule import Schedule

_CHECKS, _PATIENCE = 12, 4
_LEAST_STEPS, _MOST_STEPS = 300, 4000


@dataclass(frozen=True)
class Pace:
    """How fast a network learns from labels.

    Args:
        rate: the peak rate.
        epochs: passes over the labels.
    """

    rate: float
    epochs: int

    def steps(self, samples: int, batch: int) -> int:
        """Within limits that suit ten samples and a hundred thousand."""
        return int(min(max(self.epochs * samples / batch, _LEAST_STEPS), _MOST_STEPS))


TRAINED, UNTRAINED = Pace(rate=1e-3, epochs=40), Pace(rate=4e-3, epochs=80)
"""Of a network that has learned already, and of one that has not: each the best of those tried (docs/lab.md)."""


def pace_of(*, trained: bool) -> Pace:
    """That of a network that has learned already, or of one that has not."""
    return TRAINED if trained else UNTRAINED


class Taught(Protocol):
    """A task of classes."""

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def decision(self) -> OneOf | AnyOf: ...


class Classifier(Protocol):
    """A network with its head."""

    def save(self, run: Run) -> None: ...


class Lesson(Protocol):
    """A task to be learned: the learner, the samples to learn from, and what is kept to stop by."""

    usual_batch: ClassVar[int]

    @property
    def learner(self) -> Learner: ...

    @property
    def task(self) -> Taught: ...

    @property
    def samples(self) -> Any: ...

    @property
    def stop(self) -> np.ndarray: ...

    @property
    def seed(self) -> int: ...

    @property
    def classifier(self) -> Classifier: ...

    def batches(self, size: int, workers: int = 0) -> Batches: ...

    def stopping_measures(self) -> dict[str, float]:
        """All measures on what is kept to stop by; the first is what decides."""
        ...


class Store(Protocol):
    """Decoded pictures or clips with what their places say of them."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def description(self) -> str: ...

    @property
    def tally(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Teaching(ABC):
    """Everything a fine-tuning run on what is seen needs, made from its recipe.

    Args:
        lesson, store, test: of one kind.
        unlabelled: pictures or clips that were left out for want of a label.
    """

    kind: ClassVar[str]
    """What has a label: pictures or clips."""

    samples: ClassVar[str]
    """What is trained on: pictures, or windows of clips."""

    card: ClassVar[str]
    """See :func:`write_card`."""

    recipe: Recipe
    lesson: Any
    store: Any
    test: Any
    unlabelled: int
    run: Run

    @abstractmethod
    def measured(self, store: Any) -> dict[str, float]:
        """The task's measures on what is labelled in a store; the rest is not asked about."""

    @abstractmethod
    def pixels(self, store: Any) -> list[bytes]:
        """What tells copies."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """For the card, besides what all such runs say."""

    @abstractmethod
    def drawn(self) -> list[str]:
        """Draws pages for a person to look at into the run; the lines of the report that show them."""

    @property
    def batches(self) -> Batches:
        """What is trained on, for all ranks together."""
        train = self.recipe.train
        assert train.batch is not None
        return self.lesson.batches(train.batch, train.workers)

    @property
    def counts(self) -> dict[str, float]:
        """Pictures or clips of each class."""
        counts: dict[str, float] = self.lesson.task.decision.counts([label for label in self.store.labels if label])
        return counts

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train, lesson = self.recipe.train, self.lesson
        budget = f"{train.steps:,} steps" if train.steps else f"{train.seconds:.0f} s"
        stop = f"{len(lesson.stop):,} to stop by" if len(lesson.stop) else "too few to set any aside"
        begun = f"{self.recipe.model.init}{', its weights drawn anew' if self.recipe.model.scratch else ''}"
        without = f"; {self.unlabelled:,} have no label and are left out" if self.unlabelled else ""
        return [
            f"labels      {self.store.description}",
            f"{self.kind:12}{tally_sentence(self.store.tally, self.run.folder / 'labelled' / QUARANTINE)}{without}",
            f"classes     {shown_fact(self.counts)}",
            f"model       {begun}",
            f"training    {len(lesson.samples):,} {self.samples} to train on, {stop}; at most {budget} of "
            f"{train.batch} {self.samples}, peak rate {train.rate:g}",
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

    def notes(self) -> list[str]:
        """What is odd about the labels."""
        rare = [name for name, count in self.counts.items() if count < 3]
        found = [f"seen once or twice only: {shown(rare)}"] if rare else []
        if self.test is not None:
            known = set(self.pixels(self.store))
            shared = sum(one in known for one in self.pixels(self.test))
            found += [f"{shared:,} test {self.kind} are also among the training {self.kind}"] if shared else []
        return found


def refuse_text_tasks(recipe: Recipe, kind: str) -> None:
    """Refuse what only text has.

    Args:
        kind: what has labels.

    Raises:
        SelftaughtError: if there is any.
    """
    data, train = recipe.data, recipe.train
    if recipe.objective.name != TASK:
        raise SelftaughtError(
            f"{recipe.objective.name} is a task of text, and this run holds a network over pictures",
            do=f"leave --task out: {kind} are told into classes",
        )
    given = {"--text": data.text, "--second": data.second, "--unlabelled": data.unlabelled}
    for name, value in given.items():
        if value:
            raise SelftaughtError(f"{name} is for text, and this run holds a network over pictures", do="leave it out")
    if sum(value is not None for value in (train.steps, train.epochs, train.seconds)) > 1:
        raise SelftaughtError("the budget is given twice", do="give one of --steps, --epochs, --for")


def require_classes(labels: Sequence[str], classes: int, store: Store, kind: str) -> None:
    """Refuse labels that nothing can be learned from.

    Args:
        classes: how many there are among ``labels``.

    Raises:
        SelftaughtError: if there are fewer than two.
    """
    if classes < 2:
        raise SelftaughtError(
            f"these {kind} have no labels" if not any(labels) else f"all these {kind} have one label, {labels[0]!r}",
            where=store.description,
            do=f"put the {kind} of each class into a folder of its name, or give a table of paths and labels",
        )


def require_known(task: Taught, test: Store, where: str, kind: str) -> None:
    """Refuse test labels that were never learned.

    Raises:
        SelftaughtError: if there are any.
    """
    if unknown := task.decision.unknown([label for label in test.labels if label]):
        raise SelftaughtError(
            f"the test {kind} have labels that the training {kind} have not: {shown(unknown, 5)}",
            where=where,
            do="check that both are labelled in the same way",
        )


def resolved(recipe: Recipe, lesson: Lesson, device: torch.device, precision: str) -> Recipe:
    """The recipe with what was left open about the training."""
    train, count, pace = recipe.train, len(lesson.samples), pace_of(trained=not recipe.model.scratch)
    batch = min(train.batch or lesson.usual_batch, count)
    values = _budget(train, count, batch, pace) | {
        "device": str(device),
        "precision": precision,
        "batch": batch,
        "rate": train.rate or pace.rate,
    }
    return recipe.with_train(**values)


def _budget(train: Train, count: int, batch: int, pace: Pace) -> dict[str, Any]:
    if train.epochs is not None:
        return {"steps": max(1, round(train.epochs * count / batch)), "epochs": None}
    return {} if train.steps or train.seconds else {"steps": pace.steps(count, batch)}


def run_teaching(run: Run, ready: Teaching) -> dict[str, Any]:
    """Train, or go on training; write the model and the reports. All ranks come here; the first has the report.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    lesson = ready.lesson
    outcome = fit_to_best(
        run,
        ready.recipe.train,
        lesson.learner,
        lesson.learner,
        ready.batches,
        unit=ready.kind,
        checks=_CHECKS,
        measures=lesson.stopping_measures if len(lesson.stop) else None,
        patience=_PATIENCE,
    )
    if not leads():
        return {}
    lesson.learner.eval()
    lesson.classifier.save(run)
    draw_curve(run.metrics, run.folder / "curve.png", {}, f"{TASK} from {ready.recipe.model.init}")
    report = {
        "verb": "finetune",
        "run": str(run.folder),
        "task": TASK,
        "init": ready.recipe.model.init,
        "scratch": ready.recipe.model.scratch,
        "classes": ready.counts,
        "steps": outcome.progress.step,
        "seconds": outcome.progress.seconds,
        "stopping": lesson.stopping_measures() if len(lesson.stop) else None,
        "test": ready.measured(ready.test) if ready.test else None,
        "rows": ready.store.tally,
        "unlabelled": ready.unlabelled,
        "notes": list(outcome.notes) + ready.notes(),
    }
    _write_card(run, ready, report)
    lines = ["```", *finetuned_lines(report), "```", "", "![the loss over the run](curve.png)"]
    write_report(run, report, lines + ready.drawn())
    best_file(run).unlink(missing_ok=True)
    return report


def _write_card(run: Run, ready: Teaching, report: dict[str, Any]) -> None:
    names = list(report["classes"])
    facts = {
        "task": f"{TASK} {ready.kind}",
        "begun from": str(report["init"]) + (" (weights drawn anew)" if report["scratch"] else ""),
        "classes": ", ".join(names) if len(names) <= 20 else len(names),
        f"{ready.samples} to learn from": len(ready.lesson.samples),
        "steps": report["steps"],
        **ready.facts(),
    }
    caveats = [SET_ASIDE, "It answers with its own classes, whatever it is shown."]
    write_card(run, ready.card, facts, finetuned_measures(report), caveats)


def teach_quickly(lesson: Lesson, *, trained: bool) -> None:
    """Learn in memory, without a run folder: what the verdict does many times.

    Args:
        trained: whether the network has learned already.
    """
    pace, batch = pace_of(trained=trained), min(lesson.usual_batch, len(lesson.samples))
    steps = pace.steps(len(lesson.samples), batch)
    optimizer, schedule = adamw(lesson.learner, pace.rate), Schedule(steps=steps)
    train_to_best(
        lesson.learner,
        train(lesson.learner, lesson.batches(batch).starting, optimizer, schedule, seed=lesson.seed),
        every=max(steps // _CHECKS, 10),
        measures=lesson.stopping_measures if len(lesson.stop) else None,
        patience=_PATIENCE,
    )
    lesson.learner.eval()
