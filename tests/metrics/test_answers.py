"""Exact match and F1 by hand, as SQuAD's and CMRC's scripts give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.metrics.answers import answer_scores


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        ("The Red Fox.", "red fox", 1, 1),  # case, an article, a mark
        ("red fox", "fox", 0, 2 / 3),
        ("a red fox in the wood", "fox of the woods", 0, 2 / 7),  # red fox in wood / fox of woods: one of 4 and 3
        ("fox fox", "fox", 0, 2 / 3),  # a word counts once
        ("1,000", "1000", 1, 1),
        ("well-known", "wellknown", 1, 1),
        ("hen", "fox", 0, 0),
        ("", "fox", 0, 0),
        ("the", "a", 1, 1),  # nothing is left of either
        ("theatre", "atre", 0, 0),
        ("Straße", "straße", 1, 1),
    ],
)
def test_english_by_words(answer: str, right: str, exact: float, f1: float) -> None:
    assert answer_scores(answer, [right], chinese=False) == (exact, pytest.approx(f1))


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        ("《战国无双》", "战国无双", 1, 1),
        ("光荣和ω-force", "光荣和ω-force。", 1, 1),
        ("光荣", "光荣和ω-force", 0, 2 * 2 / (2 + 4)),  # 光 荣 和 ωforce
        ("北京大学", "北方大学", 0, 2 * 2 / 8),  # the longest run is 大学; 北 stands apart
        ("大学北京", "北京大学", 0, 2 * 2 / 8),
        ("2008年8月8日", "8月8日", 0, 2 * 4 / (6 + 4)),  # a number is one
        ("NBA球队", "nba", 0, 2 * 1 / (3 + 1)),
        ("狐", "狸", 0, 0),
        ("。", "，", 1, 1),
    ],
)
def test_chinese_by_characters(answer: str, right: str, exact: float, f1: float) -> None:
    assert answer_scores(answer, [right], chinese=True) == (exact, pytest.approx(f1))


def test_the_best_of_several_answers_counts() -> None:
    assert answer_scores("red fox", ["hen", "fox", "the red fox"], chinese=False) == (1, 1)
    assert answer_scores("red fox", ["hen", "fox"], chinese=False) == (0, pytest.approx(2 / 3))


def test_without_an_answer_nothing_else_is_right() -> None:
    for chinese in (False, True):
        assert answer_scores("", [], chinese=chinese) == (1, 1)
        assert answer_scores("fox", [], chinese=chinese) == (0, 0)


@given(st.text(max_size=20), st.text(max_size=20), st.booleans())
def test_scores_are_shares_and_do_not_depend_on_the_side(one: str, other: str, chinese: bool) -> None:
    exact, f1 = answer_scores(one, [other], chinese=chinese)
    assert exact in (0, 1)
    assert exact <= f1 <= 1
    assert answer_scores(other, [one], chinese=chinese) == (exact, pytest.approx(f1))
    assert answer_scores(one, [one], chinese=chinese) == (1, 1)
