"""Word vectors without labels: what stands near a word, in a few hundred numbers (Levy and Goldberg 2014).

The matrix of positive pointwise mutual information between words and the words near them is what skip-gram with
negative sampling factorises in the limit. Here its singular value decomposition is taken at once, which for some
megabytes of text takes seconds. The vector of a text is the mean of its words', in which common words count little
(Arora et al. 2017).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

_DIMENSIONS = 200
_WINDOW = 8  # words on either side; the d-th counts 1 / sqrt(d)
_LEAST = 3  # texts that have a word
_SMOOTHING = 0.75  # the power of the frequencies of contexts (Levy et al. 2015, section 3.2)
_COMMON = 1e-2  # a word that this share of all texts has counts half
_WORD = re.compile(r"\b\w+\b|[!?]")


@dataclass(frozen=True)
class WordVectors:
    """Vectors of words, and of texts by their words.

    Args:
        numbers: the number of each word.
        vectors: float32 [V, D].
        weights: what each word counts in a text, float32 [V].
        centre: of the vectors of the texts learned from, float32 [D].
        chinese: whether a word is a character or a pair of characters.
    """

    numbers: dict[str, int]
    vectors: np.ndarray
    weights: np.ndarray
    centre: np.ndarray
    chinese: bool

    @classmethod
    def of(cls, texts: Sequence[str], *, chinese: bool) -> "WordVectors | None":
        """Learned from ``texts``; None if these have too few words in common."""
        from sklearn.utils.extmath import randomized_svd

        split = [_sequences(text, chinese) for text in texts]
        numbers, shares = _vocabulary(split)
        near = _near(list(chain(*split)), numbers)
        if near.nnz == 0 or len(numbers) <= 2:
            return None
        size = min(_DIMENSIONS, len(numbers) - 1)
        with threadpool_limits(1, "blas"):
            left, strengths, _ = randomized_svd(_positive_information(near), size, n_iter=4, random_state=0)
        vectors, weights = left * strengths**0.5, _COMMON / (_COMMON + shares)
        found = cls(
            numbers, vectors.astype(np.float32), weights.astype(np.float32), np.zeros(size, np.float32), chinese
        )
        return replace(found, centre=found.of_texts(texts).mean(axis=0))

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of length one, float32 [N, D]; zeros for a text without a known word."""
        found = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
        for row, text in zip(found, texts, strict=True):
            words = [self.numbers[w] for w in chain(*_sequences(text, self.chinese)) if w in self.numbers]
            row += self.weights[words] @ self.vectors[words]
        return unit_rows(unit_rows(found) - self.centre * (found != 0).any(axis=1, keepdims=True))


def _sequences(text: str, chinese: bool) -> list[list[str]]:
    """The words of a text in their order; Chinese as its characters and as its pairs of them, one after the other."""
    if not chinese:
        return [_WORD.findall(text.lower())]
    characters = "".join(text.split())
    return [list(characters), [characters[i : i + 2] for i in range(len(characters) - 1)]]


def _vocabulary(texts: Sequence[Sequence[Sequence[str]]]) -> tuple[dict[str, int], np.ndarray]:
    """The number of each word that several texts have, and the share of texts that have it, [V]."""
    counts = Counter(word for text in texts for word in set(chain(*text)))
    kept = sorted(word for word, count in counts.items() if count >= _LEAST)
    return {word: i for i, word in enumerate(kept)}, np.array([counts[word] for word in kept]) / max(len(texts), 1)


def _near(rows: Sequence[Sequence[str]], numbers: dict[str, int]) -> Any:
    """How much each word stands near each other one: CSR [V, V], symmetric."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    ids = np.array([numbers.get(word, -1) for row in rows for word in row], dtype=np.int64)
    owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    total = csr_matrix((len(numbers), len(numbers)), dtype=np.float64)
    for distance in range(1, _WINDOW + 1):
        one, other = ids[:-distance], ids[distance:]
        both = (one >= 0) & (other >= 0) & (owner[:-distance] == owner[distance:])
        counts = np.full(int(both.sum()), distance**-0.5)
        total = total + csr_matrix((counts, (one[both], other[both])), shape=total.shape)
    return total + total.T


def _positive_information(near: Any) -> Any:
    """The pointwise mutual information of each word with those near it where that is positive, CSR [V, V]."""
    from scipy.sparse import csr_matrix

    words = np.asarray(near.sum(axis=1)).ravel()
    contexts = words**_SMOOTHING / (words**_SMOOTHING).sum()
    pairs = near.tocoo()
    information = np.log(pairs.data / (words[pairs.row] * contexts[pairs.col]))
    kept = information > 0
    return csr_matrix((information[kept], (pairs.row[kept], pairs.col[kept])), shape=near.shape)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows of length one, float32; a row of zeros stays one."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)
