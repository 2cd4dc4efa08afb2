"""Confidence intervals over seeds, and over rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean of `n` values with its confidence limits; the limits are NaN where n is 1."""

    mean: float
    low: float
    high: float
    n: int


def t_interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval of the mean (Student 1908). Nothing is clipped: an accuracy's limit may pass 1.

    Raises:
        ValueError: `values` is empty.
    """
    if not len(values):
        raise ValueError("an interval needs at least one value")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    standard_error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * standard_error
    return Interval(mean, mean - half, mean + half, len(values))


def bootstrap_interval(
    values: Sequence[float] | np.ndarray, seed: int = 0, level: float = 0.95, draws: int = 2000
) -> Interval:
    """The percentile bootstrap interval of the mean (Efron 1979): how far it moves when rows are drawn anew.

    Equal values are drawn together, by their number, which is the same and, for scores of few kinds, much faster.

    Raises:
        ValueError: `values` is empty.
    """
    if not len(values):
        raise ValueError("an interval needs at least one value")
    kinds, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    n = len(values)
    means = np.random.default_rng(seed).multinomial(n, counts / n, size=draws) @ kinds / n
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.mean(values)), float(low), float(high), n)


def correlation_interval(rho: float, n: int, level: float = 0.95) -> Interval:
    """The interval of Spearman's correlation of n rows (Bonett and Wright 2000, equation 7).

    The limits are NaN below four rows, and where the order is the same or the opposite in all of them.
    """
    if n < 4 or abs(rho) >= 1:
        return Interval(rho, float("nan"), float("nan"), n)
    from scipy.special import ndtri

    half = float(ndtri((1 + level) / 2)) * ((1 + rho**2 / 2) / (n - 3)) ** 0.5
    middle = np.arctanh(rho)
    return Interval(rho, float(np.tanh(middle - half)), float(np.tanh(middle + half)), n)


def paired_difference(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval:
    """The interval of ``a - b`` where both hold the scores of the same seeds in the same order.

    Pairing removes what the seeds share (an easy draw of labels is easy for both methods).
    """
    return t_interval(_differences(a, b), level)


def paired_p_value(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p value of the paired t test; 1 where there are fewer than two seeds.

    ``p < 0.05`` exactly where the 95 % interval of `paired_difference` excludes 0.
    """
    difference = _differences(a, b)
    if len(difference) < 2:
        return 1.0
    mean, deviation = difference.mean(), difference.std(ddof=1)
    if deviation <= 1e-12:
        return float(abs(mean) <= 1e-12)
    from scipy.special import stdtr

    return float(2 * stdtr(len(difference) - 1, -abs(mean) / (deviation / len(difference) ** 0.5)))


def _differences(a: Sequence[float], b: Sequence[float]) -> np.ndarray:
    if len(a) != len(b):
        raise ValueError(f"paired scores must come from the same seeds, but there are {len(a)} and {len(b)}")
    return np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
