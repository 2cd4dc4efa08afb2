"""What a pretrained network must beat on pairs of texts: the words that both have and the words that one has."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from selftaught.metrics.baselines import is_chinese, logistic_labels, tfidf

PAIR_LOGISTIC = "TF-IDF pair + logistic regression"
COSINE, RIDGE, MEAN = "TF-IDF cosine", "TF-IDF + ridge regression", "mean score"
FOLDS = 4
GRID = (0.1, 1.0, 10.0, 100.0)
MOST_STEPS = 300

Pairs = Sequence[tuple[str, str]]


def pair_logistic(train: Pairs, labels: Sequence[str], test: Pairs, seed: int) -> list[str]:
    """Labels of the test pairs by logistic regression on what :func:`pair_features` makes of them."""
    rows, asked = pair_features(train, test)
    return logistic_labels(rows, labels, asked, seed)


def pair_features(train: Pairs, test: Pairs) -> tuple[Any, Any]:
    """CSR matrices [N, D] and [M, D]: where the TF-IDF rows of the two texts differ, where they agree, and the overlap.

    The overlap is their cosine, the share of the words of either that both have (Jaccard), the shares of the words of
    each that the other has, and how alike they are in length. Terms and their weights are counted on all texts, for
    that needs no label: with eight training pairs, they would hold hardly a word of the test.
    """
    from scipy.sparse import csr_matrix, hstack  # type: ignore[import-untyped]

    pairs = [*train, *test]
    first, second = _both_sides(pairs)
    agree = first.multiply(second)
    words_first, words_second = first.sign(), second.sign()
    both = _row_sums(words_first.multiply(words_second))
    own, other = _row_sums(words_first), _row_sums(words_second)
    overlap = [
        _row_sums(agree),
        _ratio(both, own + other - both),
        _ratio(both, own),
        _ratio(both, other),
        _ratio(np.minimum(own, other), np.maximum(own, other)),
    ]
    columns = csr_matrix(np.stack(overlap, axis=1).astype(np.float32))
    rows = hstack([abs(first - second), agree, columns], format="csr", dtype=np.float32) / 2  # about one long
    return rows[: len(train)], rows[len(train) :]


def cosine_scores(train: Pairs, scores: Sequence[float], test: Pairs) -> list[float]:
    """The cosine of the two TF-IDF rows, moved and stretched to the mean and the spread of the training scores."""
    cosine = cosines([*train, *test])
    seen = cosine[: len(train)]
    stretched = np.mean(scores) + (cosine[len(train) :] - seen.mean()) * (np.std(scores) / max(seen.std(), 1e-6))
    return [float(score) for score in stretched]


def cosines(pairs: Pairs) -> np.ndarray:
    """How alike the texts of each pair are by their words: the cosine of their TF-IDF rows, float64 [N]."""
    first, second = _both_sides(pairs)
    return _row_sums(first.multiply(second)).astype(np.float64)


def ridge_scores(train: Any, scores: Sequence[float], test: Any, seed: int) -> list[float]:
    """Scores of test rows (CSR [M, D]) by ridge regression on training rows (CSR [N, D]).

    The strength of the penalty is chosen on held-out quarters of the training rows, where there are enough of them.
    """
    truth = np.asarray(scores, np.float64)
    fold = np.random.default_rng([seed, len(truth)]).permutation(len(truth)) % FOLDS
    errors = []
    for strength in GRID if len(truth) >= 2 * FOLDS else GRID[1:2]:
        parts = [
            _ridge(train[fold != held], truth[fold != held], train[fold == held], strength) - truth[fold == held]
            for held in range(FOLDS)
            if (fold == held).any() and (fold != held).any()
        ]
        errors.append((float(np.square(np.concatenate(parts)).mean()) if parts else 0.0, strength))
    return [float(score) for score in _ridge(train, truth, test, min(errors)[1])]


def _ridge(train: Any, scores: np.ndarray, test: Any, strength: float) -> np.ndarray:
    from sklearn.linear_model import Ridge

    model = Ridge(strength, solver="sparse_cg", max_iter=MOST_STEPS)
    return np.asarray(model.fit(train, scores).predict(test))


def _both_sides(pairs: Pairs) -> tuple[Any, Any]:
    """TF-IDF rows of the first and of the second texts, CSR [N, D] each, with weights counted on all of them."""
    texts = [first for first, _ in pairs] + [second for _, second in pairs]
    rows, _ = tfidf(texts, texts[:1], is_chinese(texts))
    return rows[: len(pairs)], rows[len(pairs) :]


def _row_sums(rows: Any) -> np.ndarray:
    return np.asarray(rows.sum(axis=1), np.float32).ravel()


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
