"""How well pictures find their captions, and captions their pictures, among all: recall and ranks, against chance."""

from dataclasses import dataclass
from math import lgamma

import numpy as np

AT = (1, 5, 10)


@dataclass(frozen=True)
class Retrieval:
    """One way: a query finds what belongs to it among candidates.

    Args:
        recall: by K, the share of queries with a right one among the first K.
        chance: the same of one who orders the candidates blindly.
        median_rank: of the best right one, from 1.
        chance_rank: its mean, of one who orders blindly.
        queries, candidates: how many there were.
    """

    recall: dict[int, float]
    chance: dict[int, float]
    median_rank: float
    chance_rank: float
    queries: int
    candidates: int

    def to_json(self) -> dict[str, float]:
        """For programs: ``R@1``, ``chance_R@1``, … ``median_rank``, …"""
        found = {f"R@{k}": value for k, value in self.recall.items()}
        found |= {f"chance_R@{k}": value for k, value in self.chance.items()}
        ranks = {"median_rank": self.median_rank, "chance_rank": self.chance_rank}
        return found | ranks | {"queries": self.queries, "candidates": self.candidates}


def retrieval(similarity: np.ndarray, right: np.ndarray, at: tuple[int, ...] = AT) -> Retrieval:
    """Measure one way.

    Args:
        similarity: float [Q, C].
        right: which candidates belong to which query, bool [Q, C]; at least one to each.
    """
    best = best_ranks(similarity, right)
    several, candidates = right.sum(1), right.shape[1]
    return Retrieval(
        {k: float((best <= k).mean()) for k in at},
        {k: float(np.mean([_by_chance(int(m), candidates, k) for m in several])) for k in at},
        float(np.median(best)),
        float(np.mean((candidates + 1) / (several + 1))),
        *right.shape,
    )


def best_ranks(similarity: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The rank of the best right candidate of each query, from 1: float64 [Q].

    Other right ones before it do not count, and of wrong ones that are as similar one half does: where all vectors
    are one, nothing is found.
    """
    best = np.where(right, similarity, -np.inf).max(1, keepdims=True)
    wrong = ~right
    return 1 + ((similarity > best) & wrong).sum(1) + ((similarity == best) & wrong).sum(1) / 2


def _by_chance(right: int, candidates: int, k: int) -> float:
    """The probability that one of ``right`` among ``candidates`` is among ``k`` of them drawn blindly."""
    if k > candidates - right:
        return 1.0
    return 1.0 - float(np.exp(_log_choose(candidates - right, k) - _log_choose(candidates, k)))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
