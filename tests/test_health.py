"""What a loss curve does not say."""

import math

import pytest

from selftaught.health import (
    ContrastWatch,
    Diverged,
    OneAnswerWatch,
    PlateauWatch,
    check_finite,
    collapse_sentence,
    watch_over,
)
from selftaught.objective import Spec, Sum
from selftaught.objectives.electra import Electra
from selftaught.objectives.mlm import MLM
from selftaught.objectives.simcse import SimCSE


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_names_the_step_and_the_samples(value: float) -> None:
    with pytest.raises(Diverged) as caught:
        check_finite("loss", value, step=12, first_sample=352, samples=32)
    assert str(value) in caught.value.what
    assert "step 12" in caught.value.what
    assert "352 to 383" in caught.value.where
    assert "train.rate" in caught.value.do


def test_at_the_first_step_there_is_no_checkpoint_to_go_on_from() -> None:
    with pytest.raises(Diverged) as caught:
        check_finite("loss", math.nan, 1, 0, 32)
    assert "checkpoint" not in caught.value.do
    assert "--init" in caught.value.do


@pytest.mark.parametrize("value", [0.0, -3.0, 1e30])
def test_finite_numbers_pass(value: float) -> None:
    check_finite("loss", value, 1, 0, 1)


def told(losses: list[float], patience: int = 5) -> list[tuple[int, str]]:
    watch = PlateauWatch(entropy=6.0, patience=patience)
    return [(step, said) for step, loss in enumerate(losses) if (said := watch.see(loss))]


def test_a_plateau_is_called_by_its_name_once() -> None:
    ((step, said),) = told([9.0, 7.0, *[6.05] * 20])
    assert step == 4  # the way down counts, if the line is not crossed in the end
    assert "plateau" in said
    assert "6.00 nats" in said
    assert "learning rate" in said
    assert "duplicated" in said


def test_losses_below_the_line_are_no_plateau() -> None:
    assert told([9.0, 7.0, 6.0, 5.8, 5.5, 5.2, 5.0, 4.8]) == []
    assert told([6.0] * 4) == []


def test_a_plateau_may_come_late() -> None:
    ((step, _),) = told([5.0] * 10 + [6.2] * 10)
    assert 11 <= step <= 14


def heard(losses: list[float], uniformity: float) -> list[tuple[int, str]]:
    watch = ContrastWatch(chance=4.16, patience=5)
    return [(step, said) for step, loss in enumerate(losses) if (said := watch.see(loss, uniformity))]


def test_a_contrast_at_chance_says_whether_it_has_collapsed() -> None:
    ((step, said),) = heard([2.0, *[4.15] * 20], uniformity=-0.01)
    assert step == 5
    assert "collapse" in said
    assert "4.16 nats" in said
    assert "train.rate" in said
    ((_, said),) = heard([4.2] * 20, uniformity=-3.0)
    assert "collapse" not in said
    assert "no view finds its other one" in said


def test_a_contrast_that_is_solved_is_none_of_it() -> None:
    assert heard([4.1, 4.1, 4.1, 4.0, 4.1, 4.1], uniformity=-3.0) == []
    assert heard([4.16] * 4, uniformity=0.0) == []


def test_vectors_that_are_nearly_one_are_called_so() -> None:
    assert collapse_sentence(-2.0) is None
    assert "uniformity -0.05" in (collapse_sentence(-0.05) or "")


def test_a_discriminator_with_one_answer_is_told_of_once() -> None:
    watch = OneAnswerWatch(patience=4)
    said = [sentence for recall in [0.3, 0.0, 0.01, 0.0, 0.0, 0.0, 0.0] if (sentence := watch.see(recall))]
    assert len(said) == 1
    assert "found 0.2% of the replaced" in said[0]
    assert "original" in said[0]
    finds = OneAnswerWatch(patience=4)
    assert not any(finds.see(recall) for recall in [0.0, 0.0, 0.0, 0.5] * 5)


def test_a_sum_is_watched_part_by_part(spec: Spec) -> None:
    see = watch_over(Sum((MLM(), SimCSE())), spec, batch=8, entropy=3.0)
    stuck = {"mlm.loss": 1.0, "simcse.loss": math.log(8), "simcse.uniformity": -0.0}
    said = [sentence for _ in range(150) if (sentence := see(stuck))]
    assert len(said) == 1
    assert "collapse" in said[0]
    see = watch_over(Sum((MLM(), Electra())), spec, batch=8, entropy=3.0)
    idle = {"mlm.loss": 1.0, "electra.generator.loss": 1.0, "electra.discriminator.recall": 0.0}
    assert any("one answer" in (see(idle) or "") for _ in range(500))
    see = watch_over(MLM(), spec, batch=8, entropy=3.0)
    assert any("plateau" in (see({"loss": 3.0}) or "") for _ in range(300))
