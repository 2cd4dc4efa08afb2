"""``selftaught pretrain --objective skipgram``: from the recipe to a finished run of word vectors."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.errors import SelftaughtError
from selftaught.fit import Outcome, Plan, end_if_interrupted, fit
from selftaught.loop import Progress
from selftaught.recipe import Recipe
from selftaught.run.curve import draw_curve
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.run.model_card import WORDS, write_card
from selftaught.run.report import write_report
from selftaught.schedule import Schedule
from selftaught.word2vec.corpus import WordCorpus, prepare_words
from selftaught.word2vec.model import WordModel
from selftaught.word2vec.options import WordObjective, word_objective
from selftaught.word2vec.tables import Tables
from selftaught.word2vec.training import (
    PIECES_A_ROUND,
    Pieces,
    Trainer,
    WordMatrices,
    held_out_loss,
    pieces_for,
    spare_rows,
)

_EPOCHS = 5.0  # where no budget is given, as in word2vec
_LOWEST_RATE = 1e-4  # of the first, at the end
_CHECKS = 8


@dataclass(frozen=True)
class WordPretraining:
    """Everything a run of word vectors needs, made from its recipe.

    Args:
        log: the file that names all rows that were set aside.
    """

    recipe: Recipe
    objective: WordObjective
    corpus: WordCorpus
    tables: Tables
    matrices: WordMatrices
    pieces: Pieces
    threads: int
    log: Path

    @property
    def plan(self) -> "WordPretraining":
        """Itself: there is nothing to measure before the start."""
        return self

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        corpus, train = self.corpus, self.recipe.train
        words, kept = len(corpus.vocabulary), len(corpus.train)
        budget = f"{train.seconds:.0f} s" if train.seconds else f"{self.epochs:.3g} epochs"
        alone = (
            ", the same bits each time" if self.threads == 1 else ", not the same bits each time (--deterministic is)"
        )
        return [
            f"read        {corpus.description}",
            f"rows        {tally_sentence(corpus.tally, self.log)}",
            f"words       {corpus.read:,} in the training text, {kept:,} of them ({kept / max(corpus.read, 1):.1%}) of "
            f"the {words:,} that occur {self.objective.min_count} times or more{self._extras()}; "
            f"{len(corpus.held_out):,} held out",
            f"plan        {self.objective.name}, {self.parameters / 1e6:.1f} M parameters, "
            f"{budget}, {self.threads} thread{'s' * (self.threads > 1)}{alone}",
        ]

    def _extras(self) -> str:
        phrases, ngrams = len(self.corpus.vocabulary.phrases), len(self.tables.ngrams)
        said = [f", {phrases:,} of them phrases"] * (self.objective.phrases > 0)
        return "".join(said + [f", with {ngrams:,} character n-grams"] * (self.objective.min_n > 0))

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            "objective": self.objective.name,
            "parameters": self.parameters,
            "vocabulary": len(self.corpus.vocabulary),
            "phrases": len(self.corpus.vocabulary.phrases),
            "ngrams": len(self.tables.ngrams),
            "corpus_words": len(self.corpus.train),
            "held_out_words": len(self.corpus.held_out),
            "threads": self.threads,
            "train": self.recipe.train.model_dump(),
        }

    @property
    def parameters(self) -> int:
        """Numbers that are learned."""
        return sum(p.numel() for p in self.matrices.parameters())

    @property
    def epochs(self) -> float:
        """Passes over the corpus that the steps of the recipe are."""
        assert self.recipe.train.steps is not None
        return self.recipe.train.steps * PIECES_A_ROUND / len(self.pieces)


def prepare_word_pretraining(run: Run, recipe: Recipe) -> WordPretraining:
    """Read the words and choose what was left open.

    Raises:
        SelftaughtError: for what only transformers have, or text that has too few words.
    """
    objective = word_objective(recipe.objective.name, recipe.objective.options)
    _refuse_transformers(recipe)
    train = recipe.train
    corpus = prepare_words(
        recipe.data.path,
        run.folder / "tokens",
        objective,
        seed=train.seed,
        text=recipe.data.text,
        keep=run.has_begun,
    )
    pieces = pieces_for(corpus.train)
    update: dict[str, Any] = {"rate": train.rate or objective.rate, "warmup": 0.0, "final": _LOWEST_RATE}
    if train.steps is None and train.seconds is None:
        update |= {"steps": max(1, round((train.epochs or _EPOCHS) * len(pieces) / PIECES_A_ROUND)), "epochs": None}
    recipe = recipe.with_train(**update)
    tables = Tables.of(objective, corpus.vocabulary)
    words, threads = len(corpus.vocabulary), train.threads or _cores()
    spare = spare_rows(objective, words, threads)
    matrices = WordMatrices(words, objective.dimensions, train.seed, ngrams=len(tables.ngrams), spare=spare)
    log = run.folder / "tokens" / QUARANTINE
    return WordPretraining(recipe, objective, corpus, tables, matrices, pieces, threads, log)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _refuse_transformers(recipe: Recipe) -> None:
    goal, model, train = recipe.objective, recipe.model, recipe.train
    asked: dict[str, Any] = {
        "--size": model.size,
        "--init": model.init,
        "--batch": train.batch,
        "--labels": recipe.data.labels,
    }
    asked |= {"objective.weights": goal.weights, "model.tokenizer": model.tokenizer, "--device": train.device}
    for name, value in asked.items():
        if value:
            raise SelftaughtError(
                f"{name} is for transformers, and {goal.name} trains word vectors",
                do="leave it out; see docs/word2vec.md",
            )


def run_word_pretraining(run: Run, ready: WordPretraining) -> dict[str, Any]:
    """Train, or go on training, to the end of the budget; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    asked = ready.recipe.train
    assert asked.rate is not None
    schedule = Schedule(asked.steps, asked.seconds, asked.warmup, asked.final)
    plan = Plan(
        schedule,
        asked.seed,
        save_seconds=asked.save_seconds,
        unit="words",
        per_sample=ready.pieces.size,
        checks=_CHECKS,
    )
    trainer = Trainer(
        ready.objective, ready.matrices, ready.tables, ready.pieces, schedule, asked.rate, asked.seed, ready.threads
    )
    nothing = torch.optim.SGD(ready.matrices.parameters())  # the steps need none, and it has no state
    outcome = fit(run, ready.matrices, nothing, trainer.steps(), plan, check=_checker(ready))
    end_if_interrupted(run, outcome)
    return _finish(run, ready, outcome)


def _checker(ready: WordPretraining) -> Callable[[Progress], dict[str, Any]]:
    def check(progress: Progress) -> dict[str, Any]:
        loss = _held_out(ready)
        return {} if loss is None else {"held_out_loss": loss}

    return check


def _held_out(ready: WordPretraining) -> float | None:
    return held_out_loss(ready.objective, ready.matrices, ready.tables, ready.corpus.held_out, ready.recipe.train.seed)


def _finish(run: Run, ready: WordPretraining, outcome: Outcome) -> dict[str, Any]:
    corpus, objective, inputs = ready.corpus, ready.objective, ready.matrices.inputs.numpy()
    words, tables = corpus.vocabulary, ready.tables
    model = WordModel(words, tables.composed(inputs), objective, tables.ngrams, inputs[len(words) :])
    with written_aside(run.model) as folder:
        model.save(folder)
    run.save_parts({"outputs": ready.matrices.outputs.detach()})
    title = f"{objective.name}, {len(words):,} words of {objective.dimensions} numbers"
    draw_curve(run.metrics, run.folder / "curve.png", {"chance": tables.chance}, title)
    epochs = outcome.progress.samples / len(ready.pieces)
    loss = _held_out(ready)
    report = {
        "verb": "pretrain",
        "run": str(run.folder),
        "objective": objective.name,
        "vocabulary": len(words),
        "dimensions": objective.dimensions,
        "parameters": ready.parameters,
        "steps": outcome.progress.step,
        "words": round(epochs * len(corpus.train)),
        "epochs": epochs,
        "seconds": outcome.progress.seconds,
        "threads": ready.threads,
        "held_out": {} if loss is None else {"loss": loss, "chance_loss": tables.chance},
        "rows": corpus.tally,
        "notes": list(outcome.notes),
    }
    _write_card(run, ready, report)
    write_report(run, report, ["```", *word_summary(report), "```", "", "![the loss over the run](curve.png)"])
    return report


def _write_card(run: Run, ready: WordPretraining, report: dict[str, Any]) -> None:
    facts = {
        "objective": report["objective"],
        "words": report["vocabulary"],
        "numbers a word": report["dimensions"],
        "training text": ready.corpus.description,
        "words trained on": report["words"],
        "seconds": round(report["seconds"]),
        "language": "Chinese" if ready.corpus.chinese else None,
    }
    caveats = [
        "What stands near what in its training text is all it knows, prejudices included; nothing was filtered.",
        "A word has one vector, whatever it means in a sentence.",
        "Words beside each other in meaning include opposites: they stand in the same places.",
        "The licence of the training text applies to what may be done with the vectors; this card does not know it.",
    ]
    write_card(run, WORDS, facts, report["held_out"], caveats)


def word_summary(report: dict[str, Any]) -> list[str]:
    """The end of a run, for the terminal."""
    speed = report["words"] / max(report["seconds"], 1e-9)
    lines = [
        f"trained     {report['words']:,} words in {report['seconds']:.1f} s ({speed:,.0f} a second), "
        f"{report['epochs']:.1f} epochs on {report['threads']} thread{'s' * (report['threads'] > 1)}"
    ]
    if held := report["held_out"]:
        lines.append(
            f"held out    loss {held['loss']:.3f} nats a prediction; who knows nothing has {held['chance_loss']:.3f}"
        )
    else:
        lines.append("held out    nothing: the corpus is too small to hold text out")
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/vectors.bin, report.md, curve.png, README.md)"]
