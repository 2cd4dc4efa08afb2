import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.errors import SelftaughtError
from selftaught.metrics.scores import classification_scores


def test_macro_f1_counts_a_rare_class_as_much_as_a_common_one() -> None:
    truth = ["ham"] * 8 + ["spam"] * 2
    scores = classification_scores(truth, ["ham"] * 10)
    assert scores["accuracy"] == pytest.approx(0.8)
    assert scores["macro_f1"] == pytest.approx((16 / 18 + 0) / 2)


def test_a_class_that_was_only_guessed_counts_as_missed() -> None:
    scores = classification_scores(["a", "a", "b"], ["a", "c", "b"])
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1))
def test_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    truth, predicted = map(list, zip(*pairs, strict=True))
    scores = classification_scores(truth, predicted)
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))


def test_no_rows_is_a_clear_error_and_unequal_lengths_a_programming_one() -> None:
    with pytest.raises(SelftaughtError, match="no test row"):
        classification_scores([], [])
    with pytest.raises(ValueError, match="2 true labels but 1"):
        classification_scores(["a", "b"], ["a"])
