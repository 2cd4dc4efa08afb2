"""Fine-tuning: which examples are set aside, when it stops, and that answers come in order."""

from collections.abc import Callable

import pytest
import torch

from selftaught.backbones.hf import TextBackbone
from selftaught.data.examples import LabelledText
from selftaught.data.text_pairs import LabelledPair
from selftaught.data.tokenise import TextTokenizer
from selftaught.finetuning.answering import note_long_texts
from selftaught.finetuning.learner import answers, hold_out_examples, prepare_learner
from selftaught.finetuning.stopping import Best
from selftaught.pretrained import Pretrained
from selftaught.tasks.classify import Classify
from selftaught.tasks.pair import Pair

NewBackbone = Callable[[TextTokenizer], TextBackbone]


def labelled(count: int) -> list[LabelledText]:
    return [LabelledText(f"text number {i}", "ab"[i % 4 == 0], "a.csv", i) for i in range(count)]


def test_patience_begins_with_the_first_right_answer() -> None:
    best = Best()
    assert [best.see(score) for score in (0.0, 0.0, 0.0)] == [True, False, False]
    assert best.stale == 0
    assert [best.see(score) for score in (0.2, 0.1, 0.2, 0.3)] == [True, False, False, True]
    assert (best.score, best.stale) == (0.3, 0)
    best.see(0.1)
    assert best.stale == 1
    assert Best().see(-0.5), "a correlation may begin below zero"


def test_few_examples_are_all_trained_on_and_of_many_some_are_set_aside() -> None:
    few, many = labelled(199), labelled(400)
    task = Classify.of(many)
    fit, stop = hold_out_examples(task, few, 0)
    assert (len(fit), len(stop)) == (199, 0)
    fit, stop = hold_out_examples(task, many, 0)
    assert len(stop) == 60
    assert sum(many[i].label == "b" for i in stop) == 15  # a quarter of the rows, as of all rows
    assert sorted([*fit, *stop]) == list(range(400))


def test_a_pair_is_never_on_both_sides() -> None:
    rows = [LabelledPair(f"text {i % 150}", "the same", "ab"[i % 2], "a.csv", i) for i in range(300)]
    fit, stop = hold_out_examples(Pair.of(rows), rows, 0)
    assert not {rows[i].first for i in fit} & {rows[i].first for i in stop}


def test_answers_come_in_the_order_of_the_examples(tokenizer: TextTokenizer, small_network: NewBackbone) -> None:
    rows = [LabelledText("fox " * (1 + 7 * i % 30), "ab"[i % 2], "", i) for i in range(100)]
    torch.manual_seed(0)
    made = prepare_learner(small_network(tokenizer), tokenizer, Classify.of(rows), rows, seed=0, precision="fp32")
    together = answers(made.learner, tokenizer, rows)
    for i in (0, 37, 99):
        (alone,) = answers(made.learner, tokenizer, [rows[i]])
        assert alone["probability"] == pytest.approx(together[i]["probability"], abs=1e-5)


def test_what_is_cut_is_counted_with_the_tokens_around_it(tokenizer: TextTokenizer, small_network: NewBackbone) -> None:
    backbone = small_network(tokenizer)
    pretrained = Pretrained(None, backbone, tokenizer, None, None, {})  # type: ignore[arg-type]
    word = len(tokenizer.encode(["fox"])[0])
    fitting = (backbone.longest_row - 3) // (2 * word)
    pairs = [LabelledPair("fox " * n, "fox " * fitting, "", "", 0) for n in (fitting, fitting + 2)]
    assert note_long_texts(pretrained, Pair(("a", "b")), pairs) == [
        f"1 of 2 texts are longer than the {backbone.longest_row} tokens that are read of each"
    ]
    assert note_long_texts(pretrained, Pair(("a", "b")), pairs[:1]) == []
