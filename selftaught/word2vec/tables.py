"""The tables that training reads from, made from the words and how often they occur."""

import heapq
import math
from dataclasses import dataclass

import numpy as np

from selftaught.word2vec.forms import Aims, Parts
from selftaught.word2vec.ngrams import parts_of
from selftaught.word2vec.options import WordObjective
from selftaught.word2vec.vocabulary import Vocabulary

NOISE_POWER = 0.75  # of the frequencies that noise words are drawn by (Mikolov et al. 2013b, section 2.2)


@dataclass(frozen=True)
class Tables:
    """Everything a kernel is given beside text and matrices.

    Args:
        keep: how likely each word is to be read, float32 [V].
        chance: the loss of a prediction, in nats, of one who says even odds at each question.
        ngrams: what stands in the inputs behind the words.
    """

    keep: np.ndarray
    aims: Aims
    parts: Parts
    chance: float
    ngrams: tuple[str, ...]

    @classmethod
    def of(cls, objective: WordObjective, vocabulary: Vocabulary) -> "Tables":
        """Those of an objective."""
        keep = vocabulary.keep(objective.sample)
        if objective.negatives:
            aims, questions = noise(vocabulary), 1.0 + objective.negatives
        else:
            aims = huffman(vocabulary)
            questions = float(np.average(np.diff(aims.ends), weights=vocabulary.shares * keep))
        ngrams, parts = parts_of(vocabulary.words, objective.min_n, objective.max_n)
        return cls(keep, aims, parts, questions * math.log(2), ngrams)

    @property
    def has_parts(self) -> bool:
        """Whether words may have more rows than one."""
        return len(self.parts.ends) > 0

    def composed(self, inputs: np.ndarray) -> np.ndarray:
        """Each word's vector, the mean of its rows, float32 [V, D]."""
        if not self.has_parts:
            return inputs
        vectors = np.empty((len(self.keep), inputs.shape[1]), np.float32)
        for word in range(len(vectors)):
            vectors[word] = inputs[self.parts.rows[self.parts.ends[word] : self.parts.ends[word + 1]]].mean(0)
        return vectors


def noise(vocabulary: Vocabulary) -> Aims:
    """The table that noise words are drawn by (Walker 1977), by Vose's method (1991)."""
    weights = vocabulary.counts**NOISE_POWER
    heights = weights / weights.sum() * len(vocabulary)
    share, other = np.ones(len(vocabulary), np.float32), np.arange(len(vocabulary), dtype=np.int32)
    low = [number for number, height in enumerate(heights) if height < 1]
    high = [number for number, height in enumerate(heights) if height >= 1]
    while low and high:
        small, large = low.pop(), high.pop()
        share[small], other[small] = heights[small], large
        heights[large] -= 1 - heights[small]
        (low if heights[large] < 1 else high).append(large)
    return Aims(share, other, np.zeros(0, np.int64))


def huffman(vocabulary: Vocabulary) -> Aims:
    """The way to each word through Huffman's tree of their counts: common words have short ways.

    The V - 1 places where ways part have a row of the outputs each, the root the first and others the earlier the more
    often they are passed (Mikolov et al. 2013b, section 2.1; Morin and Bengio 2005).
    """
    words = len(vocabulary)
    above, turns = np.zeros(2 * words - 1, np.int64), np.ones(2 * words - 1, np.float32)
    heap = [(int(count), number) for number, count in enumerate(vocabulary.counts)]
    heapq.heapify(heap)
    for made in range(words, 2 * words - 1):
        (first, left), (second, right) = heapq.heappop(heap), heapq.heappop(heap)
        above[left] = above[right] = made
        turns[right] = -1
        heapq.heappush(heap, (first + second, made))
    root, ends = 2 * words - 2, np.zeros(words + 1, np.int64)
    links: list[int] = []
    signs: list[float] = []
    for word in range(words):
        place = word
        while place != root:
            links.append(root - int(above[place]))
            signs.append(float(turns[place]))
            place = above[place]
        ends[word + 1] = len(links)
    return Aims(np.array(signs, np.float32), np.array(links, np.int32), ends)
