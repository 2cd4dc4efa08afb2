"""How good predicted labels, sets of labels and numbers are."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from selftaught.errors import SelftaughtError


def classification_scores(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """``{"accuracy": …, "macro_f1": …}``, each in [0, 1].

    Macro-F1 is the plain mean of F1 over every class that occurs in either sequence (0 for a class never
    hit), so that a rare class counts as much as a common one.

    Raises:
        SelftaughtError: there is no row to score.
        ValueError: the sequences differ in length.
    """
    _require_rows(truth, predicted)
    classes, codes = np.unique([*truth, *predicted], return_inverse=True)
    true, guess = codes[: len(truth)], codes[len(truth) :]
    right = true == guess
    hits = np.bincount(true[right], minlength=len(classes))
    seen = np.bincount(codes, minlength=len(classes))  # 2 hits + misses + false alarms
    return {"accuracy": float(right.mean()), "macro_f1": float(np.mean(2 * hits / seen))}


def one_class_f1(truth: Sequence[str], predicted: Sequence[str], name: str) -> float:
    """F1 of one class, in [0, 1]; 0 where it is never hit."""
    hits = sum(t == p == name for t, p in zip(truth, predicted, strict=True))
    return 2 * hits / max(1, truth.count(name) + predicted.count(name))


def several_label_scores(truth: Sequence[Collection[str]], predicted: Sequence[Collection[str]]) -> dict[str, float]:
    """``{"micro_f1": …, "macro_f1": …, "exact_match": …}``, each in [0, 1], of rows with any number of labels.

    Micro-F1 counts all labels of all rows together; macro-F1 is the plain mean of F1 over every class that occurs;
    exact match is the share of rows with all labels right and none too many. Where there is no label at all, and none
    was predicted, all are 1.

    Raises:
        SelftaughtError: there is no row to score.
    """
    _require_rows(truth, predicted)
    hits = Counter(name for t, p in zip(truth, predicted, strict=True) for name in set(t) & set(p))
    seen = Counter(name for names in (*truth, *predicted) for name in set(names))  # 2 hits + misses + false alarms
    exact = sum(set(t) == set(p) for t, p in zip(truth, predicted, strict=True))
    return {
        "micro_f1": 2 * hits.total() / seen.total() if seen else 1.0,
        "macro_f1": float(np.mean([2 * hits[name] / seen[name] for name in seen])) if seen else 1.0,
        "exact_match": exact / len(truth),
    }


def correlation_scores(truth: Sequence[float], predicted: Sequence[float]) -> dict[str, float]:
    """``{"spearman": …, "pearson": …}``, each in [-1, 1]; 0 where either side is constant and there is no such thing.

    Spearman's is Pearson's of the ranks, ties sharing their mean rank.

    Raises:
        SelftaughtError: there is no row to score.
    """
    _require_rows(truth, predicted)
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    return {
        "spearman": _correlation(rankdata(truth), rankdata(predicted)),
        "pearson": _correlation(np.asarray(truth, np.float64), np.asarray(predicted, np.float64)),
    }


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other))


def _require_rows(truth: Sequence[object], predicted: Sequence[object]) -> None:
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true labels but {len(predicted)} predicted ones")
    if not len(truth):
        raise SelftaughtError("there is no test row to score", do="give labels with more rows")
