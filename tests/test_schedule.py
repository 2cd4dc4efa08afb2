"""Budgets and the rate's course over them."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.errors import SelftaughtError
from selftaught.schedule import Schedule, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1.5h", 5400), (" 5M ", 300), ("1d2h3m4s", 93_784)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "10x", "m", "0s", "-5m", "5 m", "1h30", "ten minutes", "5mm"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(SelftaughtError, match="not a duration") as caught:
        parse_duration(text)
    assert "10m" in caught.value.do


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_explained(text: str) -> None:
    with suppress(SelftaughtError):
        assert parse_duration(text) > 0


@given(
    steps=st.integers(1, 5000),
    warmup=st.floats(0, 0.9),
    final=st.floats(0, 1),
    course=st.sampled_from(["linear", "cosine"]),
)
def test_the_rate_rises_to_its_peak_and_falls_to_its_end(steps: int, warmup: float, final: float, course: Any) -> None:
    schedule = Schedule(steps=steps, warmup=warmup, final=final, course=course)
    rates = [schedule.rate(step, 0.0) for step in range(steps)]
    assert all(0 < rate <= 1 + 1e-9 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_ten_steps_by_hand() -> None:
    rates = [Schedule(steps=10, warmup=0.2).rate(step, 0.0) for step in range(10)]
    assert rates == pytest.approx([0.25, 0.75, 15 / 16, 13 / 16, 11 / 16, 9 / 16, 7 / 16, 5 / 16, 3 / 16, 1 / 16])


def test_half_a_cosine_by_hand() -> None:
    schedule = Schedule(seconds=110, warmup=10 / 110, final=0.1, course="cosine")
    rates = [schedule.rate(0, seconds) for seconds in (5, 10, 35, 60, 85, 110)]
    quarter = math.sqrt(0.5) / 2
    assert rates == pytest.approx([0.5, 1.0, 0.55 + 0.9 * quarter, 0.55, 0.55 - 0.9 * quarter, 0.1])


def test_in_seconds_the_same_course_is_followed_in_time() -> None:
    schedule = Schedule(seconds=100, warmup=0.1, final=0.2)
    assert schedule.rate(0, 5.0) == pytest.approx(0.5)
    assert schedule.rate(7, 10.0) == pytest.approx(1.0)
    assert schedule.rate(1, 55.0) == pytest.approx(0.6)
    assert schedule.rate(10**6, 100.0) == pytest.approx(0.2)
    assert schedule.rate(10**6, 140.0) == pytest.approx(0.2)


def test_the_share_of_the_budget() -> None:
    assert Schedule(steps=8).progress(2, 1e9) == 0.25
    assert Schedule(seconds=8).progress(10**9, 2) == 0.25


@pytest.mark.parametrize("budget", [{}, {"steps": 1, "seconds": 1.0}])
def test_one_budget_and_only_one(budget: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="in steps or in seconds"):
        Schedule(**budget)  # type: ignore[arg-type]
