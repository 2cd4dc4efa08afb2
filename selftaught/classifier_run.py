"""Fine-tuning a classifier as a run: from a recipe to a finished run folder."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safetensors.torch import load_file, save_file

from selftaught import lookup
from selftaught.backbones.hf import save_model
from selftaught.console import note
from selftaught.curve import draw_curve
from selftaught.data.examples import Labels
from selftaught.data.labels import read_labels
from selftaught.errors import SelftaughtError
from selftaught.features import LONGEST_TEXT
from selftaught.finetuning import BATCH, PATIENCE, Best, Finetuning, answers, finetuning_rate, labelled_learner
from selftaught.fit import Outcome, Plan, fit
from selftaught.loop import Progress
from selftaught.machine import pick_device, pick_precision
from selftaught.model_card import write_card
from selftaught.objective import Task
from selftaught.optim import adamw
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.recipe import Recipe
from selftaught.report import write_report
from selftaught.run import Run, learner_tensors, restore_learner, written_aside

_CHECKS = 12


@dataclass(frozen=True)
class Ready:
    """Everything a fine-tuning run needs, made from its recipe."""

    recipe: Recipe
    pretrained: Pretrained
    labels: Labels
    test: Labels | None
    made: Finetuning

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        counts = self.labels.counts
        train = self.recipe.train
        budget = f"{train.steps:,} steps" if train.steps else f"{train.seconds:.0f} s"
        stop = f"{len(self.made.stop_texts)} to stop by" if self.made.stop_texts else "too few to set any aside"
        return [
            f"labels      {self.labels.description}",
            f"rows        {self.labels.tally.summary()}",
            f"classes     {len(counts)}: " + _shown([f"{name} {n}" for name, n in counts.items()]),
            f"model       {self.pretrained.folder}; new weights: {_shown(self.made.fresh_weights) or 'none'}",
            f"training    {len(self.made.rows)} rows to train on, {stop}; "
            f"at most {budget} of {train.batch} rows, peak rate {train.rate:g}",
            f"machine     {train.device}, {train.precision}",
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            "classes": self.labels.counts,
            "rows": self.labels.tally.to_json(),
            "train_rows": len(self.made.rows),
            "stop_rows": len(self.made.stop_texts),
            "parameters": sum(p.numel() for p in self.made.learner.parameters()),
            "train": self.recipe.train.model_dump(),
        }


def _shown(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def prepare_finetuning(recipe: Recipe) -> Ready:
    """Read the labels, choose what was left open, build the learner.

    Raises:
        SelftaughtError: for a task that does not exist, labels that cannot be read, or two budgets.
    """
    lookup.find(recipe.objective.name, lookup.TASKS)
    train = recipe.train
    if sum(value is not None for value in (train.steps, train.epochs, train.seconds)) > 1:
        raise SelftaughtError("the budget is given twice", do="give one of --steps, --epochs, --for")
    labels = read_labels(recipe.data.path, text=recipe.data.text, label=recipe.data.label)
    test = None
    if recipe.data.test:
        test = read_labels(recipe.data.test, text=recipe.data.text, label=recipe.data.label)
    assert recipe.model.init is not None
    pretrained = open_pretrained(recipe.model.init)
    device = pick_device(train.device)
    precision = train.precision or pick_precision(device)
    made = labelled_learner(
        pretrained.backbone.to(device),
        pretrained.tokenizer,
        [e.text for e in labels.examples],
        [e.label for e in labels.examples],
        seed=train.seed,
        precision=precision,
        longest=min(LONGEST_TEXT, pretrained.backbone.longest_row),
        task=_task_maker(recipe),
    )
    batch = train.batch or min(BATCH, len(made.rows))
    steps = train.steps
    if steps is None and train.seconds is None:
        steps = made.steps if train.epochs is None else max(1, round(train.epochs * len(made.rows) / batch))
    values = {
        "device": str(device),
        "precision": precision,
        "batch": batch,
        "rate": train.rate or finetuning_rate(pretrained.backbone, ours=pretrained.run is not None),
        "steps": steps,
        "epochs": None,
    }
    resolved = recipe.model_copy(update={"train": train.model_copy(update=values)})
    return Ready(resolved, pretrained, labels, test, made)


def _task_maker(recipe: Recipe) -> Callable[..., Task]:
    """The recipe's task, which lacks only its classes and their weights."""
    name, options = recipe.objective.name, recipe.objective.options
    if "classes" in options:
        raise SelftaughtError("the classes are those of the labels; they cannot be set", where="objective.options")

    def made(**found: Any) -> Task:
        task = lookup.make(name, lookup.TASKS, {**found, **options})
        assert isinstance(task, Task)
        return task

    return made


def run_finetuning(run: Run, ready: Ready) -> dict[str, Any]:
    """Train, or go on training; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    train, made = ready.recipe.train, ready.made
    memory: dict[str, Any] = {}
    assert train.rate is not None
    assert train.batch is not None
    best_file = run.folder / "best.safetensors"

    def check(progress: Progress) -> dict[str, Any]:
        if not made.stop_texts:
            return {}
        best = Best(**memory)
        measures = made.stopping_measures()
        if best.see(next(iter(measures.values()))):
            aside = best_file.with_name("best.partial")
            save_file(learner_tensors(made.learner), aside)
            aside.replace(best_file)
        memory.update(score=best.score, stale=best.stale)
        return {f"held_out_{name}": value for name, value in measures.items()}

    outcome = fit(
        run,
        made.learner,
        made.batches(train.batch, train.workers).starting,
        adamw(made.learner, train.rate, weight_decay=train.weight_decay),
        Plan.of(train, unit="rows", per_sample=1, checks=_CHECKS),
        check=check,
        stop=lambda: memory.get("stale", 0) >= PATIENCE,
        memory=memory,
    )
    if outcome.interrupted:
        note(f"interrupted at step {outcome.progress.step}; a checkpoint is in {run.checkpoints}. Repeat it to resume.")
        raise SystemExit(130)
    if made.stop_texts:
        check(outcome.progress)  # the last step may be the best
        restore_learner(made.learner, load_file(best_file))
    report = _finish(run, ready, outcome)
    best_file.unlink(missing_ok=True)  # only now: a run killed while finishing needs it again
    return report


def _finish(run: Run, ready: Ready, outcome: Outcome) -> dict[str, Any]:
    made, backbone = ready.made, ready.pretrained.backbone
    with written_aside(run.model) as folder:
        save_model(folder, backbone, made.learner.heads)
        ready.pretrained.tokenizer.save(folder, backbone.longest_row)
    if ready.pretrained.unigram is not None:
        run.save_parts({"unigram": ready.pretrained.unigram})
    title = f"{ready.recipe.objective.name} from {ready.recipe.model.init}"
    draw_curve(run.metrics, run.folder / "curve.png", {}, title)
    report = {
        "verb": "finetune",
        "run": str(run.folder),
        "task": ready.recipe.objective.name,
        "init": ready.recipe.model.init,
        "classes": ready.labels.counts,
        "steps": outcome.progress.step,
        "seconds": outcome.progress.seconds,
        "stopping": made.stopping_measures() if made.stop_texts else None,
        "test": _tested(ready),
        "rows": ready.labels.tally.to_json(),
        "notes": list(outcome.notes) + _warnings(ready),
    }
    _write_card(run, ready, report)
    write_report(run, report, ["```", *summary(report), "```", "", "![the loss over the run](curve.png)"])
    return report


def _tested(ready: Ready) -> dict[str, float] | None:
    if ready.test is None:
        return None
    task = ready.made.learner.objective
    assert isinstance(task, Task)
    rows = ready.made.rows
    said = answers(ready.made.learner, rows.tokenizer, [e.text for e in ready.test.examples], rows.longest)
    return task.measure([e.label for e in ready.test.examples], said)


def _warnings(ready: Ready) -> list[str]:
    rare = [name for name, count in ready.labels.counts.items() if count < 3]
    found = [f"seen once or twice only: {_shown(rare)}"] if rare else []
    if ready.test is not None:
        shared = Counter(e.text for e in ready.labels.examples) & Counter(e.text for e in ready.test.examples)
        found += [f"{len(shared)} test texts are also in the training labels"] if shared else []
    return found


def _write_card(run: Run, ready: Ready, report: dict[str, Any]) -> None:
    facts = {
        "task": report["task"],
        "begun from": str(ready.recipe.model.init),
        "classes": ", ".join(report["classes"]) if len(report["classes"]) <= 20 else len(report["classes"]),
        "labelled rows": len(ready.labels.examples),
        "steps": report["steps"],
    }
    measures = {f"{name} (labels set aside)": value for name, value in (report["stopping"] or {}).items()}
    measures |= {f"{name} (test file)": value for name, value in (report["test"] or {}).items()}
    caveats = [
        "The score on labels set aside chose the weights and is therefore a little too good; a test file's is not.",
        "It answers with one of its classes, whatever it is asked.",
    ]
    write_card(run, "text-classification", facts, measures, caveats)


def summary(report: dict[str, Any]) -> list[str]:
    """The end of a run, for the terminal."""
    lines = [f"trained     {report['steps']:,} steps in {report['seconds']:.0f} s"]
    for name, title in (("stopping", "set aside   "), ("test", "test file   ")):
        if report[name]:
            lines.append(title + ", ".join(f"{k.replace('_', '-')} {v:.3f}" for k, v in report[name].items()))
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/, report.md, curve.png, README.md)"]
