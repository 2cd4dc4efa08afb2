"""What a loss curve does not say."""

import math

import pytest

from selftaught.health import Diverged, PlateauWatch, check_finite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_names_the_step_and_the_samples(value: float) -> None:
    with pytest.raises(Diverged) as caught:
        check_finite("loss", value, step=12, first_sample=352, samples=32)
    assert str(value) in caught.value.what
    assert "step 12" in caught.value.what
    assert "352 to 383" in caught.value.where
    assert "train.rate" in caught.value.do


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
