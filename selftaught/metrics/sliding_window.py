"""What a network that answers questions must beat: the place in the text that has most of the question's words."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import log1p

import numpy as np

from selftaught.metrics.baselines import CJK, is_chinese
from selftaught.pretext.sentences import sentence_starts

SENTENCE, WORDS, NOTHING = "sliding window, sentence", "sliding window, words nearest to it", "no answer"
NEAR = 3  # words: at this distance a word of the question counts half
_UNIT = re.compile(rf"[{CJK}]|[^\W{CJK}]+(?:[-'’.,][^\W{CJK}]+)*|[^\w\s]")

Place = tuple[int, int]
"""Where an answer begins and ends, in characters of the context."""


@lru_cache(maxsize=1 << 15)  # a verdict asks the same questions for each draw of labels
def nearest_sentence(question: str, context: str) -> Place:
    """The sentence with the window that has most in common with the question (Richardson et al. 2013, algorithm 1).

    The window is as long as the question. A word that both have counts ln(1 + 1 / how often the context has it); in
    Chinese it is pairs of characters that both must have.
    """
    found = _Matched(question, context)
    return found.sentence(found.best)


@lru_cache(maxsize=1 << 15)
def nearest_words(question: str, context: str) -> Place:
    """Within that sentence, the words in a row that stand nearest to those of the question.

    They hold none of these, no punctuation, and none of the commonest words of English; where nothing else is left, it
    is the sentence. It is the second half of the baseline of SQuAD's authors, with such rows in the place of a parser's
    constituents (Rajpurkar et al. 2016, section 5.1).
    """
    found = _Matched(question, context)
    rows = [(found.nearness(row), -row[0], row) for row in found.rows(found.best)]
    if not rows:
        return found.sentence(found.best)
    row = max(rows)[2]
    return found.units[row[0]][1], found.units[row[-1]][2]


@dataclass(frozen=True)
class _Matched:
    """A context in words, or in Chinese characters, and what each has to do with the question."""

    question: str
    context: str

    @cached_property
    def units(self) -> list[tuple[str, int, int]]:
        """Each word or mark in lower case, and where it begins and ends."""
        return [(unit.group().lower(), *unit.span()) for unit in _UNIT.finditer(self.context)]

    @cached_property
    def asked(self) -> list[str]:
        return [word for word in map(str.lower, _UNIT.findall(self.question)) if word.isalnum()]

    @cached_property
    def starts(self) -> list[int]:
        return sentence_starts(self.context) or [0]

    @cached_property
    def sentences(self) -> list[np.ndarray]:
        """The places of each sentence's units."""
        inner = np.array(self.starts[1:])
        numbers = np.searchsorted(inner, [begin for _, begin, _ in self.units], side="right")
        return [np.flatnonzero(numbers == number) for number in range(len(self.starts))]

    @cached_property
    def weights(self) -> np.ndarray:
        """How much each unit counts, float64 [N]; 0 for what the question does not have."""
        words = [word for word, _, _ in self.units]
        size = 2 if is_chinese([self.context]) else 1
        grams = {tuple(self.asked[i : i + size]) for i in range(len(self.asked) - size + 1)}
        counts, weights = Counter(words), np.zeros(len(words))
        for i in range(len(words) - size + 1):
            if tuple(words[i : i + size]) in grams:
                weights[i : i + size] = [log1p(1 / counts[word]) for word in words[i : i + size]]
        return weights

    @cached_property
    def best(self) -> int:
        """The number of the sentence with the best window."""
        return max(range(len(self.sentences)), key=lambda number: self._best_window(self.sentences[number]))

    def _best_window(self, places: np.ndarray) -> float:
        sums = np.concatenate([[0.0], np.cumsum(self.weights[places])])
        width = min(max(len(self.asked), 1), len(places))
        return float((sums[width:] - sums[: len(sums) - width]).max())

    def sentence(self, number: int) -> Place:
        """Where a sentence stands, without the space around it."""
        begin, end = [*self.starts, len(self.context)][number : number + 2]
        text = self.context[begin:end]
        begin += len(text) - len(text.lstrip())
        return begin, begin + len(text.strip())

    def rows(self, number: int) -> Iterator[list[int]]:
        """The units of a sentence that may be the answer, as long as they stand side by side."""
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        row: list[int] = []
        for place in self.sentences[number].tolist():
            word = self.units[place][0]
            if self.weights[place] or not word[0].isalnum() or word in ENGLISH_STOP_WORDS:
                if row:
                    yield row
                row = []
            else:
                row.append(place)
        if row:
            yield row

    def nearness(self, row: list[int]) -> float:
        """The weights of the question's words in the sentence, each by its distance, as a mean over the row."""
        places = self.sentences[self.best]
        distance = np.abs(np.array(row)[:, None] - places[None])
        return float((self.weights[places] / (1 + distance / NEAR)).sum(axis=1).mean())
