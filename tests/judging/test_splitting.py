"""Who is tested on what: rows of a test file are never trained on, and what the model has read is counted."""

from pathlib import Path

import pytest

from selftaught.data.examples import Examples
from selftaught.data.tally import Tally
from selftaught.data.text_pairs import LabelledPair
from selftaught.errors import SelftaughtError
from selftaught.judging.splitting import example_notes, overlapping_rows, split_examples
from selftaught.pretrained import Pretrained
from selftaught.recipe import Data, Recipe
from selftaught.tasks.pair import Pair


def pairs(*rows: tuple[str, str, str]) -> Examples[LabelledPair]:
    found = tuple(LabelledPair(*row, "a.tsv", line) for line, row in enumerate(rows, 2))
    return Examples(found, Tally(kept=len(found)), "a.tsv")


MANY = pairs(*((f"first {i}", f"second {i}", "xy"[i % 2]) for i in range(100)))


def test_a_share_of_each_class_is_tested_on() -> None:
    split = split_examples(Pair.of(MANY.examples), MANY, None, seed=0)
    assert (len(split.train), len(split.test)) == (70, 30)
    assert sum(row.label == "x" for row in split.test) == 15
    assert not {row.line for row in split.train} & {row.line for row in split.test}


def test_rows_of_the_test_file_are_not_trained_on() -> None:
    test = pairs(("FIRST  3", "second 3", "y"), ("first 4", "second 5", "x"))
    split = split_examples(Pair.of(MANY.examples), MANY, test, seed=0)
    assert len(split.train) == 99
    assert split.test == test.examples
    assert split.notes == ("1 training rows whose text is also in the test file were left out",)
    with pytest.raises(SelftaughtError, match="every labelled row is also a test row"):
        split_examples(Pair.of(MANY.examples), MANY, MANY, seed=0)
    with pytest.raises(SelftaughtError, match="labels that the training file has not: z"):
        split_examples(Pair.of(MANY.examples), MANY, pairs(("a", "b", "z")), seed=0)


def test_a_pair_overlaps_if_both_of_its_texts_do(tmp_path: Path) -> None:
    (tmp_path / "read.txt").write_text("The fox has gone over the hill.\nA heron waits by the still water.\n")
    recipe = Recipe(data=Data(path=str(tmp_path / "read.txt")))
    pretrained = Pretrained(tmp_path, None, None, None, recipe, {})  # type: ignore[arg-type]
    rows = pairs(
        ("The fox has gone over the hill.", "A heron waits by the still water", "x"),
        ("The fox has gone over the hill.", "Another heron waits by the still water", "x"),
    )
    found, nearly, unknown = overlapping_rows(pretrained, rows.examples)
    assert found is not None
    assert found.tolist() == [True, False]
    assert nearly.tolist() == [False, True]
    assert unknown == ()


def test_what_one_should_know_of_the_labels() -> None:
    found = pairs(("a", "b", "x"), ("a", "b", "x"), ("a", "b", "y"), ("b", "a", "x"))
    found.tally.quarantine("a.tsv", 9, "is empty")
    assert example_notes(found) == (
        "labels: 5 rows: 4 kept, 1 quarantined; the first: a.tsv:9: is empty",
        "1 texts have more than one label",
        "1 labelled rows repeat another; copies never stand on both sides of the test",
    )
