"""Phrases: two words that follow each other far more often than by chance, taken as one (Mikolov et al. 2013b, sec. 4).

A phrase is written with ``_`` between its words, which no word has within.
"""

from collections.abc import Iterable, Iterator, Set

from selftaught.word2vec.counting import Tallied

MARK = "_"


def joined(words: Iterable[str], phrases: Set[str]) -> Iterator[str]:
    """The words, where two that follow each other and are a phrase are one; the first that can be is."""
    before: str | None = None
    for word in words:
        if before is None:
            before = word
        elif (both := before + MARK + word) in phrases:
            yield both
            before = None
        else:
            yield before
            before = word
    if before is not None:
        yield before


def phrases_in(pairs: Tallied, words: Tallied, threshold: float, min_count: int) -> set[str]:
    """The pairs that occur ``min_count`` times and score more than ``threshold``.

    The score is (count of both - min_count) / (count of one x count of the other) x words of the text: how many times
    as often as by chance they meet, where those that met rarely are discounted (equation 6).

    Args:
        pairs: how often each pair occurs, written as a phrase.
        words: how often each word occurs.
    """
    total, found = words.total, set()
    for pair, count in pairs.items():
        first, _, second = pair.partition(MARK)
        score = (count - min_count) / (words[first] * words[second]) * total
        if count >= min_count and score > threshold:
            found.add(pair)
    return found
