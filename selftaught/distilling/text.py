"""Distillation as runs: a student that learns from a teacher, the same student without one, and what both are worth."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from selftaught import lookup
from selftaught.backbones.teacher import language_teacher
from selftaught.console import note
from selftaught.data.examples import Columns
from selftaught.data.labels import read_labels
from selftaught.data.store import TokenStore
from selftaught.distilling.retention import (
    ALONE,
    BATCH,
    DRAWS,
    STUDENT,
    TEACHER,
    Standing,
    held_out_loss,
    kept,
    latencies,
    probe_scores,
    sentence,
    standing_lines,
    weigh,
)
from selftaught.errors import SelftaughtError
from selftaught.finetuning.answering import task_learner
from selftaught.finetuning.learner import answers
from selftaught.finetuning.run import prepare_finetuning, run_finetuning
from selftaught.finetuning.saved_task import saved_task
from selftaught.judging.splitting import Split, split_examples
from selftaught.objective import Objective, Spec
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.randomness import derive
from selftaught.recipe import Data, Goal, Model, Recipe, Train, settled
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run
from selftaught.run.report import finished, write_report
from selftaught.tasks.classify import Classify
from selftaught.text.preparing import prepare_pretraining
from selftaught.text.pretraining import run_pretraining

_TASK_FOLDERS = {TEACHER: "task-teacher", STUDENT: "task", ALONE: "task-alone"}


def teacher_options(teacher: Pretrained) -> dict[str, Any]:
    """The options of the objective ``distill`` that follow from its teacher."""
    found: dict[str, Any] = {"architecture": "decoder" if teacher.backbone.is_decoder else "encoder"}
    return found if language_teacher(teacher.backbone).head is not None else {**found, "prediction": 0.0}


def check_labels(recipe: Recipe) -> None:
    """Read every file of labels once, so that a mistake in them is told before hours of training.

    Raises:
        SelftaughtError: for labels that cannot be read, or a test file that does not fit them.
    """
    data, columns = recipe.data, Columns(label=recipe.data.label)
    if data.labels:
        Classify.read(data.labels, columns)
    if data.test and not data.task_labels:
        raise SelftaughtError("--test scores the task stage, and there is none", do="give --task-labels as well")
    if not data.task_labels:
        return
    task = Classify.of(Classify.read(data.task_labels, columns).examples)
    if data.test and (unknown := task.unknown(Classify.read(data.test, columns).examples)):
        raise SelftaughtError(
            f"the test file has labels that the task labels have not: {', '.join(unknown[:5])}",
            where=data.test,
            do="check that both name the same column, with --label",
        )


def pretrained(run: Run, asked: Recipe) -> None:
    """Pretrain as a recipe asks, or go on with it, unless it is done."""
    before = settled(run.recipe, asked)
    if before is None or finished(run, "pretrain") is None:
        ready = prepare_pretraining(run, before or asked)
        for line in ready.plan.lines():
            note(line)
        replace_file(run.recipe, ready.recipe.to_yaml())
        run_pretraining(run, ready)


def finetuned(run: Run, asked: Recipe) -> None:
    """Fine-tune as a recipe asks, or go on with it, unless it is done."""
    before = settled(run.recipe, asked)
    if before is None or finished(run, "finetune") is None:
        ready = prepare_finetuning(before or asked)
        for line in ready.lines():
            note(line)
        replace_file(run.recipe, ready.recipe.to_yaml())
        run_finetuning(run, ready)


@dataclass(frozen=True)
class Distillation:
    """What follows the general stage: the twin, the task stage, and the table.

    Args:
        run: the student's; the other runs stand in folders below it.
        recipe: of the student, resolved.
        teacher: the model it has learned from.
    """

    run: Run
    recipe: Recipe
    teacher: Pretrained

    @property
    def places(self) -> dict[str, Path]:
        """Where the models stand. The twin, the same student without a teacher, is there if there is a score."""
        assert self.recipe.model.teacher is not None
        found = {TEACHER: Path(self.recipe.model.teacher), STUDENT: self.run.folder}
        scored = self.recipe.data.labels or self.recipe.data.test
        return found | ({ALONE: self.run.folder / "alone"} if scored else {})

    @property
    def task_places(self) -> dict[str, Path]:
        """Where they stand after the task stage; a teacher that has been fine-tuned already stays where it is."""
        if self.recipe.data.task_labels is None:
            return {}
        found = {name: self.run.folder / _TASK_FOLDERS[name] for name in self.places}
        return found if saved_task(self.teacher) is None else {**found, TEACHER: self.places[TEACHER]}

    @property
    def question(self) -> Objective:
        """What is asked of a model that has no teacher."""
        goal = self.recipe.objective
        return lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights).untaught()

    def train_twin(self) -> None:
        """The same student for the same budget: the same questions about the same rows, nobody to learn from."""
        if ALONE not in self.places:
            return
        note("now         the same student without a teacher, for the same budget")
        given = {"teacher": None, "teacher_sha256": None, "tokenizer": self.recipe.model.teacher}
        model = self.recipe.model.model_copy(update=given)
        goal = Goal(name=self.question.name, options=asdict(self.question))  # type: ignore[call-overload]
        asked = self.recipe.model_copy(update={"verb": "pretrain", "objective": goal, "model": model})
        twin = Run(self.places[ALONE])
        with twin.locked():
            pretrained(twin, asked)

    def learn_task(self) -> None:
        """The task stage: the teacher and the twin learn from the labels, the student from the teacher."""
        for name, place in self.task_places.items():
            if place == self.places[name]:
                continue
            note(f"now         the {name} learns {self.recipe.data.task_labels}")
            teacher = self.task_places[TEACHER] if name == STUDENT else None
            with Run(place).locked():
                finetuned(Run(place), self._task_recipe(self.places[name], teacher))

    def _task_recipe(self, init: Path, teacher: Path | None) -> Recipe:
        data, train = self.recipe.data, self.recipe.train
        return Recipe(
            verb="finetune",
            data=Data(path=data.task_labels or "", label=data.label),
            objective=Goal(name="classify"),
            model=Model(init=str(init), teacher=str(teacher) if teacher else None),
            train=Train(seed=train.seed, device=train.device, precision=train.precision),
        )

    def compare(self) -> dict[str, Any]:
        """Weigh, time and score the models, and write the table into the run's report."""
        data, seed = self.recipe.data, self.recipe.train.seed
        split = None
        if data.labels:
            labels = read_labels(data.labels, label=data.label)
            split = split_examples(Classify.of(labels.examples), labels, None, seed)
        standings = self._standings(split)
        found = kept(standings)
        report = {
            "verb": "distill",
            "run": str(self.run.folder),
            "teacher": self.recipe.model.teacher,
            "size": self.recipe.model.size,
            "models": [standing.to_json() for standing in standings],
            "kept": found,
            "sentence": sentence(found),
            "rows": {"to learn from": len(split.train), "to be tested on": len(split.test)} if split else None,
        }
        write_report(self.run, report, ["```", *summary(report), "```"])
        return report

    def _standings(self, split: Split | None) -> list[Standing]:
        train, tokens = self.recipe.train, self.run.folder / "tokens"
        models = {name: self._opened(place) for name, place in self.places.items()}
        spec = Spec(text=models[STUDENT].tokenizer.spec(TokenStore(tokens / "train").counts))
        held_out = TokenStore(tokens / "held_out")
        seeds = [derive("retention", train.seed, i) % 2**31 for i in range(DRAWS)]
        backbones = {name: model.backbone for name, model in models.items()}
        one, many = latencies(backbones, 1), latencies(backbones, BATCH)
        standings = []
        for name, model in models.items():
            note(f"measuring   {name}")
            standings.append(
                Standing(
                    name,
                    *weigh(model.folder),
                    one[name],
                    many[name],
                    held_out_loss(model, self.question, held_out, spec, train.length, train.seed),
                    probe_scores(model, split, seeds) if split else (),
                    self._task_score(name),
                )
            )
        return standings

    def _task_score(self, name: str) -> float | None:
        """The accuracy on the test file after the task stage."""
        data = self.recipe.data
        if data.test is None:
            return None
        model = self._opened(self.task_places[name])
        task = saved_task(model)
        assert task is not None
        examples = task.read(data.test, Columns(label=data.label)).examples
        said = answers(task_learner(model, task), model.tokenizer, examples)
        return task.measure(examples, said)["accuracy"]

    def _opened(self, place: Path) -> Pretrained:
        model = open_pretrained(place)
        model.backbone.to(torch.device(self.recipe.train.device or "cpu"))
        return model


def summary(report: dict[str, Any]) -> list[str]:
    """The end of a distillation, for the terminal."""
    standings = [Standing.of_json(model) for model in report["models"]]
    return [*standing_lines(standings), "", report["sentence"], f"run         {report['run']}  (model/, report.md)"]
