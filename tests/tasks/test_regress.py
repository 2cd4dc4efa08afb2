"""Scores: any unit is learned alike, of one text and of two."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from selftaught.backbones.hf import TextBackbone
from selftaught.data.examples import Columns
from selftaught.data.text_pairs import Scored
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.learner import answers, finetune_quickly
from selftaught.metrics.pair_baselines import COSINE, MEAN, RIDGE
from selftaught.tasks.regress import Regress


def scored(*rows: tuple[tuple[str, ...], float]) -> list[Scored]:
    return [Scored(texts, score, "a.tsv", line) for line, (texts, score) in enumerate(rows, 2)]


PAIRS = scored((("a", "b"), 0.0), (("c", "d"), 10.0), (("e", "f"), 20.0))
TEXTS = scored((("a fox",), 1.0), (("an otter",), 3.0))


def test_the_scores_decide_the_unit_and_the_texts_how_many_are_read(tokenizer: TextTokenizer) -> None:
    task = Regress.of(PAIRS)
    assert task == Regress(mean=10.0, deviation=pytest.approx((200 / 3) ** 0.5), texts=2)
    batch = task.encode(PAIRS, tokenizer, 16, labelled=True)
    assert batch["score"].tolist() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert Regress.of(TEXTS).texts == 1
    assert "token_type_ids" not in Regress.of(TEXTS).encode(TEXTS, tokenizer, 16, labelled=True)


def test_a_wrong_number_of_texts_is_told_where_it_stands(tokenizer: TextTokenizer) -> None:
    with pytest.raises(SelftaughtError, match=r"(?s)the model scores two texts, and here is one.*a\.tsv:2"):
        Regress.of(PAIRS).encode(TEXTS, tokenizer, 16, labelled=False)
    with pytest.raises(SelftaughtError, match="the model scores one text, and here are two"):
        Regress.of(TEXTS).encode(PAIRS, tokenizer, 16, labelled=False)
    assert [one.texts for one in Regress.of(PAIRS).asked(["a", "b", "c", "d"])] == [("a", "b"), ("c", "d")]
    assert [one.texts for one in Regress.of(TEXTS).asked(["a", "b"])] == [("a",), ("b",)]


def test_baselines_of_one_text_and_of_two() -> None:
    assert list(Regress.of(PAIRS).baselines(PAIRS, PAIRS, 0)) == [COSINE, RIDGE, MEAN]
    found = Regress.of(TEXTS).baselines(TEXTS, TEXTS, 0)
    assert list(found) == [RIDGE, MEAN]
    assert found[MEAN] == [{"score": 2.0}] * 2
    assert Regress.of(TEXTS).measure(TEXTS, found[MEAN]) == {"spearman": 0.0, "pearson": 0.0}


def test_one_score_teaches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,score\n" + "some text of words,2\n" * 3, encoding="utf-8")
    with pytest.raises(SelftaughtError, match="all 3 rows have one score, 2"):
        Regress.read(file, Columns())


@pytest.mark.parametrize("unit", [1e-3, 1e4])
def test_any_unit_is_learned_alike(
    unit: float, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> None:
    colours = {"red": 0.0, "grey": 1.0, "white": 2.0}
    rows = scored(
        *(((f"{a} fox", f"{b} otter"), unit * (x + y)) for a, x in colours.items() for b, y in colours.items())
    )
    task = Regress.of(rows * 3)
    torch.manual_seed(0)
    learner = finetune_quickly(small_network(tokenizer), tokenizer, task, rows * 3, seed=0, rate=4e-3, precision="fp32")
    said = answers(learner, tokenizer, rows)
    assert task.measure(rows, said)["pearson"] > 0.95
    assert sum(one["score"] for one in said) / len(said) == pytest.approx(2 * unit, rel=0.15)
