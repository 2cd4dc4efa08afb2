"""Machines fail: how often to save, and how much of the time is then training. Computed, and simulated."""

import math
from dataclasses import dataclass

import numpy as np

_GRID = 41


@dataclass(frozen=True)
class Life:
    """The life of a training on machines that fail.

    Args:
        between: seconds from one failure to the next, on average.
        saving: seconds that a checkpoint stops the training.
        restart: seconds from a failure until training goes on from the last checkpoint.
        shape: of the Weibull distribution of the time between failures: 1 is the exponential, below it a machine that
            has just failed is likelier to fail (0.7 to 0.8 in Schroeder & Gibson 2006).
    """

    between: float
    saving: float
    restart: float
    shape: float = 1.0

    def gaps(self, count: int, seed: int) -> np.ndarray:
        """Seconds between failures, float64 [count]."""
        scale = self.between / math.gamma(1 + 1 / self.shape)
        return scale * np.random.default_rng(seed).weibull(self.shape, count)


def young(life: Life) -> float:
    """Seconds of training between checkpoints that lose the least, to first order (Young 1974)."""
    return math.sqrt(2 * life.saving * life.between)


def daly(life: Life) -> float:
    """The same to higher order, where a checkpoint takes long beside the time between failures (Daly 2006)."""
    ratio = life.saving / (2 * life.between)
    if ratio >= 1:
        return life.between
    return young(life) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - life.saving


def goodput(life: Life, interval: float) -> float:
    """The share of the time that is training which is kept, for exponential failures (Daly 2006)."""
    lost = math.exp(life.restart / life.between) * math.expm1((interval + life.saving) / life.between)
    return interval / (life.between * lost)


@dataclass(frozen=True)
class Spent:
    """What the time of a training went into, as shares of it.

    Args:
        training: whose result was kept.
        saving: checkpoints that were finished.
        lost: since the last checkpoint before a failure.
        restarting: until it went on.
    """

    training: float
    saving: float
    lost: float
    restarting: float


def simulate(life: Life, interval: float, *, seed: int = 0, failures: int = 50_000) -> Spent:
    """Live through failures, with a checkpoint after each ``interval`` seconds of training."""
    return _spent(life, interval, life.gaps(failures, seed))


def _spent(life: Life, interval: float, gaps: np.ndarray) -> Spent:
    up = np.maximum(gaps - life.restart, 0)
    whole = np.floor(up / (interval + life.saving))
    total = gaps.sum()
    training, saving = whole.sum() * interval / total, whole.sum() * life.saving / total
    restarting = np.minimum(gaps, life.restart).sum() / total
    return Spent(training, saving, 1 - training - saving - restarting, restarting)


def best_interval(life: Life, *, seed: int = 0, failures: int = 50_000) -> float:
    """Seconds between checkpoints that the simulation keeps the most with.

    All intervals live through the same failures; the top is that of a parabola through those around the best one,
    because the curve is flat there and the simulation has noise.
    """
    gaps = life.gaps(failures, seed)
    grid = young(life) * np.geomspace(0.25, 4, _GRID)
    kept = np.array([_spent(life, interval, gaps).training for interval in grid])
    near = np.abs(np.log(grid / grid[kept.argmax()])) < math.log(2)
    a, b, _ = np.polyfit(np.log(grid[near]), kept[near], 2)
    return float(math.exp(-b / (2 * a)))


def days_to_finish(life: Life, interval: float, work: float, *, seed: int = 0, runs: int = 200) -> tuple[float, float]:
    """The days within which nine of ten simulated trainings end: the 5th and the 95th of a hundred.

    Args:
        work: seconds of training.
    """
    expected = max(1, math.ceil(work / goodput(life, interval) / life.between))
    gaps = life.gaps(runs * (2 * expected + 20), seed).reshape(runs, -1)
    whole = np.floor(np.maximum(gaps - life.restart, 0) / (interval + life.saving))
    done = np.cumsum(whole, 1) * interval >= work
    last = np.where(done.any(1), done.argmax(1), gaps.shape[1] - 1)
    row = np.arange(runs)
    before = np.cumsum(gaps, 1)[row, last] - gaps[row, last]
    missing = work - interval * (np.cumsum(whole, 1)[row, last] - whole[row, last])
    seconds = before + np.where(last > 0, life.restart, 0) + missing + np.ceil(missing / interval) * life.saving
    low, high = np.percentile(seconds / 86_400, [5, 95])
    return float(low), float(high)
