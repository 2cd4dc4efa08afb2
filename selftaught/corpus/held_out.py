"""Documents that an evaluation set is in: they share thirteen words in sequence with it, or the whole of a shorter row.

Thirteen words are those of Brown et al. 2020 ("Language models are few-shot learners", appendix C); two Chinese
characters count as one. A row of fewer than five words would be found everywhere, and is not looked for. Words are
normalised as ``verdict`` does it when it looks for test rows in the pretraining text.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from selftaught.corpus.place import Place
from selftaught.corpus.reading import Reading
from selftaught.metrics.overlap import SHORT

LONG = 13  # words
_FILTER_BITS = 20
_RANGE = np.uint64(64 - _FILTER_BITS)


@dataclass(frozen=True)
class HeldOut:
    """Runs of words, found by their first five.

    Args:
        heads: hashes of the first five words, ascending: uint64 [N].
        lengths: half words of the whole run: int64 [N].
        hashes: of the whole run: uint64 [N].
        rows: the row that each is of: int64 [N].
    """

    heads: np.ndarray
    lengths: np.ndarray
    hashes: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[str]) -> "HeldOut":
        parts: list[tuple[np.ndarray, ...]] = []
        for row, text in enumerate(texts):
            reading = Reading(text)
            halves, weight = _halves(reading), int(_halves(reading)[-1])
            if weight < 2 * SHORT:
                continue
            length = min(weight, 2 * LONG)
            begins = np.flatnonzero(halves[:-1] + length <= weight)
            heads = reading.between(begins, _ends(halves, begins, 2 * SHORT))
            hashes = reading.between(begins, _ends(halves, begins, length))
            parts.append((heads, np.full(len(begins), length), hashes, np.full(len(begins), row)))
        if not parts:
            return cls(np.zeros(0, np.uint64), np.zeros(0, int), np.zeros(0, np.uint64), np.zeros(0, int))
        heads, lengths, hashes, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(heads, kind="stable")
        return cls(heads[order], lengths[order], hashes[order], rows[order])

    def row_in(self, reading: Reading) -> int | None:
        """A row of the evaluation set that the text shares words with; the first such, or None."""
        halves = _halves(reading)
        begins = np.flatnonzero(halves[:-1] + 2 * SHORT <= halves[-1])
        if not len(begins) or not len(self.heads):
            return None
        heads = reading.between(begins, _ends(halves, begins, 2 * SHORT))
        likely = self._filter[heads >> _RANGE]
        begins, heads = begins[likely], heads[likely]
        left, right = np.searchsorted(self.heads, heads), np.searchsorted(self.heads, heads, "right")
        count = right - left
        begins = np.repeat(begins, count)
        entry = np.repeat(right - np.cumsum(count), count) + np.arange(count.sum())
        fits = halves[begins] + self.lengths[entry] <= halves[-1]
        begins, entry = begins[fits], entry[fits]
        same = reading.between(begins, _ends(halves, begins, self.lengths[entry])) == self.hashes[entry]
        return int(self.rows[entry[same]].min()) if same.any() else None

    @cached_property
    def _filter(self) -> np.ndarray:
        """Whether some head begins with these bits: bool [2^20]."""
        maybe = np.zeros(1 << _FILTER_BITS, bool)
        maybe[self.heads >> _RANGE] = True
        return maybe

    def to_bytes(self) -> bytes:
        file = io.BytesIO()
        np.savez(file, heads=self.heads, lengths=self.lengths, hashes=self.hashes, rows=self.rows)
        return file.getvalue()


@lru_cache(1)
def open_held_out(place: Place, name: str) -> HeldOut:
    """As :meth:`HeldOut.to_bytes` left it; each worker reads it once."""
    with np.load(io.BytesIO(place.read(name) or b""), allow_pickle=False) as arrays:
        return HeldOut(**arrays)


def _halves(reading: Reading) -> np.ndarray:
    """How many half words come before each word, and at last in all: int64 [W + 1]."""
    return np.concatenate(([0], np.cumsum(np.where(reading.solo, 1, 2))))


def _ends(halves: np.ndarray, begins: np.ndarray, length: int | np.ndarray) -> np.ndarray:
    """The word up to which so many half words reach."""
    return np.searchsorted(halves, halves[begins] + length)
