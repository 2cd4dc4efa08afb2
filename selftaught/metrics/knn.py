"""Nearest neighbours by cosine: the measure of features that has nothing to train."""

from collections.abc import Sequence

import numpy as np

TEMPERATURE = 0.07
CHUNK = 1024  # test rows compared at once


def knn_predict(train: np.ndarray, train_labels: Sequence[str], test: np.ndarray, k: int = 20) -> list[str]:
    """The label of each test row [M, D] by vote of its k most similar training rows [N, D].

    A neighbour's vote is ``exp(cosine / 0.07)`` (Wu et al. 2018, "Unsupervised feature learning via
    non-parametric instance discrimination", section 3.4), so that far neighbours hardly count where a class
    has fewer than k rows. A tie goes to the class that is alphabetically first.
    """
    classes, codes = np.unique(train_labels, return_inverse=True)
    known = _unit_rows(train)
    k = min(k, len(known))
    one_hot = np.eye(len(classes), dtype=np.float32)[codes]  # [N, K]
    guesses = []
    for first in range(0, len(test), CHUNK):
        similarity = _unit_rows(test[first : first + CHUNK]) @ known.T  # [m, N]
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        closeness = np.take_along_axis(similarity, nearest, axis=1)
        votes = np.exp((closeness - 1) / TEMPERATURE)
        guesses.append(np.einsum("mk,mkc->mc", votes, one_hot[nearest]).argmax(axis=1))
    return [str(classes[code]) for code in np.concatenate(guesses)] if guesses else []


def _unit_rows(features: np.ndarray) -> np.ndarray:
    rows = np.asarray(features, dtype=np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
