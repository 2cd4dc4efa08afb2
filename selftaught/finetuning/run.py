"""Fine-tuning as a run: from a recipe to a finished run folder, whatever the task."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from selftaught import lookup
from selftaught.backbones.teacher import Teacher, classifying_teacher
from selftaught.data.examples import Columns, Examples, whole_text
from selftaught.data.loader import Batches
from selftaught.data.unchanged import short_digest
from selftaught.errors import SelftaughtError
from selftaught.facts import are_counts, shown, shown_fact
from selftaught.finetuning.arriving import Arrived, arrived_labels
from selftaught.finetuning.learner import BATCH, CHECKS, Finetuning, finetuning_rate, hold_out_examples, prepare_learner
from selftaught.finetuning.saved_task import save_task
from selftaught.finetuning.stopping import best_file, fit_to_best
from selftaught.fit import Outcome
from selftaught.flamingo.folder import save_network
from selftaught.machine import pick_device, pick_precision
from selftaught.pretrained import Pretrained, head_parts, open_pretrained, open_towers
from selftaught.randomness import derive
from selftaught.ranks import leads
from selftaught.recipe import Recipe
from selftaught.run.curve import draw_curve
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.run.model_card import write_card
from selftaught.run.report import SET_ASIDE, finetuned_lines, finetuned_measures, write_report
from selftaught.task import Task

_NAMED = 3  # quarantined rows


@dataclass(frozen=True)
class Ready:
    """Everything a fine-tuning run needs, made from its recipe."""

    recipe: Recipe
    pretrained: Pretrained
    examples: Examples[Any]
    test: Examples[Any] | None
    made: Finetuning
    arrived: Arrived | None

    @property
    def task(self) -> Task[Any]:
        return self.made.samples.task

    @property
    def batches(self) -> Batches:
        """What is trained on, for all ranks together."""
        train = self.recipe.train
        assert train.batch is not None
        return self.made.batches(train.batch, train.workers)

    @property
    def facts(self) -> dict[str, dict[str, float]]:
        """What the task says of the targets."""
        return self.task.facts(self.examples.examples)

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train = self.recipe.train
        budget = f"{train.steps:,} steps" if train.steps else f"{train.seconds:.0f} s"
        stop = f"{len(self.made.stop)} to stop by" if self.made.stop else "too few to set any aside"
        return [
            f"labels      {self.examples.description}",
            f"rows        {self.examples.tally.summary()}",
            *(f"            {record}" for record in self.examples.tally.named(_NAMED)),
            *(f"{name:12}{shown_fact(values)}" for name, values in self.facts.items()),
            *([f"unlabelled  {self.arrived}"] if self.arrived else []),
            f"model       {self.pretrained.folder}; new weights: {shown(self.made.fresh_weights) or 'none'}",
            f"training    {len(self.made.samples)} rows to train on, {stop}; "
            f"at most {budget} of {train.batch} rows, peak rate {train.rate:g}",
            f"machine     {train.device}, {train.precision}",
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            **self.facts,
            "rows": self.examples.tally.to_json(),
            "train_rows": len(self.made.samples),
            "arrived": self.arrived.to_json() if self.arrived else None,
            "stop_rows": len(self.made.stop),
            "parameters": sum(p.numel() for p in self.made.learner.parameters()),
            "train": self.recipe.train.model_dump(),
        }


def prepare_finetuning(recipe: Recipe) -> Ready:
    """Read the examples, choose what was left open, build the learner.

    Raises:
        SelftaughtError: for a task that does not exist, examples that cannot be read, or two budgets.
    """
    goal, data, train = recipe.objective, recipe.data, recipe.train
    kind = lookup.find_task(goal.name)
    if sum(value is not None for value in (train.steps, train.epochs, train.seconds)) > 1:
        raise SelftaughtError("the budget is given twice", do="give one of --steps, --epochs, --for")
    columns = Columns(data.text, data.second, data.label)
    examples = kind.read(data.path, columns)
    task = lookup.make_task(goal.name, examples.examples, goal.options)
    test = kind.read(data.test, columns) if data.test else None
    if test and (unknown := task.unknown(test.examples)):
        raise SelftaughtError(
            f"the test file has labels that the training file has not: {shown(unknown, 5)}",
            where=data.test or "",
            do="check that both name the same column, with --label",
        )
    assert recipe.model.init is not None
    towers = recipe.model.text_init
    pretrained = open_towers(recipe.model.init, towers) if towers else open_pretrained(recipe.model.init)
    device = pick_device(train.device)
    precision = train.precision or pick_precision(device)
    if recipe.model.scratch:
        torch.manual_seed(derive("untrained", train.seed))
        pretrained = replace(pretrained, backbone=pretrained.backbone.untrained_twin())
    backbone = pretrained.backbone.to(device)
    arrived = _arrived(recipe, pretrained, task, examples.examples, test)
    made = prepare_learner(
        backbone,
        pretrained.tokenizer,
        task,
        examples.examples,
        seed=train.seed,
        precision=precision,
        teacher=_teacher(recipe.model.teacher, pretrained),
        more=arrived.examples if arrived else (),
    )
    batch = train.batch or min(BATCH, len(made.samples))
    steps = train.steps
    if steps is None and train.seconds is None:
        steps = made.steps if train.epochs is None else max(1, round(train.epochs * len(made.samples) / batch))
    values = {
        "device": str(device),
        "precision": precision,
        "batch": batch,
        "rate": train.rate or finetuning_rate(backbone, ours=pretrained.run is not None or recipe.model.scratch),
        "steps": steps,
        "epochs": None,
    }
    resolved = recipe.with_train(**values)
    return Ready(resolved, pretrained, examples, test, made, arrived)


def _arrived(
    recipe: Recipe, pretrained: Pretrained, task: Task[Any], examples: Sequence[Any], test: Examples[Any] | None
) -> Arrived | None:
    """Texts without a label, if there are some, with the ones that arrive from the examples that are trained on."""
    if recipe.data.unlabelled is None:
        return None
    fit, stop = hold_out_examples(task, examples, recipe.train.seed)
    kept_out = [whole_text(examples[i]) for i in stop] + [whole_text(e) for e in (test.examples if test else ())]
    labelled = [examples[i] for i in fit]
    return arrived_labels(pretrained, task, labelled, kept_out, recipe.data.unlabelled, recipe.train.seed)


def _teacher(place: str | None, student: Pretrained) -> Teacher | None:
    """The fine-tuned model to imitate, if one is named."""
    if place is None:
        return None
    found = open_pretrained(place)
    if found.tokenizer.fingerprint != student.tokenizer.fingerprint:
        raise SelftaughtError("the teacher has another tokenizer than the student", where=place)
    return classifying_teacher(found.backbone)


def run_finetuning(run: Run, ready: Ready) -> dict[str, Any]:
    """Train, or go on training; write the model and the reports. All ranks come here; the first has the report.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    made = ready.made
    outcome = fit_to_best(
        run,
        ready.recipe.train,
        made.learner,
        made.trained,
        ready.batches,
        unit="rows",
        checks=CHECKS,
        measures=made.stopping_measures if made.stop else None,
        patience=ready.task.patience,
        about={
            "data": short_digest([repr(example) for example in ready.examples.examples]),
            "tokenizer": ready.pretrained.tokenizer.fingerprint[:12],
        },
    )
    if not leads():
        return {}
    report = _finish(run, ready, outcome)
    best_file(run).unlink(missing_ok=True)
    return report


def _finish(run: Run, ready: Ready, outcome: Outcome) -> dict[str, Any]:
    made, backbone = ready.made, ready.pretrained.backbone
    with written_aside(run.model) as folder:
        save_network(folder, backbone, made.learner.heads)
        save_task(folder, ready.recipe.objective.name, ready.task)
        ready.pretrained.tokenizer.save(
            folder,
            backbone.longest_row,
            token_types=backbone.has_token_types,
            closes=ready.task.architecture != "decoder",  # a source that ends there is to be continued
        )
    unigram = ready.pretrained.unigram
    parts = head_parts(made.learner.heads, backbone) | ({} if unigram is None else {"unigram": unigram})
    if parts:
        run.save_parts(parts)
    title = f"{ready.recipe.objective.name} from {ready.recipe.model.init}"
    draw_curve(run.metrics, run.folder / "curve.png", {}, title)
    report = {
        "verb": "finetune",
        "run": str(run.folder),
        "task": ready.recipe.objective.name,
        "init": ready.recipe.model.init,
        **ready.facts,
        "steps": outcome.progress.step,
        "seconds": outcome.progress.seconds,
        "stopping": made.stopping_measures() if made.stop else None,
        "test": made.measures(ready.test.examples) if ready.test else None,
        "rows": ready.examples.tally.to_json(),
        "arrived": ready.arrived.to_json() if ready.arrived else None,
        "notes": list(outcome.notes) + _warnings(ready),
    }
    _write_card(run, ready, report)
    write_report(run, report, ["```", *finetuned_lines(report), "```", "", "![the loss over the run](curve.png)"])
    return report


def _warnings(ready: Ready) -> list[str]:
    counts = {name: n for values in ready.facts.values() if are_counts(values) for name, n in values.items()}
    rare = [name for name, count in counts.items() if count < 3]
    found = [f"seen once or twice only: {shown(rare)}"] if rare else []
    if ready.arrived is not None:
        found += [*ready.arrived.tally.note("unlabelled"), *ready.arrived.notes]
    if ready.test is not None:
        found += ready.test.tally.note("test file")
        shared = Counter(map(whole_text, ready.examples.examples)) & Counter(map(whole_text, ready.test.examples))
        found += [f"{len(shared)} test texts are also in the training labels"] if shared else []
    return found


def _write_card(run: Run, ready: Ready, report: dict[str, Any]) -> None:
    told = {name: _told_fact(values) for name, values in ready.facts.items()}
    facts = {
        "task": report["task"],
        "begun from": f"{ready.recipe.model.init}{' (weights drawn anew)' if ready.recipe.model.scratch else ''}",
        "learned from": ready.recipe.model.teacher,
        **told,
        "labelled rows": len(ready.examples.examples),
        "texts whose label was guessed": len(ready.arrived.examples) if ready.arrived else None,
        "steps": report["steps"],
    }
    caveats = [SET_ASIDE, ready.task.caveat]
    write_card(run, ready.task.pipeline, facts, finetuned_measures(report), [caveat for caveat in caveats if caveat])


def _told_fact(values: dict[str, float]) -> str | int:
    """Of classes their names, as far as there is room; other numbers by themselves."""
    if not are_counts(values):
        return shown_fact(values)
    return ", ".join(values) if len(values) <= 20 else len(values)
