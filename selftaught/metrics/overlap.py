"""Which test rows the pretraining text already contains, word for word.

A test row overlaps if the whole of it occurs inside one pretraining document, both normalised: case folded,
wide forms narrowed (NFKC), and everything but letters and digits taken for a mere boundary between words. A
character of a script written without spaces (Chinese, kana, Thai, …) is a word of its own, but counts as
half a word when a row is measured: a row of fewer than five words overlaps only if it equals a whole line,
else "yes" would be found everywhere. The whole row must occur; Brown et al. 2020 ("Language models are few-
shot learners", appendix C) also count rows that share 13 words in sequence with the training text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from selftaught.metrics.wording import SOLO, WALL, PrefixHashes, Words, folding, join, words_of

CHUNK = 1 << 18  # characters looked at together: their arrays fit the processor's cache
ANCHOR = 8  # tokens at the head of a row by which it is looked up
SHORT = 5  # words
FILTER_BITS = 20


class OverlapFinder:
    """Finds test rows in a stream of documents; its memory does not grow with the stream.

    Feed each document whole and once, then ask for the result.
    """

    def __init__(self, rows: Iterable[str]) -> None:
        self._rows = [words_of(row.replace(WALL, " ")) for row in rows]
        self._found = np.zeros(len(self._rows), dtype=bool)
        self._lookups = _lookups(self._rows)
        self._tail = words_of(f"\n{WALL}\n")
        self._tail_length = 2 + max(map(len, self._rows), default=0)
        self._buffer: list[str] = []
        self._buffered = 0

    def feed(self, text: str) -> None:
        """Looks through one document."""
        for piece in pieces(text):
            self._add(piece)
        self._add(f"\n{WALL}\n")

    def result(self) -> np.ndarray:
        """For each row whether it was found so far, bool [rows]."""
        self._scan()
        return self._found.copy()

    def _add(self, piece: str) -> None:
        self._buffer.append(piece)
        self._buffered += len(piece)
        if self._buffered >= CHUNK:
            self._scan()

    def _scan(self) -> None:
        text = join(self._tail, words_of("".join(self._buffer)))
        self._buffer, self._buffered = [], 0
        self._tail = text.last(self._tail_length)
        prefix = PrefixHashes(text)
        at_line = np.zeros(len(text.letters) + 1, dtype=bool)
        at_line[text.lines] = True
        for lookup in self._lookups:
            for row, position in lookup.candidates(prefix, at_line):
                if not self._found[row] and text.holds(self._rows[row], position):
                    self._found[row] = True


@dataclass(frozen=True)
class _Lookup:
    """The rows found by a head of the same number of tokens."""

    head: int
    whole_line: bool
    heads: np.ndarray  # uint64 [n], ascending
    rows: np.ndarray  # [n]
    lengths: np.ndarray  # [n] in tokens
    hashes: np.ndarray  # uint64 [n] of the whole rows
    maybe: np.ndarray  # bool [2^FILTER_BITS]: whether some head begins with these bits

    def candidates(self, prefix: PrefixHashes, at_line: np.ndarray) -> Iterator[tuple[int, int]]:
        """Pairs of row and token position where head and whole row have the text's hashes."""
        first, last = prefix.starts[: -self.head], prefix.starts[self.head :]
        position = np.flatnonzero(at_line[first] & at_line[last]) if self.whole_line else np.arange(len(first))
        hashes = prefix.hashes(first[position], last[position])
        likely = self.maybe[hashes >> np.uint64(64 - FILTER_BITS)]
        position, hashes = position[likely], hashes[likely]
        left, right = np.searchsorted(self.heads, hashes), np.searchsorted(self.heads, hashes, side="right")
        count = right - left
        position = np.repeat(position, count)
        entry = np.repeat(right - np.cumsum(count), count) + np.arange(count.sum())
        fits = position + self.lengths[entry] < len(prefix.starts)
        position, entry = position[fits], entry[fits]
        ends = prefix.starts[position + self.lengths[entry]]
        same = prefix.hashes(prefix.starts[position], ends) == self.hashes[entry]
        return zip(self.rows[entry[same]].tolist(), position[same].tolist(), strict=True)


def _lookups(rows: list[Words]) -> list[_Lookup]:
    groups: dict[tuple[int, bool], list[int]] = {}
    for index, row in enumerate(rows):
        if len(row):
            short = row.words < SHORT
            groups.setdefault((len(row) if short else min(len(row), ANCHOR), short), []).append(index)
    return [_lookup(rows, members, *key) for key, members in sorted(groups.items())]


def _lookup(rows: list[Words], members: list[int], head: int, whole_line: bool) -> _Lookup:
    start = np.zeros(2, dtype=np.intp)
    hashes = np.array(
        [PrefixHashes(row).hashes(start, row.starts[[head, -1]]) for row in (rows[index] for index in members)]
    )  # [n, 2] of the heads and of the whole rows
    order = np.argsort(hashes[:, 0])
    heads, wholes = hashes[order].T
    maybe = np.zeros(1 << FILTER_BITS, dtype=bool)
    maybe[heads >> np.uint64(64 - FILTER_BITS)] = True
    index = np.array(members)[order]
    lengths = np.array([len(rows[row]) for row in index])
    return _Lookup(head, whole_line, heads, index, lengths, wholes, maybe)


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most CHUNK characters, cut between words, or inside one that long."""
    start = 0
    while len(text) - start > CHUNK:
        end = start + CHUNK
        while end > start and _inside_word(text[end - 1 : end + 1]):
            end -= 1
        end = end if end > start else start + CHUNK
        yield text[start:end]
        start = end
    yield text[start:]


def _inside_word(pair: str) -> bool:
    folded = folding()[[ord(character) for character in pair]]
    return bool(np.all((folded > 0) & (folded < SOLO)))
