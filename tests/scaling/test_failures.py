"""How often to save: published values, and a simulation that must agree with them."""

from dataclasses import replace

import pytest

from selftaught.scaling.failures import Life, best_interval, daly, days_to_finish, goodput, simulate, young

MINUTE, HOUR = 60.0, 3600.0
PAPER = Life(between=24 * HOUR, saving=5 * MINUTE, restart=10 * MINUTE)


@pytest.mark.parametrize(("between", "minutes"), [(24 * HOUR, 117), (6 * HOUR, 57), (15 * MINUTE, 9.1)])
def test_the_intervals_are_those_of_daly_s_figures(between: float, minutes: float) -> None:
    """Figures 3 to 5 of Daly 2006."""
    assert daly(replace(PAPER, between=between)) / MINUTE == pytest.approx(minutes, rel=0.01)


def test_where_saving_is_quick_young_and_daly_agree() -> None:
    life = replace(PAPER, saving=1.0)
    assert daly(life) == pytest.approx(young(life), rel=0.01)
    assert young(life) == pytest.approx((2 * 24 * HOUR) ** 0.5)


@pytest.mark.parametrize("between", [24 * HOUR, 6 * HOUR, 2 * HOUR])
def test_the_simulated_optimum_is_daly_s(between: float) -> None:
    life = replace(PAPER, between=between)
    found = [best_interval(life, seed=seed) for seed in range(3)]
    assert sum(found) / 3 == pytest.approx(daly(life), rel=0.05)


@pytest.mark.parametrize("between", [24 * HOUR, 6 * HOUR, 2 * HOUR])
def test_the_simulated_goodput_is_the_computed_one_and_falls_on_both_sides(between: float) -> None:
    life = replace(PAPER, between=between)
    best = daly(life)
    shares = {factor: simulate(life, factor * best).training for factor in (0.25, 0.5, 1.0, 2.0, 4.0)}
    for factor, share in shares.items():
        assert share == pytest.approx(goodput(life, factor * best), rel=0.01)
    assert shares[0.25] < shares[0.5] < shares[1.0] > shares[2.0] > shares[4.0]


def test_the_time_goes_somewhere() -> None:
    spent = simulate(PAPER, daly(PAPER))
    assert spent.training + spent.saving + spent.lost + spent.restarting == pytest.approx(1)
    assert min(spent.training, spent.saving, spent.lost, spent.restarting) > 0
    assert simulate(PAPER, daly(PAPER)) == spent
    assert simulate(PAPER, daly(PAPER), seed=1) != spent


def test_failures_that_come_in_groups_leave_longer_peace() -> None:
    """As many failures on average, but many of them while nothing was gained yet: less is lost to them."""
    grouped = replace(PAPER, shape=0.7)
    assert grouped.gaps(200_000, 0).mean() == pytest.approx(24 * HOUR, rel=0.02)
    assert best_interval(grouped) > best_interval(PAPER)


def test_a_training_that_seldom_fails_ends_on_time() -> None:
    life = Life(between=1e9, saving=10.0, restart=600.0)
    low, high = days_to_finish(life, 1000.0, 86_400.0)
    assert low == pytest.approx(1.01, rel=0.01)
    assert high == pytest.approx(1.01, rel=0.01)


def test_trainings_that_fail_end_around_what_the_goodput_says() -> None:
    interval = daly(PAPER)
    low, high = days_to_finish(PAPER, interval, 30 * 86_400.0)
    middle = 30 / goodput(PAPER, interval)
    assert low < middle < high
    assert high - low < 0.1 * middle
