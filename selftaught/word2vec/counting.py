"""Counting words in memory that does not grow with the text."""

from collections import Counter
from collections.abc import ItemsView, Iterable

MOST = 1 << 23  # different ones that are counted at a time, about a gigabyte of them


class Tallied:
    """How often each of some words occurs.

    Where more than ``MOST`` different ones are met, the rarest are forgotten, as in word2vec's own program: of a text
    that is so large their counts are too low, by as much as was forgotten of them.

    Args:
        most: different ones.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._counts, self._forgotten = most, Counter[str](), 0
        self.total = 0

    def add(self, words: Iterable[str]) -> None:
        """Count some."""
        some = list(words)
        self._counts.update(some)
        self.total += len(some)
        while len(self._counts) > self._most:
            self._forgotten += 1
            self._counts = Counter({word: n for word, n in self._counts.items() if n > self._forgotten})

    def __getitem__(self, word: str) -> int:
        return self._counts[word]

    def __len__(self) -> int:
        return len(self._counts)

    def items(self) -> ItemsView[str, int]:
        """Each and how often it occurs."""
        return self._counts.items()

    def most_common(self, number: int) -> list[tuple[str, int]]:
        """The most frequent."""
        return self._counts.most_common(number)
