"""Classification: what the labels decide, and that several labels are learned and told."""

from collections.abc import Callable

import pytest
import torch

from selftaught.backbones.hf import TextBackbone
from selftaught.data.examples import Columns, LabelledText
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.learner import answers, finetune_quickly
from selftaught.lookup import make_task
from selftaught.metrics.baselines import BALANCED, COMMON, MAJORITY, TFIDF
from selftaught.tasks.classify import Classify


def labelled(*rows: tuple[str, str]) -> list[LabelledText]:
    return [LabelledText(text, label, "a.csv", line) for line, (text, label) in enumerate(rows, 2)]


def test_the_labels_decide_the_classes_and_their_weights() -> None:
    task = Classify.of(labelled(("a", "y"), ("b", "x"), ("c", "y"), ("d", "y")))
    assert task == Classify(classes=("x", "y"), weights=(2.0, pytest.approx(2 / 3)))
    assert Classify.of(labelled(("a", "y"), ("b", "x")), weights=(1.0, 9.0), smoothing=0.1).weights == (1.0, 9.0)


def test_lists_are_several_labels_and_bars_if_it_is_asked_for() -> None:
    lists = labelled(("a", '["x", "y"]'), ("b", "[]"))
    assert Classify.of(lists) == Classify(classes=("x", "y"), several=True)
    bars = labelled(("a", "x|y"), ("b", "y;z"))
    assert Classify.of(bars).classes == ("x|y", "y;z")
    assert make_task("classify", bars, {"several": True}) == Classify(classes=("x", "y", "z"), several=True)
    assert Classify.of(bars, several=True).facts(bars) == {"classes": {"y": 2, "x": 1, "z": 1}}


@pytest.mark.parametrize("options", [{"smoothing": 1.5}, {"weights": [1.0]}, {"several": "perhaps"}])
def test_options_that_cannot_be_are_told(options: dict[str, object]) -> None:
    with pytest.raises(SelftaughtError, match="classify: "):
        make_task("classify", labelled(("a", "x"), ("b", "y")), options)


def test_a_second_text_is_refused() -> None:
    with pytest.raises(SelftaughtError, match="classify reads one text"):
        Classify.read("a.csv", Columns(second="reply"))


def test_baselines_have_the_names_of_the_verdict() -> None:
    rows = labelled(("red fox", "x"), ("grey heron", "y"), ("red otter", "x"), ("grey wolf", "y"))
    assert list(Classify.of(rows).baselines(rows, rows, 0)) == [TFIDF, MAJORITY]
    several = labelled(("red fox", '["x"]'), ("grey heron", '["y"]'), ("red grey otter", '["x", "y"]'), ("wolf", "[]"))
    found = Classify.of(several).baselines(several, several[:2], 0)
    assert list(found) == [TFIDF, BALANCED, COMMON]
    assert found[COMMON] == [{"labels": ["x"]}] * 2


def test_several_labels_are_learned(
    tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone], texts: list[str]
) -> None:
    """Colour and animal are two labels of one text."""
    rows = labelled(*((text, "|".join(text.split()[1:3])) for text in texts))
    task = Classify.of(rows, several=True)
    torch.manual_seed(0)
    learner = finetune_quickly(small_network(tokenizer), tokenizer, task, rows, seed=0, rate=4e-3, precision="fp32")
    measures = task.measure(rows, answers(learner, tokenizer, rows))
    assert measures["micro_f1"] > 0.95
    assert measures["exact_match"] > 0.9
