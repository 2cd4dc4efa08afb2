"""One class of several, or any number of them: targets, losses and scores that can be checked by hand."""

import math

import pytest
import torch

from selftaught.decisions import AnyOf, OneOf, class_weights

ANY = AnyOf(("cold", "rain", "wind"))


def test_one_of_several_is_the_cross_entropy_with_weights() -> None:
    decision = OneOf(("a", "b"), weights=(1.0, 3.0))
    targets = decision.targets(["b", "a"])
    assert targets.tolist() == [1, 0]
    assert decision.count(targets) == 4.0
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])
    sums = decision.loss(logits, targets)
    assert float(sums["loss"]) == pytest.approx(3 * math.log(2) - math.log(0.75))
    assert float(sums["accuracy"]) == pytest.approx(1.0)  # of equal logits the first class is named
    said = decision.answers(logits)
    assert said[1]["label"] == "a"
    assert said[1]["probability"] == pytest.approx(0.75)
    assert said[1]["probabilities"] == pytest.approx({"a": 0.75, "b": 0.25})


def test_any_number_is_one_decision_a_class() -> None:
    targets = ANY.targets(['["rain", "cold"]', "wind|rain", "[]", "wind ; cold"])
    assert targets.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1]]
    assert ANY.count(targets) == 4
    logits = torch.zeros(4, 3)
    assert float(ANY.loss(logits, targets)["loss"]) == pytest.approx(4 * math.log(2))
    logits[:, 0] = 9.0
    assert float(ANY.loss(logits, targets)["exact"]) == 0
    logits[:, 0] = -9.0
    assert float(ANY.loss(logits, targets)["exact"]) == 1  # nothing is above the threshold, and row 3 has nothing


def test_labels_above_the_threshold_are_said_the_likeliest_first() -> None:
    (said,) = ANY.answers(torch.tensor([[0.5, -1.0, 2.0]]))
    assert said["labels"] == ["wind", "cold"]
    assert said["probabilities"]["rain"] == pytest.approx(1 / (1 + math.e))
    assert ANY.answers(torch.full((1, 3), -1.0))[0]["labels"] == []


def test_each_class_is_measured_apart() -> None:
    labels = ['["rain"]', '["rain", "wind"]', "[]"]
    said = [{"labels": ["rain"]}, {"labels": ["wind", "cold"]}, {"labels": ["wind"]}]
    assert ANY.by_class(labels, said) == {
        "rain": {"rows": 2, "recall": 0.5, "precision": 1.0},
        "wind": {"rows": 1, "recall": 1.0, "precision": 0.5},
    }
    one = OneOf(("a", "b"))
    assert one.by_class(["a", "a"], [{"label": "a"}, {"label": "b"}]) == {
        "a": {"rows": 2, "recall": 0.5, "precision": 1.0}
    }


def test_rows_are_dealt_out_by_their_rarest_label() -> None:
    labels = ['["rain", "wind"]', '["rain"]', '["rain", "cold"]', '["wind", "cold"]', "[]", '["wind"]']
    assert ANY.strata(labels) == ["rain", "rain", "cold", "cold", "", "wind"]
    assert OneOf(("a",)).strata(["a", "b"]) == ["a", "b"]


def test_labels_that_are_no_class() -> None:
    assert ANY.unknown(["rain|snow", '["fog"]']) == ["fog", "snow"]
    assert OneOf(("a",)).unknown(["a", "b|c"]) == ["b|c"]


def test_rare_classes_weigh_more() -> None:
    assert class_weights(["a"] * 9 + ["b"], ("a", "b")) == pytest.approx((10 / 18, 5.0))
    assert class_weights(["a"] * 5 + ["b"] * 4, ("a", "b")) == ()
    assert max(class_weights(["a"] * 999 + ["b"], ("a", "b"))) == 10.0
