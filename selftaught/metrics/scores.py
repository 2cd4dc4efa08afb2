"""How good predicted labels are."""

from collections.abc import Sequence

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
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true labels but {len(predicted)} predicted ones")
    if not len(truth):
        raise SelftaughtError("there is no test row to score", do="give labels with more rows")
    classes, codes = np.unique([*truth, *predicted], return_inverse=True)
    true, guess = codes[: len(truth)], codes[len(truth) :]
    right = true == guess
    hits = np.bincount(true[right], minlength=len(classes))
    seen = np.bincount(codes, minlength=len(classes))  # 2 hits + misses + false alarms
    return {"accuracy": float(right.mean()), "macro_f1": float(np.mean(2 * hits / seen))}
