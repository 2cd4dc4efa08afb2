"""Trigrams smoothed by interpolated modified Kneser-Ney: what can be said of a text by counting alone.

Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling", section 3.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

_FALLBACK = (0.5, 1.0, 1.5)  # discounts for a text too small to tell its own
_LARGEST_VOCABULARY = 1 << 21  # three ids in 63 bits


def trigrams(
    take: Callable[[np.ndarray], np.ndarray], places: np.ndarray, begins: np.ndarray, opening: int
) -> np.ndarray:
    """Each token behind the two before it in its document: int64 [N, 3].

    Args:
        take: gives the tokens at some places.
        places: int64 [N], of the tokens.
        begins: int64 [N], where the document of each begins.
        opening: the token that stands for whatever was before a document.
    """
    columns = [
        np.where(places - back >= begins, take(np.maximum(places - back, 0)), opening).astype(np.int64)
        for back in (2, 1, 0)
    ]
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length, as numbers in base V, and what they share out.

    Args:
        grams: int64 [N], ascending.
        shares: float64 [N], the discounted part of its history's count that is each one's.
        histories: int64 [H], ascending: the n-grams without their last token.
        left: float64 [H], what the discounts leave of a history's count for shorter n-grams.
    """

    grams: np.ndarray
    shares: np.ndarray
    histories: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, grams: np.ndarray, counts: np.ndarray, vocab_size: int) -> "_Order":
        """From n-grams, ascending, and how often each occurs."""
        discount = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
        histories, first, seen = np.unique(grams // vocab_size, return_index=True, return_counts=True)
        total = np.add.reduceat(counts, first) if len(first) else counts
        taken = np.add.reduceat(discount, first) if len(first) else discount
        return cls(grams, (counts - discount) / np.repeat(total, seen), histories, taken / total)

    def mix(self, grams: np.ndarray, vocab_size: int, shorter: np.ndarray) -> np.ndarray:
        """The probabilities of n-grams, from those of the n-grams that are one token shorter: float64 [N]."""
        left = _look_up(self.histories, self.left, grams // vocab_size, 1.0)
        return _look_up(self.grams, self.shares, grams, 0.0) + left * shorter


@dataclass(frozen=True)
class Trigram:
    """The probability of a token given the two before it.

    Args:
        vocab_size: V; ids are below it.
        single: float64 [V], the probability of a token whatever stands before it.
        double, triple: what pairs and triples of tokens add.
    """

    vocab_size: int
    single: np.ndarray
    double: _Order
    triple: _Order

    @classmethod
    def of(cls, blocks: Iterable[np.ndarray], vocab_size: int) -> "Trigram":
        """Count trigrams, given in blocks int64 [n, 3]; memory is some 40 bytes for each of them.

        Triples are counted as they occur. A pair counts for as many as the tokens it is found behind, and a token for
        as many as the tokens it is found behind: what matters for a shorter n-gram is in how many places it would be
        of use.

        Raises:
            ValueError: if the vocabulary is larger than two million.
        """
        if vocab_size > _LARGEST_VOCABULARY:
            raise ValueError(f"a vocabulary of {vocab_size} is too large to count trigrams of")
        base = np.array([vocab_size**2, vocab_size, 1])
        numbers = [block @ base for block in blocks]
        triples, counts = np.unique(np.concatenate(numbers or [np.empty(0, np.int64)]), return_counts=True)
        pairs, places = np.unique(triples % vocab_size**2, return_counts=True)
        tokens, behind = np.unique(pairs % vocab_size, return_counts=True)
        lowest = _Order.of(tokens, behind, vocab_size)
        even = np.full(vocab_size, 1 / vocab_size)
        return cls(
            vocab_size,
            lowest.mix(np.arange(vocab_size), vocab_size, even),
            _Order.of(pairs, places, vocab_size),
            _Order.of(triples, counts, vocab_size),
        )

    def probabilities(self, grams: np.ndarray) -> np.ndarray:
        """Of the last token of each trigram int64 [N, 3], given the first two: float64 [N], none of them 0."""
        pairs = grams[:, 1] * self.vocab_size + grams[:, 2]
        triples = grams[:, 0] * self.vocab_size**2 + pairs
        return self.triple.mix(
            triples, self.vocab_size, self.double.mix(pairs, self.vocab_size, self.single[grams[:, 2]])
        )


def _discounts(counts: np.ndarray) -> tuple[float, ...]:
    """What is taken off counts of one, two, and three or more, from how many counts there are of each."""
    n1, n2, n3, n4 = (int((counts == n).sum()) for n in (1, 2, 3, 4))
    if not n1 or not n2 or not n3:
        return _FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
    return found if all(0 < discount <= most for most, discount in enumerate(found, 1)) else _FALLBACK


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray, otherwise: float) -> np.ndarray:
    """The value of each wanted key, float64 of the same shape; keys are ascending."""
    if not len(keys):
        return np.full(wanted.shape, otherwise)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], otherwise)
