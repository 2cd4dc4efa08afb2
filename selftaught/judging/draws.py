"""Labels to learn from, drawn at several budgets, several times each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selftaught.metrics.sampling import few_label_subset
from selftaught.randomness import derive

BUDGETS: tuple[int | None, ...] = (8, 32, 128, None)
SEEDS = 5


@dataclass(frozen=True)
class Draw:
    """Some of the training rows.

    Args:
        budget: examples a class; None for all.
        rows: their places among the training rows.
    """

    budget: int | None
    seed: int
    rows: list[int]


def draw_seeds(seed: int, count: int) -> list[int]:
    """A seed for each draw, and for the network that is untrained beside it."""
    return [derive("verdict", seed, i) % 2**31 for i in range(count)]


def few_label_draws(labels: Sequence[str], budgets: Sequence[int | None], seeds: Sequence[int]) -> list[Draw]:
    """Budgets that differ, each with its draws of rows; a budget no class can fill any more means all rows."""
    most = int(max(np.unique(labels, return_counts=True)[1]))
    differing = [b for b in budgets if b is not None and b < most] + ([None] if None in budgets else [])
    return [
        Draw(budget, seed, few_label_subset(labels, budget, seed).tolist())
        for budget in differing or [None]
        for seed in seeds
    ]
