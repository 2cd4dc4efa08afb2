"""Questions about pictures with examples in the context, and nothing trained for them (Alayrac et al. 2022)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from selftaught.console import note, table
from selftaught.data.examples import Examples
from selftaught.data.picture_questions import PictureQuestion
from selftaught.errors import SelftaughtError
from selftaught.finetuning.answering import task_learner
from selftaught.finetuning.learner import answers
from selftaught.metrics.interval import Interval, bootstrap_interval
from selftaught.metrics.picture_answers import FOR_QUESTION, MAJORITY, agreement, commonest, commonest_for_question
from selftaught.pretrained import Pretrained
from selftaught.randomness import derive
from selftaught.tasks.vqa import Vqa

MOST_ROWS = 500
SEEN, BLACK = "with its picture", "with black pictures"


@dataclass(frozen=True)
class PictureAsking:
    """How questions are asked.

    Args:
        shots: numbers of examples in the context.
        draws: how often each question is asked, behind other examples each time.
        rows: questions at most.
        seed: of the draws.
    """

    shots: tuple[int, ...]
    draws: int
    rows: int
    seed: int


def picture_shots(
    pretrained: Pretrained,
    task: Vqa | None,
    test: Examples[PictureQuestion],
    train: Examples[PictureQuestion] | None,
    asking: PictureAsking,
) -> tuple[dict[str, Any], list[str]]:
    """How often a network that sees answers rightly behind examples: the report, and the lines for people.

    The examples are drawn at random, and none is about a picture that is asked about (section 3.1 of the paper tells
    them in the same way). Beside it stands the same with all pictures black.

    Args:
        task: that the network was fine-tuned on; how a question is put is its. None for one that was pretrained alone.
        train: to draw examples from; where it is not given, the other rows of ``test`` about other pictures.

    Raises:
        SelftaughtError: if there are fewer examples than are wanted.
    """
    generator = np.random.default_rng(derive("questions", asking.seed))
    rows = [test.examples[i] for i in np.sort(generator.permutation(len(test.examples))[: asking.rows])]
    tested = {example.picture for example in rows}
    shown = [e for e in (train or test).examples if e.picture not in tested]
    if len(shown) < max(asking.shots):
        raise SelftaughtError(
            f"{max(asking.shots)} examples cannot be drawn from {len(shown)} questions about other pictures",
            do="ask for fewer --shots or --rows, or name more questions with --train",
        )
    posed = task or Vqa.of(shown or rows)
    scores: dict[tuple[int, str], Interval] = {}
    for shots in asking.shots:
        note(f"asking      {len(rows):,} questions, {shots} shots")
        for name, asked in ((SEEN, posed), (BLACK, replace(posed, without="picture"))):
            scores[shots, name] = _score(pretrained, asked, rows, shown, shots, asking)
    lines = {FOR_QUESTION: _agreed(rows, commonest_for_question(shown, rows))} if shown else {}
    lines |= {MAJORITY: _agreed(rows, commonest(shown, rows))} if shown else {}
    report = {
        "verb": "evaluate",
        "scores": [
            {"shots": k, "method": name, "metric": "accuracy", "mean": one.mean, "low": one.low, "high": one.high}
            for (k, name), one in scores.items()
        ],
        "baselines": lines,
        "draws": asking.draws,
        "training_rows": len(shown),
        "rows": test.tally.to_json(),
        "notes": [],
    }
    header = ["accuracy", *(f"{k} shot{'s' * (k != 1)}" for k in asking.shots)]
    body = [[name, *(_cell(scores[k, name]) for k in asking.shots)] for name in (SEEN, BLACK)]
    body += [[name, *[f"{value:.3f}"] * len(asking.shots)] for name, value in lines.items()]
    return report, [f"rows        {test.tally.summary()}; {len(rows):,} asked about", "", *table(header, body), ""]


def _score(
    pretrained: Pretrained,
    task: Vqa,
    rows: Sequence[PictureQuestion],
    shown: Sequence[PictureQuestion],
    shots: int,
    asking: PictureAsking,
) -> Interval:
    """The accuracy over the questions, of each the mean over its draws."""
    learner = task_learner(pretrained, task)
    found = []
    for draw in range(asking.draws if shots else 1):
        generator = np.random.default_rng(derive("shots", asking.seed, shots, draw))
        asked = []
        for row in rows:
            drawn = generator.choice(max(len(shown), 1), shots, replace=False)
            asked.append(replace(row, answers=(), shots=tuple(shown[i] for i in drawn)))
        said = answers(learner, pretrained.tokenizer, asked)
        found.append([agreement(one["answer"], row.answers) for one, row in zip(said, rows, strict=True)])
    return bootstrap_interval(np.mean(found, 0))


def _agreed(rows: Sequence[PictureQuestion], said: Sequence[str]) -> float:
    return float(np.mean([agreement(one, row.answers) for one, row in zip(said, rows, strict=True)]))


def _cell(interval: Interval) -> str:
    return f"{interval.mean:.3f} ({interval.low:.3f}-{interval.high:.3f})"
