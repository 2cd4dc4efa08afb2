"""Analogies: of all words, is the one that is asked for nearest to b - a + c? (Mikolov et al. 2013a, section 4).

A question is covered if all four of its words are known; the others are counted, and cannot be answered.
"""

from typing import Any

import numpy as np

from selftaught.console import table
from selftaught.data.analogies import read_analogies
from selftaught.errors import SelftaughtError
from selftaught.metrics.interval import Interval, bootstrap_interval
from selftaught.randomness import derive
from selftaught.word2vec.model import WordModel

_AT_ONCE = 512


def run(model: WordModel, data: str, rows: int | None, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Ask word vectors the questions in ``data``.

    Args:
        rows: at most so many of them, drawn at random.

    Raises:
        SelftaughtError: if there are no questions, or none is covered.
    """
    found = read_analogies(data)
    questions = found.questions
    if rows is not None and rows < len(questions):
        drawn = np.random.default_rng(derive("analogies", seed)).permutation(len(questions))[:rows]
        questions = tuple(questions[i] for i in np.sort(drawn))
    numbers, cased = model.vocabulary.numbers, model.objective.cased
    known = [[numbers.get(word if cased else word.lower(), -1) for word in asked.words] for asked in questions]
    asked = np.array(known, np.int64)
    covered = (asked >= 0).all(1)
    if not covered.any():
        example = " ".join(questions[0].words)
        raise SelftaughtError(
            f"of none of the {len(questions):,} questions, such as {example!r}, are all words known",
            where=data,
            do="train on more text, of the language of the questions",
        )
    right = np.zeros(len(questions))
    right[covered] = answered(model.units, asked[covered])
    sections = np.array([question.section for question in questions])
    groups = {name: sections == name for name in dict.fromkeys(sections.tolist())} | {"all": np.full(len(right), True)}
    results = [_group(name, right, covered & here, int(here.sum())) for name, here in groups.items()]
    report = {
        "verb": "evaluate",
        "suite": "analogies",
        "data": data,
        "groups": results,
        "coverage": float(covered.mean()),
        "rows": found.tally.to_json(),
        "notes": [],
    }
    header = ["section", "questions", "covered", "accuracy", "95 %"]
    lines = [f"rows        {found.tally.summary()}", "", *table(header, [_row(one) for one in results]), ""]
    return report, [*lines, f"Accuracy is over the {covered.mean():.1%} of the questions whose words are all known."]


def answered(units: np.ndarray, questions: np.ndarray) -> np.ndarray:
    """Whether each question's fourth word is nearest to second - first + third, of all but these three: bool [N].

    Args:
        units: vectors of length one, float32 [V, D].
        questions: numbers of words, int64 [N, 4].
    """
    right = np.zeros(len(questions), bool)
    for begin in range(0, len(questions), _AT_ONCE):
        some = questions[begin : begin + _AT_ONCE]
        wanted = units[some[:, 1]] - units[some[:, 0]] + units[some[:, 2]]
        cosines = wanted @ units.T
        np.put_along_axis(cosines, some[:, :3], -np.inf, 1)
        right[begin : begin + _AT_ONCE] = cosines.argmax(1) == some[:, 3]
    return right


def _group(name: str, right: np.ndarray, covered: np.ndarray, questions: int) -> dict[str, Any]:
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0)
    interval = bootstrap_interval(right[covered]) if covered.any() else nothing
    facts = {"section": name, "questions": questions, "covered": int(covered.sum())}
    return {**facts, "accuracy": interval.mean, "low": interval.low, "high": interval.high}


def _row(one: dict[str, Any]) -> list[str]:
    if not one["covered"]:
        return [one["section"], f"{one['questions']:,}", "0", "-", "-"]
    spread = f"{one['low']:.3f}-{one['high']:.3f}"
    return [one["section"], f"{one['questions']:,}", f"{one['covered']:,}", f"{one['accuracy']:.3f}", spread]
