"""What a kernel is compiled for and the tables it works by; apart from it, for numba takes half a second to load."""

from typing import NamedTuple

import numpy as np

COMMON = 256  # words, the most frequent, that each of several threads has rows of its own for


class Form(NamedTuple):
    """What is compiled into a kernel.

    Args:
        dimensions: numbers of a vector.
        window: words to each side at most.
        negatives: noise words; 0 for hierarchical softmax.
        averaged: whether the words of a window guess together (CBOW) or each alone (skip-gram).
        parts: whether a word has more rows than its own.
    """

    dimensions: int
    window: int
    negatives: int
    averaged: bool
    parts: bool


class Aims(NamedTuple):
    """How a word is guessed.

    With negative sampling, a table that noise words are drawn by (Walker 1977): a word is drawn evenly, and kept with
    its weight, or else its link is taken. With hierarchical softmax, the way to each word through a binary tree: the
    way to word w is ``links[ends[w]:ends[w + 1]]``, and the weights say where it turns, 1 or -1.

    Args:
        weights: float32 [V], or [K].
        links: int32 [V], or [K]: rows of the outputs.
        ends: int64 [V + 1]; empty with negative sampling.
    """

    weights: np.ndarray
    links: np.ndarray
    ends: np.ndarray


class Parts(NamedTuple):
    """The rows of the inputs that a word is the mean of: ``rows[ends[w]:ends[w + 1]]``; empty if it has its own alone.

    Args:
        rows: int32 [K].
        ends: int64 [V + 1].
    """

    rows: np.ndarray
    ends: np.ndarray

    @classmethod
    def none(cls) -> "Parts":
        """Words that have one row each."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int64))
