"""The best sequence of classes, where not every class may follow every other (Viterbi 1967)."""

import numpy as np


def best_path(scores: np.ndarray, first: np.ndarray, follows: np.ndarray) -> list[int]:
    """The classes whose scores have the greatest sum, of all sequences that are allowed.

    Args:
        scores: float [N, K], of each class at each place.
        first: bool [K], which classes may be the first.
        follows: bool [K, K], whether the class of the column may follow that of the row.
    """
    never = np.float64(-np.inf)
    step = np.where(follows, 0.0, never)
    best = np.where(first, 0.0, never)
    came_from = np.zeros(scores.shape, dtype=np.int64)
    for place, here in enumerate(scores):
        if place:
            reached = best[:, None] + step
            came_from[place] = reached.argmax(0)
            best = reached.max(0)
        best = best + here
    path = [int(best.argmax())] if len(scores) else []
    for place in range(len(scores) - 1, 0, -1):
        path.append(int(came_from[place, path[-1]]))
    return path[::-1]
