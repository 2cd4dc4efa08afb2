"""Which examples a verdict learns from and which it is tested on, and what is known of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from selftaught.data.examples import Example, Examples
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.metrics.near_texts import NearFinder
from selftaught.metrics.overlap import OverlapFinder
from selftaught.metrics.sampling import folded, split_train_test
from selftaught.pretrained import Trained, trainings
from selftaught.task import Task

TEST_SHARE = 0.3
FEW_TEST_ROWS = 200


@dataclass(frozen=True)
class Split:
    """Labelled examples, parted once: the test rows are the same for every method, budget and seed.

    Args:
        notes: what was left out, in words.
    """

    train: tuple[Any, ...]
    test: tuple[Any, ...]
    notes: tuple[str, ...] = ()


def split_examples(task: Task[Any], found: Examples[Any], test: Examples[Any] | None, seed: int) -> Split:
    """Part the examples, or take a test file of its own; rows of both are then left out of the training side.

    Raises:
        SelftaughtError: if a side has nothing, or the test file has a label that was never trained on.
    """
    if test is not None:
        return _with_test_file(task, found, test)
    examples = found.examples
    train, held = split_train_test(task.kin(examples), task.strata(examples), TEST_SHARE, seed)
    held, notes = _thinned(held, task.most_tested, seed)
    return Split(tuple(examples[i] for i in train), tuple(examples[i] for i in held), notes)


def _with_test_file(task: Task[Any], found: Examples[Any], test: Examples[Any]) -> Split:
    if unknown := task.unknown(test.examples):
        raise SelftaughtError(
            f"the test file has labels that the training file has not: {', '.join(unknown[:5])}",
            do="check that both name the same column, with --label",
        )
    kin = list(map(folded, task.kin([*found.examples, *test.examples])))
    held = set(kin[len(found.examples) :])
    train = tuple(example for example, text in zip(found.examples, kin, strict=False) if text not in held)
    if not train:
        raise SelftaughtError("every labelled row is also a test row", do="give a test file with other rows")
    dropped = len(found.examples) - len(train)
    notes = tuple(test.tally.note("test file"))
    notes += (f"{dropped} training rows whose text is also in the test file were left out",) if dropped else ()
    rows, more = _thinned(np.arange(len(test.examples)), task.most_tested, 0)
    return Split(train, tuple(test.examples[i] for i in rows), notes + more)


def _thinned(rows: np.ndarray, most: int, seed: int) -> tuple[np.ndarray, tuple[str, ...]]:
    if len(rows) <= most:
        return rows, ()
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:most])
    return chosen, (f"of {len(rows)} test rows {most} were drawn at random",)


def overlapping_rows(model: Trained, test: Sequence[Example]) -> tuple[np.ndarray | None, np.ndarray, tuple[str, ...]]:
    """Which test rows stand word for word in the pretraining text, which others nearly do, and what was not read.

    The text is that of the run and of all it began from. A row of several texts overlaps if all of them do.

    Returns:
        bool [N], None where none of the text is at hand; bool [N]; and sentences.
    """
    recipes, unknown = trainings(model)
    texts = [(row, text) for row, example in enumerate(test) for text in example.inputs.values()]
    finder, near = OverlapFinder(text for _, text in texts), NearFinder(text for _, text in texts)
    looked_at, unseen = 0, [unknown] if unknown else []
    for recipe in recipes:
        try:
            source = open_text(recipe.data.path, text=recipe.data.text)
        except SelftaughtError:  # moved or deleted since
            unseen.append(recipe.data.path)
            continue
        looked_at += 1
        for _, rows in groupby(source.rows(Tally()), key=lambda row: row.document):
            document = "".join(row.text for row in rows)
            finder.feed(document)
            near.feed(document)
    if not looked_at:
        return None, np.zeros(len(test), dtype=bool), ()
    overlapping, nearly = np.ones((2, len(test)), dtype=bool)
    numbers, found = [row for row, _ in texts], finder.result()
    np.logical_and.at(overlapping, numbers, found)
    np.logical_and.at(nearly, numbers, found | near.result())
    return (
        overlapping,
        nearly & ~overlapping,
        tuple(f"overlap with what {what} holds or was trained on is unknown" for what in unseen),
    )


def example_notes(found: Examples[Any]) -> tuple[str, ...]:
    """What one should know of labelled examples before trusting a score on them."""
    notes = found.tally.note("labels")
    if found.conflicts:
        notes.append(f"{found.conflicts} texts have more than one label")
    if found.duplicates:
        notes.append(f"{found.duplicates} labelled rows repeat another; copies never stand on both sides of the test")
    return tuple(notes)


def few_rows_notes(split: Split) -> tuple[str, ...]:
    """The intervals are over draws of labels; what other test rows would change is told where it is much."""
    rows = len(split.test)
    if rows >= FEW_TEST_ROWS:
        return ()
    margin = 0.98 / rows**0.5  # half the 95 % interval of a share of 0.5
    return (f"{rows} test rows are few: on others a score could be {margin:.2f} off, which the intervals do not show",)
