"""Which test rows the pretraining text nearly contains: a word or two changed, spaces elsewhere.

A row is cut into four parts, a short one into fewer. Who changes it in two places leaves two of them whole: where the
text has their beginnings, the row would stand about there, and its short runs of letters are looked for in that place.
It is nearly there if most of them are (Broder 1997, "On the resemblance and containment of documents").
Letters are those of :mod:`selftaught.metrics.wording`: case, width and punctuation make no difference, nor do spaces.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from selftaught.metrics.overlap import CHUNK, pieces
from selftaught.metrics.wording import SOLO, WALL, PrefixHashes, Words, join, words_of

_PARTS = 4
_WEIGHT = 9  # letters that a part must have for its beginning to be rare; a Chinese character is as rare as three
_RUN = 5  # letters whose runs are compared; of characters two
_ENOUGH = 0.6
_BITS = 20
_ABOUT = 16  # letters that places may differ by and be one


class NearFinder:
    """Finds near copies of test rows in a stream of documents; its memory does not grow with the stream."""

    def __init__(self, rows: Iterable[str]) -> None:
        self._rows = [_Row.of(words_of(row.replace(WALL, " "))) for row in rows]
        self._found = np.zeros(len(self._rows), bool)
        self._anchors = _Anchors.of(self._rows)
        self._longest = 2 * max((len(row.letters) for row in self._rows), default=0)
        self._tail = words_of("")
        self._buffer: list[str] = []
        self._buffered = 0

    def feed(self, text: str) -> None:
        """Look through one document."""
        for piece in [*pieces(text), f"\n{WALL}\n"]:
            self._buffer.append(piece)
            self._buffered += len(piece)
            if self._buffered >= CHUNK:
                self._scan()

    def result(self) -> np.ndarray:
        """For each row whether it was nearly found so far, bool [rows]."""
        self._scan()
        return self._found.copy()

    def _scan(self) -> None:
        text = join(self._tail, words_of("".join(self._buffer)))
        self._buffer, self._buffered = [], 0
        self._tail = text.last(self._longest)
        prefix = PrefixHashes(text)
        for row, place in self._anchors.candidates(prefix, len(text.letters), self._found):
            if not self._found[row]:
                self._found[row] = self._rows[row].nearly_at(prefix, place, len(text.letters))


@dataclass(frozen=True)
class _Row:
    """A row to be found: its letters, how long the runs of them are that are compared, and their hashes, ascending."""

    letters: np.ndarray
    run: int
    hashes: np.ndarray

    @classmethod
    def of(cls, words: Words) -> "_Row":
        solo = np.count_nonzero(words.letters >= SOLO)
        run = 2 if 2 * solo > len(words.letters) else _RUN
        first = np.arange(max(0, len(words.letters) - run + 1))
        return cls(words.letters, run, np.unique(PrefixHashes(words).hashes(first, first + run)))

    def nearly_at(self, prefix: PrefixHashes, place: int, end: int) -> bool:
        """Whether it nearly stands in a text where it would begin at the letter ``place``, or a few beside."""
        slack = 4 + len(self.letters) // 8
        first = np.arange(max(0, place - slack), min(end, place + len(self.letters) + slack) - self.run + 1)
        there = np.isin(self.hashes, prefix.hashes(first, first + self.run))
        return bool(there.mean() >= _ENOUGH)

    def parts(self) -> list[int]:
        """Where its parts begin; none if it is too short to be told from what merely resembles it."""
        weights = np.cumsum(np.where(self.letters >= SOLO, 3, 1))
        count = min(_PARTS, int(weights[-1]) // _WEIGHT) if len(weights) else 0
        return [len(self.letters) * part // count for part in range(count)] if count > 1 else []


@dataclass(frozen=True)
class _Anchors:
    """The beginnings of all rows' parts, by how many letters they have: ascending hashes, and whose they are."""

    groups: list[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    parts: np.ndarray

    @classmethod
    def of(cls, rows: list[_Row]) -> "_Anchors":
        found: dict[int, list[tuple[int, int, int]]] = {}
        for number, row in enumerate(rows):
            for begin in row.parts():
                length = 3 if row.letters[begin] >= SOLO else _WEIGHT
                if begin + length <= len(row.letters):
                    found.setdefault(length, []).append((_hash(row.letters[begin : begin + length]), number, begin))
        groups = []
        for length, entries in sorted(found.items()):
            ordered = sorted(entries)
            hashes = np.array([one[0] for one in ordered], np.uint64)
            numbers, begins = np.array([one[1:] for one in ordered], np.int64).T
            maybe = np.zeros(1 << _BITS, bool)
            maybe[hashes >> np.uint64(64 - _BITS)] = True
            groups.append((length, hashes, numbers, begins, maybe))
        return cls(groups, np.array([len(row.parts()) for row in rows], np.int64))

    def candidates(self, prefix: PrefixHashes, end: int, found: np.ndarray) -> list[tuple[int, int]]:
        """Pairs of a row that is not found and the letter of the text where it would begin."""
        rows, starts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for length, hashes, numbers, begins, maybe in self.groups:
            here = prefix.hashes(np.arange(max(0, end - length + 1)), np.arange(length, end + 1))
            place = np.flatnonzero(maybe[here >> np.uint64(64 - _BITS)])
            left, right = (np.searchsorted(hashes, here[place], side=side) for side in ("left", "right"))
            count = right - left
            entry = np.repeat(right - np.cumsum(count), count) + np.arange(count.sum())
            start = np.repeat(place, count) - begins[entry]
            useful = ~found[numbers[entry]]
            rows.append(numbers[entry][useful])
            starts.append(start[useful])
        return self._agreed(np.concatenate(rows), np.concatenate(starts))

    def _agreed(self, rows: np.ndarray, starts: np.ndarray) -> list[tuple[int, int]]:
        """Those that two parts of a row agree on, more or less; of a row of few parts one suffices."""
        pairs: set[tuple[int, int]] = set()
        for shift in (0, _ABOUT // 2):
            about = (starts + shift) // _ABOUT
            _, first, count = np.unique(np.stack([rows, about]), axis=1, return_index=True, return_counts=True)
            first = first[count >= np.where(self.parts[rows[first]] < _PARTS, 1, 2)]
            pairs |= set(zip(rows[first].tolist(), starts[first].tolist(), strict=True))
        return sorted(pairs)


def _hash(letters: np.ndarray) -> int:
    whole = Words(letters, np.array([0, len(letters)]), np.zeros(0, np.int64))
    return int(PrefixHashes(whole).hashes(np.zeros(1, np.intp), np.array([len(letters)]))[0])
