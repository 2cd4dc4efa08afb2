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
from functools import cache
from unicodedata import normalize

import numpy as np

CHUNK = 1 << 18  # characters looked at together: their arrays fit the processor's cache
ANCHOR = 8  # tokens at the head of a row by which it is looked up
SHORT = 5  # words
FILTER_BITS = 20
FACTOR = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
WALL = "\uffff"  # a noncharacter, put between documents: no row holds it
SOLO = np.uint32(1 << 31)  # marks characters that are tokens of their own
UNSPACED = (  # Thai to Lao, Myanmar, Khmer, kana, CJK ideographs and their extensions
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF)),
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)


class OverlapFinder:
    """Finds test rows in a stream of documents; its memory does not grow with the stream.

    Feed each document whole and once, then ask for the result.
    """

    def __init__(self, rows: Iterable[str]) -> None:
        self._rows = [_tokenise(row.replace(WALL, " ")) for row in rows]
        self._found = np.zeros(len(self._rows), dtype=bool)
        self._lookups = _lookups(self._rows)
        self._tail = _tokenise(f"\n{WALL}\n")
        self._tail_length = 2 + max(map(len, self._rows), default=0)
        self._buffer: list[str] = []
        self._buffered = 0

    def feed(self, text: str) -> None:
        """Looks through one document."""
        for piece in _pieces(text):
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
        text = _join(self._tail, _tokenise("".join(self._buffer)))
        self._buffer, self._buffered = [], 0
        self._tail = text.last(self._tail_length)
        prefix = _Prefix(text)
        at_line = np.zeros(len(text.letters) + 1, dtype=bool)
        at_line[text.lines] = True
        for lookup in self._lookups:
            for row, position in lookup.candidates(prefix, at_line):
                if not self._found[row] and text.holds(self._rows[row], position):
                    self._found[row] = True


@dataclass(frozen=True)
class _Tokens:
    """Normalised text."""

    letters: np.ndarray  # uint32: its letters and digits, folded
    starts: np.ndarray  # where in letters each token begins, and at last len(letters)
    lines: np.ndarray  # where in letters a line begins or ends

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def words(self) -> float:
        return len(self) - 0.5 * float(np.count_nonzero(self.letters >= SOLO))

    def holds(self, row: "_Tokens", position: int) -> bool:
        """Whether the row's tokens stand at token `position`."""
        own = self.starts[position : position + len(row.starts)]
        return np.array_equal(own - own[0], row.starts) and np.array_equal(self.letters[own[0] : own[-1]], row.letters)

    def last(self, count: int) -> "_Tokens":
        starts = self.starts[-count - 1 :]
        return _Tokens(self.letters[starts[0] :], starts - starts[0], self.lines[self.lines >= starts[0]] - starts[0])


class _Prefix:
    """Hashes of any run of letters, from running sums of ``letter * FACTOR^place`` modulo 2^64.

    Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms".
    """

    def __init__(self, text: _Tokens) -> None:
        powers, self._inverses = _powers((len(text.letters) + 1).bit_length())
        self._sums = np.zeros(len(text.letters) + 1, dtype=np.uint64)
        np.cumsum(text.letters * powers[: len(text.letters)], out=self._sums[1:])
        self.starts = text.starts

    def hashes(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """The hashes uint64 of the letters from `first` up to `last`, places in letters."""
        return (self._sums[last] - self._sums[first]) * self._inverses[first]


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

    def candidates(self, prefix: _Prefix, at_line: np.ndarray) -> Iterator[tuple[int, int]]:
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


def _lookups(rows: list[_Tokens]) -> list[_Lookup]:
    groups: dict[tuple[int, bool], list[int]] = {}
    for index, row in enumerate(rows):
        if len(row):
            short = row.words < SHORT
            groups.setdefault((len(row) if short else min(len(row), ANCHOR), short), []).append(index)
    return [_lookup(rows, members, *key) for key, members in sorted(groups.items())]


def _lookup(rows: list[_Tokens], members: list[int], head: int, whole_line: bool) -> _Lookup:
    start = np.zeros(2, dtype=np.intp)
    hashes = np.array(
        [_Prefix(row).hashes(start, row.starts[[head, -1]]) for row in (rows[index] for index in members)]
    )  # [n, 2] of the heads and of the whole rows
    order = np.argsort(hashes[:, 0])
    heads, wholes = hashes[order].T
    maybe = np.zeros(1 << FILTER_BITS, dtype=bool)
    maybe[heads >> np.uint64(64 - FILTER_BITS)] = True
    index = np.array(members)[order]
    lengths = np.array([len(rows[row]) for row in index])
    return _Lookup(head, whole_line, heads, index, lengths, wholes, maybe)


def _tokenise(text: str) -> _Tokens:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    folded = _folding()[points]
    places = np.flatnonzero(folded)
    letters = folded[places]
    solo = letters >= SOLO
    begins = np.ones(len(letters), dtype=bool)
    begins[1:] = (np.diff(places) > 1) | solo[1:] | solo[:-1]
    starts = np.append(np.flatnonzero(begins), len(letters))
    return _Tokens(letters, starts, np.searchsorted(places, np.flatnonzero(points == ord("\n"))))


def _join(a: _Tokens, b: _Tokens) -> _Tokens:
    shift = len(a.letters)
    return _Tokens(
        np.concatenate([a.letters, b.letters]),
        np.concatenate([a.starts[:-1], b.starts + shift]),
        np.concatenate([a.lines, b.lines + shift]),
    )


def _pieces(text: str) -> Iterator[str]:
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
    folded = _folding()[[ord(character) for character in pair]]
    return bool(np.all((folded > 0) & (folded < SOLO)))


@cache
def _folding() -> np.ndarray:
    """For every code point its folded letter, marked SOLO if a token of its own; 0 for a boundary."""
    table = np.zeros(0x110000, dtype=np.uint32)
    for point in range(0x40000):
        character = chr(point)
        if character.isalnum():
            folded = normalize("NFKC", character).casefold()
            table[point] = ord(folded) if len(folded) == 1 else point
    for first, last in UNSPACED:
        block = table[first : last + 1]
        block[block > 0] |= SOLO
    table[ord(WALL)] = ord(WALL) | SOLO
    return table


@cache
def _powers(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The first 2^bits powers of FACTOR, and of its inverse."""

    def powers(factor: int) -> np.ndarray:
        row = np.full(1 << bits, factor, dtype=np.uint64)
        row[0] = 1
        return np.cumprod(row)

    return powers(FACTOR), powers(pow(FACTOR, -1, 1 << 64))
