"""``selftaught finetune`` on clips: a network and a head for classes, trained together on few labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from selftaught.curve import draw_curve
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.data.video_source import open_videos
from selftaught.data.video_store import VideoStore, prepare_videos
from selftaught.errors import SelftaughtError
from selftaught.facts import shown, shown_fact
from selftaught.fit import Outcome, Plan, gradient_steps
from selftaught.lookup import checked
from selftaught.machine import pick_device, pick_precision
from selftaught.model_card import CLIP_CLASSES, write_card
from selftaught.optim import adamw
from selftaught.pictures.finetuning import refuse_text_tasks
from selftaught.pictures.lessons import CHECKS, PATIENCE, pace_of
from selftaught.recipe import Recipe
from selftaught.report import SET_ASIDE, finetuned_lines, finetuned_measures, write_report
from selftaught.run import Run
from selftaught.stopping import best_file, fit_to_best
from selftaught.video.attention import draw_attention
from selftaught.video.classifying import TASK, ClassifyClips
from selftaught.video.illustrating import spread
from selftaught.video.lessons import BATCH, ClipLesson, measured, prepare_clip_lesson
from selftaught.video.model import VideoModel

_SHOWN = 6  # clips on the page of attention


@dataclass(frozen=True)
class ClipFinetuning:
    """Everything a fine-tuning run on clips needs, made from its recipe.

    Args:
        unlabelled: clips that were left out for want of a label.
    """

    recipe: Recipe
    lesson: ClipLesson
    store: VideoStore
    test: VideoStore | None
    unlabelled: int
    run: Run

    @property
    def counts(self) -> dict[str, float]:
        """Clips of each class."""
        return self.lesson.task.decision.counts([label for label in self.store.labels if label])

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train, lesson = self.recipe.train, self.lesson
        budget = f"{train.steps:,} steps" if train.steps else f"{train.seconds:.0f} s"
        stop = f"{len(lesson.stop):,} to stop by" if len(lesson.stop) else "too few to set any aside"
        begun = f"{self.recipe.model.init}{', its weights drawn anew' if self.recipe.model.scratch else ''}"
        without = f"; {self.unlabelled:,} have no label and are left out" if self.unlabelled else ""
        return [
            f"labels      {self.store.description}",
            f"clips       {tally_sentence(self.store.tally, self.run.folder / 'labelled' / QUARANTINE)}{without}",
            f"classes     {shown_fact(self.counts)}",
            f"model       {begun}",
            f"training    {len(lesson.samples):,} windows to train on, {stop}; at most {budget} of {train.batch} "
            f"windows, peak rate {train.rate:g}",
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


def prepare_clip_finetuning(run: Run, recipe: Recipe) -> ClipFinetuning:
    """Decode the clips, choose what was left open, and put a head above the network.

    Raises:
        SelftaughtError: for what only text has, or labels that nothing can be learned from.
    """
    goal, data, train = recipe.objective, recipe.data, recipe.train
    refuse_text_tasks(recipe, "clips")
    assert recipe.model.init is not None
    device = pick_device(train.device)
    precision = train.precision or pick_precision(device)
    model = VideoModel.load(recipe.model.init, precision)
    if recipe.model.scratch:
        model = model.untrained(train.seed)
    model.picture.backbone.to(device)
    store = labelled_clips(data.path, run, "labelled", model, data.image, data.label)
    rows = np.flatnonzero([bool(label) for label in store.labels])
    labels = [store.labels[i] for i in rows]
    task = ClassifyClips.of(labels, **checked(ClassifyClips, TASK, goal.options))
    if len(task.classes) < 2:
        raise SelftaughtError(
            "these clips have no labels" if not labels else f"all these clips have one label, {labels[0]!r}",
            where=store.description,
            do="put the clips of each class into a folder of its name, or give a table of paths and labels",
        )
    test = labelled_clips(data.test, run, "test", model, data.image, data.label) if data.test else None
    if test and (unknown := task.decision.unknown([label for label in test.labels if label])):
        raise SelftaughtError(
            f"the test clips have labels that the training clips have not: {shown(unknown, 5)}",
            where=data.test or "",
            do="check that both are labelled in the same way",
        )
    lesson, pace = (
        prepare_clip_lesson(model, task, store, rows, seed=train.seed),
        pace_of(trained=not recipe.model.scratch),
    )
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
    return ClipFinetuning(resolved, lesson, store, test, len(store.labels) - len(rows), run)


def labelled_clips(
    data: str, run: Run, folder: str, model: VideoModel, clip: str | None, label: str | None
) -> VideoStore:
    """The clips as the network is given them, decoded into the run."""
    side, rate = model.picture.spec.resolution, model.spec.rate
    source = open_videos(data, clip=clip, label=label)
    return prepare_videos(source, run.folder / folder, resolution=side, rate=rate, seed=0, keep=run.has_begun)


def run_clip_finetuning(run: Run, ready: ClipFinetuning) -> dict[str, Any]:
    """Train, or go on training; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    train, lesson = ready.recipe.train, ready.lesson
    assert train.rate is not None
    assert train.batch is not None
    optimizer = adamw(lesson.learner, train.rate, weight_decay=train.weight_decay)
    plan = Plan.of(train, unit="clips", per_sample=1, checks=CHECKS)
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


def _finish(run: Run, ready: ClipFinetuning, outcome: Outcome) -> dict[str, Any]:
    ready.lesson.learner.eval()
    lesson, classifier, recipe = ready.lesson, ready.lesson.classifier, ready.recipe
    classifier.save(run)
    draw_curve(run.metrics, run.folder / "curve.png", {}, f"{TASK} from {recipe.model.init}")
    told = np.flatnonzero([bool(label) for label in ready.test.labels]) if ready.test else np.zeros(0, int)
    shown_of = ready.test if ready.test else ready.store
    draw_attention(classifier, shown_of, spread(np.arange(len(shown_of)), _SHOWN), run.folder / "attention.png")
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
        "test": measured(classifier, ready.test, told) if ready.test else None,
        "rows": ready.store.tally,
        "unlabelled": ready.unlabelled,
        "notes": list(outcome.notes) + _notes(ready),
    }
    _write_card(run, ready, report)
    lines = ["```", *finetuned_lines(report), "```", "", "![the loss over the run](curve.png)"]
    lines += ["", "![attention over time](attention.png)", "", "*what it says of clips, and how much each step counts*"]
    write_report(run, report, lines)
    return report


def _notes(ready: ClipFinetuning) -> list[str]:
    rare = [name for name, count in ready.counts.items() if count < 3]
    found = [f"seen once or twice only: {shown(rare)}"] if rare else []
    if ready.test is not None:
        known = {ready.store.clip(i).tobytes() for i in range(len(ready.store))}
        shared = sum(ready.test.clip(i).tobytes() in known for i in range(len(ready.test)))
        found += [f"{shared:,} test clips are also among the training clips"] if shared else []
    return found


def _write_card(run: Run, ready: ClipFinetuning, report: dict[str, Any]) -> None:
    names = list(report["classes"])
    facts = {
        "task": f"{TASK} clips",
        "begun from": str(report["init"]) + (" (weights drawn anew)" if report["scratch"] else ""),
        "classes": ", ".join(names) if len(names) <= 20 else len(names),
        "labelled windows": len(ready.lesson.samples),
        "frames a second": ready.store.rate,
        "steps": report["steps"],
    }
    caveats = [SET_ASIDE, "It answers with its own classes, whatever it is shown."]
    write_card(run, CLIP_CLASSES, facts, finetuned_measures(report), caveats)
