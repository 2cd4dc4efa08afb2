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


@dataclass(frozen=True)
class Drawing:
    """How rows are drawn.

    Args:
        budgets: labels a class, or examples in all where there are no classes; None for all.
        times: at each budget; as many networks are untrained.
        seed: of the draws.
    """

    budgets: Sequence[int | None]
    times: int
    seed: int

    @property
    def seeds(self) -> list[int]:
        """One for each draw at a budget, and for the network that is untrained beside it."""
        return [derive("verdict", self.seed, i) % 2**31 for i in range(self.times)]

    def of(self, labels: Sequence[str]) -> list[Draw]:
        """Budgets that differ, each with its draws of rows; a budget no class can fill any more means all rows."""
        most = int(max(np.unique(labels, return_counts=True)[1]))
        differing = [b for b in self.budgets if b is not None and b < most] + ([None] if None in self.budgets else [])
        return [
            Draw(budget, seed, few_label_subset(labels, budget, seed).tolist())
            for budget in differing or [None]
            for seed in self.seeds
        ]
