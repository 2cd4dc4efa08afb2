"""One reading of a corpus: how long its documents are, and which characters it is made of."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from selftaught.data.source import require_rows
from selftaught.data.tally import Tally
from selftaught.data.text import Row, TextSource
from selftaught.data.tokenise import vocabulary_size
from selftaught.pretext.words import CJK_RANGES, is_cjk

_CODE_POINTS = 0x110000
_COUNTED_AT_ONCE = 1 << 20  # characters


@dataclass(frozen=True)
class Scan:
    """What one reading of the corpus tells.

    Args:
        sizes: characters of each document, in order.
        counts: how often each character occurs, by code point: int64 [0x110000].
    """

    sizes: array
    counts: np.ndarray

    @property
    def total(self) -> int:
        """Characters of the corpus."""
        return int(self.counts.sum())

    @property
    def alphabet(self) -> set[str]:
        """Every character that occurs."""
        return set(map(chr, np.flatnonzero(self.counts).tolist()))

    @property
    def chinese_characters(self) -> int:
        return sum(int(self.counts[low : high + 1].sum()) for low, high in CJK_RANGES)

    @property
    def is_chinese(self) -> bool:
        """Whether at least a fifth of the characters are Chinese."""
        return self.chinese_characters > self.total / 5

    def vocabulary(self) -> int:
        """How large a vocabulary this corpus supports."""
        return vocabulary_size(self.total - self.chinese_characters, sum(map(is_cjk, self.alphabet)))


def scan(source: TextSource, tally: Tally) -> Scan:
    """Read the whole corpus once.

    Raises:
        SelftaughtError: if no row of it can be kept.
    """
    found = scan_rows(source.rows(tally))
    require_rows(source, tally)
    return found


def scan_rows(rows: Iterable[Row]) -> Scan:
    """What all of these rows tell."""
    sizes, counts = array("q"), np.zeros(_CODE_POINTS, np.int64)
    document: int | None = None
    waiting: list[str] = []
    length = 0
    for row in rows:
        if row.document != document:
            sizes.append(0)
            document = row.document
        sizes[-1] += len(row.text)
        waiting.append(row.text)
        length += len(row.text)
        if length >= _COUNTED_AT_ONCE:
            counts += _count_characters(waiting)
            waiting, length = [], 0
    return Scan(sizes, counts + _count_characters(waiting))


def _count_characters(texts: list[str]) -> np.ndarray:
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.bincount(points, minlength=_CODE_POINTS)
