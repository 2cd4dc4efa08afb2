"""Pairs: which class counts as positive, and that what is between two texts can be learned."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from selftaught.backbones.hf import TextBackbone
from selftaught.data.examples import Columns
from selftaught.data.text_pairs import LabelledPair
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.learner import answers, finetune_quickly
from selftaught.lookup import make_task
from selftaught.tasks.pair import Pair


def pairs(*rows: tuple[str, str, str]) -> list[LabelledPair]:
    return [LabelledPair(*row, "a.tsv", line) for line, row in enumerate(rows, 2)]


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (("0", "1"), "1"),
        (("entailment", "not_entailment"), "entailment"),
        (("no", "yes"), "yes"),
        (("False", "True"), "True"),
        (("不相同", "相同"), "相同"),
        (("contradiction", "entailment", "neutral"), ""),
    ],
)
def test_the_class_whose_f1_is_told(classes: tuple[str, ...], positive: str) -> None:
    task = Pair.of(pairs(*(("a", "b", label) for label in classes)))
    assert (task.classes, task.positive) == (tuple(sorted(classes)), positive)


def test_f1_is_that_of_the_positive_class() -> None:
    rows = pairs(("a", "b", "1"), ("a", "c", "1"), ("a", "d", "0"))
    said = [{"label": "1"}, {"label": "0"}, {"label": "0"}]
    measures = Pair.of(rows).measure(rows, said)
    assert measures["f1"] == pytest.approx(2 / 3)
    assert measures["accuracy"] == pytest.approx(2 / 3)
    assert "f1" not in Pair(("a", "b", "c")).measure(pairs(("x", "y", "a")), [{"label": "b"}])
    assert make_task("pair", rows, {"positive": "0"}).measure(rows, said)["f1"] == pytest.approx(2 / 3)
    with pytest.raises(SelftaughtError, match="positive class 'yes' is none of 0, 1"):
        make_task("pair", rows, {"positive": "yes"})


def test_one_label_teaches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("sentence1\tsentence2\tlabel\n" + "a b\tc d\tsame\n" * 3, encoding="utf-8")
    with pytest.raises(SelftaughtError, match="all 3 rows have one label, 'same'"):
        Pair.read(file, Columns())


def test_the_second_text_is_marked_and_the_order_matters(tokenizer: TextTokenizer) -> None:
    task = Pair(("a", "b"))
    batch = task.encode(pairs(("fox", "heron", ""), ("the red fox", "otter", "")), tokenizer, 32, labelled=False)
    row, types = batch["input_ids"][0].tolist(), batch["token_type_ids"][0].tolist()
    first, second = tokenizer.encode(["fox"])[0], tokenizer.encode(["heron"])[0]
    end = tokenizer.end_id
    whole = [tokenizer.start_id, *first, end, *second, end]
    assert row[: len(whole)] == whole
    assert types[: len(whole)] == [0] * (len(first) + 2) + [1] * (len(second) + 1)
    assert sum(types[len(whole) :]) == 0


def test_which_of_two_texts_comes_first_is_learned(
    tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> None:
    """The same two texts the other way round have the other label."""
    colours = ["red", "grey", "white"]
    order = [(a, b) for a in colours for b in colours if a != b]
    rows = pairs(*((f"{a} fox", f"{b} fox", str(int(colours.index(a) < colours.index(b)))) for a, b in order)) * 4
    task = Pair.of(rows)
    torch.manual_seed(1)
    learner = finetune_quickly(small_network(tokenizer), tokenizer, task, rows, seed=1, rate=4e-3, precision="fp32")
    assert task.measure(rows, answers(learner, tokenizer, rows))["accuracy"] > 0.95
