"""Parts of words: the character n-grams that words share, so that rare and unseen words have vectors, too.

As fastText has them (Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information", section 3.2): a word is
the mean of a vector of its own and those of its n-grams, the ends of the word being characters, too. Theirs are hashed
into two million rows, so that unlike ones share some; here each that two words have in common has a row of its own, and
one that a single word has, which would tell nothing that the word's own row does not, has none.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from selftaught.word2vec.forms import Parts


def ngrams_of(word: str, shortest: int, longest: int) -> Iterable[str]:
    """Each n-gram of ``<word>`` once, in its order, but not the whole."""
    marked = f"<{word}>"
    found = {
        marked[begin : begin + size]: None
        for size in range(shortest, min(longest, len(marked) - 1) + 1)
        for begin in range(len(marked) - size + 1)
    }
    return (part for part in found if part not in "<>")


def parts_of(words: Sequence[str], shortest: int, longest: int) -> tuple[tuple[str, ...], Parts]:
    """The n-grams that two words or more have, and the rows of each word: its own, and those of its n-grams behind V.

    Args:
        shortest, longest: lengths of n-grams; ``shortest`` 0 for none.
    """
    if not shortest:
        return (), Parts.none()
    found = Counter(part for word in words for part in ngrams_of(word, shortest, longest))
    rows = {part: len(words) + number for number, part in enumerate(sorted(p for p, n in found.items() if n > 1))}
    flat: list[int] = []
    ends = np.zeros(len(words) + 1, np.int64)
    for number, word in enumerate(words):
        flat.append(number)
        flat.extend(rows[part] for part in ngrams_of(word, shortest, longest) if part in rows)
        ends[number + 1] = len(flat)
    return tuple(rows), Parts(np.array(flat, np.int32), ends)
