"""The words a model knows and how often they occur."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from selftaught.word2vec.counting import Tallied
from selftaught.word2vec.phrases import MARK


@dataclass(frozen=True)
class Vocabulary:
    """Words, the most frequent first.

    Args:
        counts: how often each occurs in the training text, int64 [V].
    """

    words: tuple[str, ...]
    counts: np.ndarray

    @classmethod
    def of(cls, found: Tallied, min_count: int) -> "Vocabulary":
        """Those of the words that were found at least ``min_count`` times; of two as frequent, alphabetically."""
        kept = sorted(((word, n) for word, n in found.items() if n >= min_count), key=lambda one: (-one[1], one[0]))
        return cls(tuple(word for word, _ in kept), np.array([n for _, n in kept], np.int64))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def phrases(self) -> frozenset[str]:
        """The words that are two."""
        return frozenset(word for word in self.words if MARK in word)

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
