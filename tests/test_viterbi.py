"""The best allowed sequence, by hand and against all sequences there are."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selftaught.viterbi import best_path

O, B, I = range(3)  # noqa: E741 the tags of one type
FIRST = np.array([True, True, False])
FOLLOWS = np.array([[True, True, False], [True, True, True], [True, True, True]])


def test_a_tag_that_cannot_stand_there_gives_way_to_the_best_whole() -> None:
    sure_of_i = np.log([[0.5, 0.1, 0.4], [0.1, 0.1, 0.8]])
    assert sure_of_i.argmax(1).tolist() == [O, I]  # each by itself
    assert best_path(sure_of_i, FIRST, FOLLOWS) == [B, I]  # 0.1 * 0.8 against 0.5 * 0.1
    assert best_path(np.log([[0.9, 0.05, 0.05], [0.2, 0.1, 0.7]]), FIRST, FOLLOWS) == [O, O]


def test_where_nothing_is_known_the_neighbours_decide() -> None:
    known = np.log([[0.1, 0.8, 0.1], [1 / 3, 1 / 3, 1 / 3], [0.1, 0.1, 0.8]])
    assert best_path(known, FIRST, FOLLOWS) in ([B, B, I], [B, I, I])
    assert best_path(np.zeros((0, 3)), FIRST, FOLLOWS) == []


@given(scores=st.lists(st.tuples(*[st.integers(-9, 9)] * 3), min_size=1, max_size=5))
def test_no_allowed_sequence_is_better(scores: list[tuple[int, int, int]]) -> None:
    def total(path: tuple[int, ...] | list[int]) -> int:
        return sum(row[i] for row, i in zip(scores, path, strict=True))

    def allowed(path: tuple[int, ...] | list[int]) -> bool:
        return bool(FIRST[path[0]]) and all(FOLLOWS[a, b] for a, b in pairwise(path))

    found = best_path(np.array(scores, dtype=np.float64), FIRST, FOLLOWS)
    assert allowed(found)
    assert total(found) == max(total(path) for path in product(range(3), repeat=len(scores)) if allowed(path))
