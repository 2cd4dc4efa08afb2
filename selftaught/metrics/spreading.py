"""Few labels and many texts without one: labels spread to texts that are alike, and a classifier learns from them all.

Labels spread along a graph of nearest neighbours (Zhou et al. 2004, "Learning with local and global consistency").
What is alike is what several views agree on, none of which needs a label: the texts' words, in the directions in
which they vary together (latent semantic analysis, Deerwester et al. 1990), the mean of their words' vectors, and a
network's features. A linear classifier on the words learns the labels that arrived, each as far as it is sure. It is
averaged with one that learns the true labels alone from all views: where spreading misleads, that one keeps the answer.
docs/lab.md says what this is worth, and where nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from selftaught.metrics.baselines import tfidf
from selftaught.metrics.logistic import DEFAULT_C, fit_logistic
from selftaught.metrics.word_vectors import WordVectors, unit_rows

MOST_TEXTS = 5_000
"""To how many texts labels spread at most, those with a label among them: time and memory grow with the square."""

NEIGHBOURS = 10
_KEPT = 0.9  # of what arrives at a text comes from its neighbours; the rest is its own label, if it has one
_ROUNDS = 30
_SHARPNESS = 3  # the power of a cosine that weighs a neighbour
_DIRECTIONS = 300
_LATENT_WEIGHT = 0.7  # of the latent directions beside the words themselves, of which they are made
_FEATURES = 256
_STRENGTH = 30.0  # C on all views; to choose it for each draw took minutes and gained nothing (docs/lab.md)
_TRUE_WEIGHT = 3.0  # of a true label, beside the certainty of one that arrived
_CHUNK = 1024

Rows = tuple[Any, Any]
"""The same of the N texts and of the M asked: two matrices with one number of columns."""


@dataclass(frozen=True)
class TextViews:
    """Texts that may get a label, N, and texts to be answered, M, as their words show them.

    Args:
        words: TF-IDF weights, CSR [N, V] and [M, V].
        dense: the other views, each [N, D] and [M, D].
    """

    words: Rows
    dense: tuple[Rows, ...]

    @classmethod
    def of(cls, texts: Sequence[str], asked: Sequence[str], *, chinese: bool) -> "TextViews":
        """Of ``asked`` nothing is learned."""
        counted, new = tfidf(texts, asked, chinese)
        repeated = counted.getnnz(axis=0) > 1  # a term of a single text tells nothing about another
        words = counted[:, repeated].tocsr(), new[:, repeated].tocsr()
        dense = [_latent(*words)]
        if (vectors := WordVectors.of(texts, chinese=chinese)) is not None:
            dense.append((vectors.of_texts(texts), vectors.of_texts(asked)))
        return cls(words, tuple(dense))


@dataclass(frozen=True)
class Spreader:
    """Texts that may get a label and texts to be answered, seen in several ways.

    Args:
        words: TF-IDF weights, CSR [N, V] and [M, V].
        views: these and everything else that is known of the texts side by side, CSR.
        graph: how alike the N texts are, symmetrically normalised, CSR [N, N].
    """

    words: Rows
    views: Rows
    graph: Any

    @classmethod
    def of(cls, seen: TextViews, features: np.ndarray | None) -> "Spreader":
        """The graph of the texts.

        Args:
            features: of a network, of the texts and then of those asked, [N + M, D]; None to see the words alone.
        """
        from scipy.sparse import csr_matrix, hstack  # type: ignore[import-untyped]

        dense, count = list(seen.dense), seen.words[0].shape[0]
        if features is not None:
            dense.append(_principal(features[:count], features[count:]))
        weights = [_LATENT_WEIGHT, *[1.0] * (len(dense) - 1)]
        known, unknown = (
            hstack([seen.words[i], *(csr_matrix(w * view[i]) for w, view in zip(weights, dense, strict=True))]).tocsr()
            for i in (0, 1)
        )
        return cls(seen.words, (known, unknown), neighbour_graph(np.hstack([view[0] for view in dense])))

    def answers(self, rows: Sequence[int], labels: Sequence[str]) -> list[str]:
        """The label of each asked text, where the texts ``rows`` have these labels and the others none."""
        classes, shares = self.shares(rows, labels)
        return [classes[code] for code in shares.argmax(axis=1)]

    def shares(self, rows: Sequence[int], labels: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """The K classes, and for each asked text how much speaks for each: float32 [M, K], of sum 1."""
        classes, codes = np.unique(labels, return_inverse=True)
        weight, bias = fit_logistic(self.views[0][rows], codes, strength=_STRENGTH)
        shares = _softmax(self.views[1] @ weight + bias)
        if len(rows) < self.words[0].shape[0]:
            arrived = spread_labels(self.graph, np.asarray(rows), codes, len(classes))
            certainty = arrived.max(axis=1)
            certainty[rows] = _TRUE_WEIGHT
            reached = np.flatnonzero(certainty > 0)
            weight, bias = fit_logistic(
                self.words[0][reached],
                arrived.argmax(axis=1)[reached],
                certainty=certainty[reached],
                strength=DEFAULT_C,
            )
            shares = (shares + _softmax(self.words[1] @ weight + bias)) / 2
        return list(map(str, classes)), shares


def spread_labels(graph: Any, rows: np.ndarray, codes: np.ndarray, classes: int) -> np.ndarray:
    """How much of each class arrives at each text, as shares of what arrives there: float32 [N, K].

    Args:
        graph: from :func:`neighbour_graph`, [N, N].
        rows, codes: which texts have a label, and its class.

    Returns:
        rows of zeros for texts that nothing reaches. A text with a label keeps it.
    """
    own = np.zeros((graph.shape[0], classes), np.float32)
    own[rows, codes] = 1
    arrived = own
    for _ in range(_ROUNDS):
        arrived = _KEPT * (graph @ arrived) + (1 - _KEPT) * own
    arrived = arrived / np.maximum(arrived.sum(axis=0, keepdims=True), 1e-12)  # no class is larger than another
    arrived = arrived / np.maximum(arrived.sum(axis=1, keepdims=True), 1e-12)
    arrived[rows] = own[rows]
    return arrived


def neighbour_graph(points: np.ndarray) -> Any:
    """The ten nearest neighbours of each point by cosine, in both directions: CSR [N, N].

    Args:
        points: [N, D].

    Returns:
        weights divided by the square roots of both points' totals, as in the paper; nobody is its own neighbour.
    """
    from scipy.sparse import csr_matrix, diags

    unit = unit_rows(points)
    count, kept = len(unit), min(NEIGHBOURS, len(unit) - 1)
    columns, weights = [], []
    for first in range(0, count, _CHUNK):
        near = unit[first : first + _CHUNK] @ unit.T  # [n, N]
        near[np.arange(len(near)), np.arange(first, first + len(near))] = -1
        nearest = np.argpartition(-near, kept - 1, axis=1)[:, :kept]
        columns.append(nearest)
        weights.append(np.maximum(np.take_along_axis(near, nearest, axis=1), 0) ** _SHARPNESS)
    places = np.repeat(np.arange(count), kept)
    graph = csr_matrix((np.concatenate(weights).ravel(), (places, np.concatenate(columns).ravel())), (count, count))
    graph = graph.maximum(graph.T)
    scale = diags(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12) ** -0.5)
    return (scale @ graph @ scale).tocsr().astype(np.float32)


def _latent(words: Any, asked: Any) -> Rows:
    from sklearn.decomposition import TruncatedSVD

    directions = min(_DIRECTIONS, words.shape[1] - 1, words.shape[0] - 1)
    axes = TruncatedSVD(directions, n_iter=3, random_state=0).fit(words)
    return unit_rows(axes.transform(words)), unit_rows(axes.transform(asked))


def _principal(features: np.ndarray, asked: np.ndarray) -> Rows:
    """The directions in which standardised features vary most, as rows of length one."""
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    known, unknown = (features - centre) / scale, (asked - centre) / scale
    with threadpool_limits(1, "blas"):
        _, axes = np.linalg.eigh(known.T @ known)
    axes = axes[:, -min(_FEATURES, *known.shape) :]
    return unit_rows(known @ axes), unit_rows(unknown @ axes)


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
