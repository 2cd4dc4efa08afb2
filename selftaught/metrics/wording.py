"""Texts as sequences of normalised words, and the hash of any run of them, all in arrays.

Case is folded, wide forms are narrowed (NFKC), and everything but letters and digits is a mere boundary between words.
A character of a script written without spaces (Chinese, kana, Thai, …) is a word of its own, but counts as half a word.
"""

from dataclasses import dataclass
from functools import cache
from unicodedata import normalize

import numpy as np

FACTOR = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
WALL = "\uffff"  # a noncharacter, put between documents: no row holds it
SOLO = np.uint32(1 << 31)  # marks characters that are tokens of their own
UNSPACED = (  # Thai to Lao, Myanmar, Khmer, kana, CJK ideographs and their extensions
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF)),
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)


@dataclass(frozen=True)
class Words:
    """Normalised text."""

    letters: np.ndarray  # uint32: its letters and digits, folded
    starts: np.ndarray  # where in letters each token begins, and at last len(letters)
    lines: np.ndarray  # where in letters a line begins or ends

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def words(self) -> float:
        return len(self) - 0.5 * float(np.count_nonzero(self.letters >= SOLO))

    def holds(self, row: "Words", position: int) -> bool:
        """Whether the row's tokens stand at token `position`."""
        own = self.starts[position : position + len(row.starts)]
        return np.array_equal(own - own[0], row.starts) and np.array_equal(self.letters[own[0] : own[-1]], row.letters)

    def last(self, count: int) -> "Words":
        starts = self.starts[-count - 1 :]
        return Words(self.letters[starts[0] :], starts - starts[0], self.lines[self.lines >= starts[0]] - starts[0])


class PrefixHashes:
    """Hashes of any run of letters, from running sums of ``letter * FACTOR^place`` modulo 2^64.

    Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms".
    """

    def __init__(self, text: Words) -> None:
        powers, self._inverses = _powers((len(text.letters) + 1).bit_length())
        self._sums = np.zeros(len(text.letters) + 1, dtype=np.uint64)
        np.cumsum(text.letters * powers[: len(text.letters)], out=self._sums[1:])
        self.starts = text.starts

    def hashes(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """The hashes uint64 of the letters from `first` up to `last`, places in letters."""
        return (self._sums[last] - self._sums[first]) * self._inverses[first]


def words_of(text: str) -> Words:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    folded = folding()[points]
    places = np.flatnonzero(folded)
    letters = folded[places]
    solo = letters >= SOLO
    begins = np.ones(len(letters), dtype=bool)
    begins[1:] = (np.diff(places) > 1) | solo[1:] | solo[:-1]
    starts = np.append(np.flatnonzero(begins), len(letters))
    return Words(letters, starts, np.searchsorted(places, np.flatnonzero(points == ord("\n"))))


def join(a: Words, b: Words) -> Words:
    shift = len(a.letters)
    return Words(
        np.concatenate([a.letters, b.letters]),
        np.concatenate([a.starts[:-1], b.starts + shift]),
        np.concatenate([a.lines, b.lines + shift]),
    )


@cache
def folding() -> np.ndarray:
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
