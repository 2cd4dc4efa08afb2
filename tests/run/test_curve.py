"""The line that the picture of a run draws through its losses."""

import pytest

from selftaught.run.curve import smoothed


def points(count: int) -> list[dict[str, float]]:
    """A loss that falls at once and then stays."""
    return [{"step": step, "loss": 5.0 if step == 0 else 1.0} for step in range(count)]


@pytest.mark.parametrize("count", [2, 16, 100, 1000])
def test_the_line_has_arrived_where_the_points_are(count: int) -> None:
    steps, line = smoothed(points(count))
    assert steps == list(range(count))
    assert line[-1] == pytest.approx(1.0, abs=0.1)


def test_many_points_are_smoothed() -> None:
    noisy = [{"step": step, "loss": 2.0 + (-1) ** step} for step in range(1000)]
    assert all(abs(value - 2.0) < 0.1 for value in smoothed(noisy)[1][200:])
