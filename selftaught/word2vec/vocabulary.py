"""The words a model knows, how often they occur, and the two tables that training draws by."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NOISE_POWER = 0.75  # of the frequencies that noise words are drawn by (Mikolov et al. 2013b, section 2.2)


@dataclass(frozen=True)
class Vocabulary:
    """Words, the most frequent first.

    Args:
        counts: how often each occurs in the training text, int64 [V].
    """

    words: tuple[str, ...]
    counts: np.ndarray

    @classmethod
    def of(cls, found: Counter[str], min_count: int) -> "Vocabulary":
        """Those of the words that were found at least ``min_count`` times; of two as frequent, alphabetically."""
        kept = sorted(((word, n) for word, n in found.items() if n >= min_count), key=lambda one: (-one[1], one[0]))
        return cls(tuple(word for word, _ in kept), np.array([n for _, n in kept], np.int64))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def shares(self) -> np.ndarray:
        """The share of each word in the text, float64 [V]."""
        return self.counts / self.counts.sum()

    def keep(self, sample: float) -> np.ndarray:
        """How likely each word is to be read, float32 [V], as word2vec computes it: sqrt(s/f) + s/f, at most 1."""
        if sample == 0:
            return np.ones(len(self), np.float32)
        ratio = sample / self.shares
        return np.minimum(1.0, np.sqrt(ratio) + ratio).astype(np.float32)

    def noise(self) -> tuple[np.ndarray, np.ndarray]:
        """The table that noise words are drawn by (Walker 1977), by Vose's method (1991): float32 [V] and int32 [V]."""
        weights = self.counts**NOISE_POWER
        heights = weights / weights.sum() * len(self)
        share, other = np.ones(len(self), np.float32), np.arange(len(self), dtype=np.int32)
        low = [number for number, height in enumerate(heights) if height < 1]
        high = [number for number, height in enumerate(heights) if height >= 1]
        while low and high:
            small, large = low.pop(), high.pop()
            share[small], other[small] = heights[small], large
            heights[large] -= 1 - heights[small]
            (low if heights[large] < 1 else high).append(large)
        return share, other
