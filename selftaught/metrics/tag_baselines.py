"""What a tagger must beat: each word's own most frequent tag, and saying nothing."""

from collections import Counter, defaultdict
from collections.abc import Sequence

WORD_TAGS, ALL_OUTSIDE = "most frequent tag per word", "no entities"  # the names that a verdict shows

Sentences = Sequence[Sequence[str]]


def word_tags(words: Sentences, tags: Sentences, test: Sentences, outside: str = "O") -> list[list[str]]:
    """For each word of the test the tag that it most often has in training, ``outside`` for a word that is not there.

    Of equally frequent tags it is the alphabetically last, which is outside sooner than within.

    Args:
        words, tags: of the training sentences.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for some, their in zip(words, tags, strict=True):
        for word, tag in zip(some, their, strict=True):
            counts[word][tag] += 1
    usual = {word: max(seen, key=lambda tag: (seen[tag], tag)) for word, seen in counts.items()}
    return [[usual.get(word, outside) for word in some] for some in test]
