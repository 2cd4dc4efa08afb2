"""A document as the rules see it: its lines, its words, and a hash for each word, computed once."""

from functools import cached_property

import numpy as np

from selftaught.metrics.wording import SOLO, PrefixHashes, Words, words_of


class Reading:
    """One text.

    Args:
        text: as it stands.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.words: Words = words_of(text)
        self._prefix = PrefixHashes(self.words)

    @cached_property
    def lines(self) -> list[str]:
        """Those that are not blank, without the space around them."""
        return [stripped for line in self.text.split("\n") if (stripped := line.strip())]

    @cached_property
    def points(self) -> np.ndarray:
        """The code point of each letter or digit: uint32 [L]."""
        return self.words.letters & ~SOLO

    @cached_property
    def solo(self) -> np.ndarray:
        """Which words are single characters of a script without spaces: bool [W]."""
        return self.words.letters[self.words.starts[:-1]] >= SOLO

    @cached_property
    def lengths(self) -> np.ndarray:
        """Letters of each word: int64 [W]."""
        return np.diff(self.words.starts)

    @cached_property
    def count(self) -> float:
        """Words, where a character of a script without spaces is half of one."""
        return len(self.solo) - 0.5 * float(np.count_nonzero(self.solo))

    @cached_property
    def unspaced(self) -> bool:
        """Whether most of it is written without spaces, as Chinese is."""
        return 2 * int(np.count_nonzero(self.solo)) > len(self.solo)

    @cached_property
    def hashes(self) -> np.ndarray:
        """One for each word: uint64 [W]."""
        return self.runs(1)

    def runs(self, length: int) -> np.ndarray:
        """Hashes of all runs of so many words: uint64 [max(W - length + 1, 0)]."""
        starts = self.words.starts
        if len(starts) <= length:
            return np.zeros(0, np.uint64)
        return self._prefix.hashes(starts[:-length], starts[length:])

    def between(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Hashes of the runs from word ``first`` up to word ``last``: uint64, of the same shape."""
        starts = self.words.starts
        return self._prefix.hashes(starts[first], starts[last])

    def which(self, words: np.ndarray) -> np.ndarray:
        """Which of these words occur, once for each time: places in ``words``, from :func:`word_hashes`."""
        place = np.searchsorted(words, self.hashes)
        place[place == len(words)] = 0
        return place[words[place] == self.hashes]


def word_hashes(words: str) -> np.ndarray:
    """The hashes of single words, parted by spaces, sorted: uint64."""
    return np.sort(Reading(words).hashes)
