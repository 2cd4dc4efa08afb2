from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.metrics.interval import (
    Interval,
    bootstrap_interval,
    correlation_interval,
    paired_difference,
    paired_p_value,
    t_interval,
)

scores = st.lists(st.floats(0, 1), min_size=3, max_size=8)


def test_interval_by_hand() -> None:
    interval = t_interval([0.6, 0.7, 0.8])  # deviation 0.1, t of 2 degrees of freedom 4.302653
    half = 4.302653 * 0.1 / sqrt(3)
    assert (interval.mean, interval.n) == (pytest.approx(0.7), 3)
    assert (interval.low, interval.high) == (pytest.approx(0.7 - half), pytest.approx(0.7 + half))


def test_five_seeds_at_another_level() -> None:
    interval = t_interval([1, 2, 3, 4, 5], level=0.9)  # t of 4 degrees of freedom 2.131847
    assert interval.high == pytest.approx(3 + 2.131847 * sqrt(2.5 / 5))


def test_one_seed_has_a_mean_but_no_limits() -> None:
    interval = t_interval([0.5])
    assert interval.mean == 0.5
    assert isnan(interval.low)
    assert isnan(interval.high)


def test_limits_are_not_clipped() -> None:
    assert t_interval([0.9, 1.0, 1.0]).high > 1


def test_pairing_removes_what_the_seeds_share() -> None:
    hard_and_easy_draws = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    ahead = hard_and_easy_draws + np.array([0.02, 0.03, 0.02, 0.03, 0.02])
    assert paired_difference(ahead, hard_and_easy_draws).low > 0
    assert t_interval(ahead).low < t_interval(hard_and_easy_draws).high  # unpaired, nothing could be said


def test_seeds_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        paired_difference([1, 2], [1])


@given(scores)
def test_p_below_five_percent_is_the_interval_excluding_zero(gain: list[float]) -> None:
    zero = [0.0] * len(gain)
    interval, p = paired_difference(gain, zero), paired_p_value(gain, zero)
    if abs(p - 0.05) > 1e-6 and np.std(gain) > 1e-9:
        assert (p < 0.05) == (interval.low > 0 or interval.high < 0)


def test_p_value_agrees_with_scipy_and_knows_constant_differences() -> None:
    from scipy.stats import ttest_rel

    a, b = [0.6, 0.7, 0.65, 0.8], [0.55, 0.72, 0.6, 0.7]
    assert paired_p_value(a, b) == pytest.approx(ttest_rel(a, b).pvalue)
    assert paired_p_value([0.5, 0.6], [0.5, 0.6]) == 1
    assert paired_p_value([1, 1, 1], [0, 0, 0]) == 0
    assert paired_p_value([1], [0]) == 1


def test_a_bootstrap_interval_of_ones_and_zeros_is_nearly_the_binomial_one() -> None:
    found = bootstrap_interval([1.0] * 300 + [0.0] * 100)
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert found.mean == 0.75
    assert found.low == pytest.approx(0.75 - half, abs=0.006)
    assert found.high == pytest.approx(0.75 + half, abs=0.006)
    assert found.n == 400


def test_a_bootstrap_interval_is_the_same_each_time_and_in_any_order() -> None:
    values = [0.25, 0.5, 1.0, 0.5]
    assert bootstrap_interval(values) == bootstrap_interval(values[::-1])


def test_a_bootstrap_interval_of_equal_values_has_no_width() -> None:
    assert bootstrap_interval([0.5] * 9) == Interval(0.5, 0.5, 0.5, 9)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([])


def test_the_interval_of_a_correlation_by_hand() -> None:
    found = correlation_interval(0.8, 5)
    half = 1.959964 * sqrt((1 + 0.32) / 2)
    assert found.mean == 0.8
    assert found.low == pytest.approx(np.tanh(np.arctanh(0.8) - half))
    assert found.high == pytest.approx(np.tanh(np.arctanh(0.8) + half))
    assert isnan(correlation_interval(0.5, 3).low)
    assert isnan(correlation_interval(-1.0, 10).high)
