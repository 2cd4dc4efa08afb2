"""Recall and ranks by hand, and what chance gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.metrics.retrieval import best_ranks, retrieval


def test_ranks_of_a_matrix_made_by_hand() -> None:
    similarity = np.array([[0.9, 0.1, 0.5, 0.2], [0.3, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.6]])
    right = np.array([[1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]], bool)
    assert best_ranks(similarity, right).tolist() == [1, 2, 3]  # of the second, 0.7 behind 0.8; of the third 0.4
    found = retrieval(similarity, right, at=(1, 2, 3))
    assert found.recall == {1: 1 / 3, 2: 2 / 3, 3: 1.0}
    assert found.median_rank == 2
    assert (found.queries, found.candidates) == (3, 4)
    chances = {1: (1 / 4 + 2 / 4 + 2 / 4) / 3, 2: (2 / 4 + 5 / 6 + 5 / 6) / 3, 3: (3 / 4 + 1 + 1) / 3}
    assert found.chance == pytest.approx(chances)


def test_vectors_that_are_all_one_find_nothing() -> None:
    found = retrieval(np.zeros((50, 50)), np.eye(50, dtype=bool))
    assert found.recall[10] == 0
    assert found.median_rank == 25.5 == found.chance_rank


def test_other_right_ones_are_no_mistakes() -> None:
    assert best_ranks(np.array([[0.2, 0.9, 0.8]]), np.array([[False, True, True]])).tolist() == [1]


@given(st.integers(2, 30), st.integers(0, 2**31))
def test_who_orders_blindly_has_the_chance(count: int, seed: int) -> None:
    """Over all cyclic orders of candidates each right one has each rank once."""
    right = np.zeros((count, count), bool)
    right[:, 0] = True
    similarity = -np.array([np.roll(np.arange(count), i) for i in range(count)], float)
    found = retrieval(similarity[np.random.default_rng(seed).permutation(count)], right, at=(1, min(5, count)))
    assert found.recall == pytest.approx(found.chance)
    assert found.median_rank == pytest.approx(found.chance_rank)
