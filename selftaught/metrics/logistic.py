"""Multinomial logistic regression whose strength of regularisation is chosen on the labels it is given.

Probe and TF-IDF baseline both call `fit_logistic`, so that the verdict compares features and not the care
with which two classifiers were tuned.

The objective is scikit-learn's: ``C * sum(weighted cross-entropy) + ||weight||² / 2``, bias free, classes
weighted inversely to their frequency. It is minimised by L-BFGS in coordinates where the problem is well
conditioned: the features are rotated to their principal axes (exact, because the penalty does not see
rotations, and with N < D rows it leaves N columns instead of D), and each axis is divided by the square
root of its curvature (the bound of Böhning 1992, "Multinomial logistic regression algorithm", scaled to K
equal classes).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

GRID = (0.1, 1.0, 10.0, 100.0, 1000.0)
DEFAULT_C = 10.0  # where most rows are the only one of their class, and cannot be held out
FOLDS = 4
SELECTION_ROWS = 1500  # C multiplies a sum over rows: the C that is best for a sample is good for all
ROTATION_LIMIT = 1500  # an eigendecomposition beyond this size costs more than it saves


def fit_logistic(
    features: Any,
    codes: np.ndarray,
    seed: int = 0,
    *,
    certainty: np.ndarray | None = None,
    strength: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Weight [D, K] and bias [K], float32, of the classifier with the C that predicts held-out rows best.

    Args:
        features: dense array or scipy CSR matrix [N, D], float32, rows about one long (GRID expects that).
        codes: the class of each row, 0 … K - 1, each at least once [N].
        seed: decides the folds, where C is chosen.
        certainty: how much each row counts beside the others of its class, [N]; equally if not given.
        strength: C; chosen if not given.
    """
    # on busy cores the threads of one BLAS call wait for each other ten times longer than they work
    with threadpool_limits(1, "blas"):
        strength = strength or _choose_strength(features, codes, seed)
        axes = _principal_axes(features)
        weights = row_weights(codes, certainty)
        solution = _minimise(axes, codes, weights, strength, axes.zeros(codes.max() + 1), precision=1e-5)
        return axes.back(solution[:-1]), solution[-1].astype(np.float32)


@dataclass(frozen=True)
class _Axes:
    """The features in coordinates of known curvature."""

    rows: Any  # [N, R]
    energy: np.ndarray  # [R] sum of squares of each column
    basis: Any  # [D, R], or None where the coordinates are the features' own

    def zeros(self, classes: int) -> np.ndarray:
        return np.zeros((self.rows.shape[1] + 1, classes))  # [R + 1, K]: the last row is the bias

    def take(self, chosen: np.ndarray) -> "_Axes":
        return _Axes(self.rows[chosen], self.energy * chosen.mean(), self.basis)

    def back(self, weight: np.ndarray) -> np.ndarray:
        return np.asarray(weight if self.basis is None else self.basis @ weight, dtype=np.float32)


def _principal_axes(features: Any) -> _Axes:
    from scipy.sparse import issparse  # type: ignore[import-untyped]

    rows, columns = features.shape
    if min(rows, columns) > ROTATION_LIMIT:
        squares = features.multiply(features) if issparse(features) else features * features
        return _Axes(features, np.asarray(squares.sum(axis=0), dtype=np.float64).ravel(), None)
    short = rows < columns
    gram = features @ features.T if short else features.T @ features
    energy, vectors = np.linalg.eigh(gram.toarray() if issparse(gram) else gram)
    kept = energy > 1e-6 * max(float(energy[-1]), 1e-30)
    energy, vectors = energy[kept], vectors[:, kept]
    if not short:
        return _Axes(np.asarray(features @ vectors), energy, vectors)
    length = np.sqrt(energy)
    return _Axes(vectors * length, energy, features.T @ (vectors / length))


def _choose_strength(features: Any, codes: np.ndarray, seed: int) -> float:
    """The C with which most held-out rows are right, every class counting the same.

    Where several do equally well, as they do with few labels, the one of least cross-entropy. (Cross-entropy
    alone asks for sure answers more than for right ones: it cost TF-IDF up to four points of accuracy.)
    """
    fold = assign_folds(codes, seed)
    if np.mean(fold[fold > -2] >= 0) < 0.5:
        return DEFAULT_C
    axes, codes, fold = _principal_axes(features[fold > -2]), codes[fold > -2], fold[fold > -2]
    quality = np.zeros((len(GRID), 2))  # held-out rows that are right, and their log-likelihood
    for held_out in range(fold.max() + 1):
        train, test = fold != held_out, fold == held_out
        seen, solution = axes.take(train), axes.zeros(codes.max() + 1)
        for index, strength in enumerate(GRID):  # each C starts where the one before it came to rest
            solution = _minimise(seen, codes[train], row_weights(codes[train]), strength, solution, precision=1e-4)
            quality[index] += _quality(axes.rows[test], codes[test], solution, row_weights(codes)[test])
    return max(zip(quality.round(6).tolist(), GRID, strict=True))[1]


def assign_folds(codes: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each row [N]: 0 … FOLDS - 1, -1 where always trained on, -2 where left out of the choice.

    Stratified. The only row of a class is never held out, so that every fold knows every class.
    """
    rng = np.random.default_rng([seed, len(codes)])
    share = min(1.0, SELECTION_ROWS / len(codes))
    fold = np.full(len(codes), -2)
    folds = min(FOLDS, int(np.bincount(codes).max()))
    for code in range(codes.max() + 1):
        rows = rng.permutation(np.flatnonzero(codes == code))
        rows = rows[: max(2, round(share * len(rows)))]
        fold[rows] = (np.arange(len(rows)) + rng.integers(folds)) % folds if len(rows) > 1 else -1
    return fold


def row_weights(codes: np.ndarray, certainty: np.ndarray | None = None) -> np.ndarray:
    """Weights [N] of mean 1 that give every class the same total; within a class they follow ``certainty``."""
    each = np.ones(len(codes)) if certainty is None else certainty
    totals = np.bincount(codes, each)
    return each * len(codes) / (np.count_nonzero(totals) * totals[codes])


def _minimise(
    axes: _Axes, codes: np.ndarray, weight: np.ndarray, strength: float, start: np.ndarray, precision: float
) -> np.ndarray:
    """Weight and bias [R + 1, K] that minimise the objective, to a relative precision a step."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    rows, everyone = axes.rows, np.arange(len(codes))
    weights = weight.astype(np.float32)[:, None]
    total_weight = strength * len(codes)
    curvature = np.append(axes.energy, len(codes)) * strength / start.shape[1]
    scale = np.sqrt(1 + curvature)[:, None]  # [R + 1, 1]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        solution = flat.reshape(start.shape) / scale
        narrow = solution.astype(np.float32)
        logits = rows @ narrow[:-1] + narrow[-1]  # [N, K]
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[everyone, codes]
        np.exp(logits, out=logits)
        total = logits.sum(axis=1, keepdims=True)
        losses = np.log(total[:, 0], dtype=np.float64) - right
        logits *= weights / total
        logits[everyone, codes] -= weights[:, 0]
        gradient = np.empty(start.shape)
        gradient[:-1] = rows.T @ logits
        gradient[-1] = logits.sum(axis=0)
        gradient /= len(codes)
        gradient[:-1] += solution[:-1] / total_weight
        penalty = 0.5 * float(np.vdot(solution[:-1], solution[:-1])) / total_weight
        return float(losses @ weights[:, 0]) / len(codes) + penalty, (gradient / scale).ravel()

    found = minimize(
        objective,
        (start * scale).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 60, "ftol": precision, "gtol": 1e-10, "maxcor": 3, "maxls": 10},
    )
    return found.x.reshape(start.shape) / scale


def _quality(rows: Any, codes: np.ndarray, solution: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    narrow = solution.astype(np.float32)
    logits = rows @ narrow[:-1] + narrow[-1]
    logits -= logits.max(axis=1, keepdims=True)
    likelihood = logits[np.arange(len(codes)), codes] - np.log(np.exp(logits).sum(axis=1))
    return float(weights @ (logits.argmax(axis=1) == codes)), float(weights @ likelihood)
