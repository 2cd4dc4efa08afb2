import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from selftaught.errors import SelftaughtError
from selftaught.metrics.scores import (
    classification_scores,
    correlation_scores,
    one_class_f1,
    several_label_scores,
)


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
    truth, predicted = map(list, zip(*pairs, strict=True))
    scores = classification_scores(truth, predicted)
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))


def test_no_rows_is_a_clear_error_and_unequal_lengths_a_programming_one() -> None:
    with pytest.raises(SelftaughtError, match="no test row"):
        classification_scores([], [])
    with pytest.raises(ValueError, match="2 true labels but 1"):
        classification_scores(["a", "b"], ["a"])


def test_several_labels_by_hand() -> None:
    truth, said = [{"a", "b"}, {"b"}, set()], [{"a"}, {"b", "c"}, set()]
    scores = several_label_scores(truth, said)
    assert scores["micro_f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert scores["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert scores["exact_match"] == pytest.approx(1 / 3)
    assert several_label_scores([[]], [[]]) == {"micro_f1": 1.0, "macro_f1": 1.0, "exact_match": 1.0}


sets = st.sets(st.sampled_from("abcd"))


@given(st.lists(st.tuples(sets, sets), min_size=1))
def test_several_labels_agree_with_scikit_learn(pairs: list[tuple[set[str], set[str]]]) -> None:
    truth, said = map(list, zip(*pairs, strict=True))
    names = sorted({name for some in (*truth, *said) for name in some})
    if len(names) < 2:
        return  # of one label scikit-learn counts as right that it is not there
    coded = MultiLabelBinarizer(classes=names).fit([])
    t, s = coded.transform(truth), coded.transform(said)
    scores = several_label_scores(truth, said)
    assert scores["micro_f1"] == pytest.approx(f1_score(t, s, average="micro", zero_division=0))
    assert scores["macro_f1"] == pytest.approx(f1_score(t, s, average="macro", zero_division=0))
    assert scores["exact_match"] == pytest.approx(accuracy_score(t, s))


def test_the_f1_of_one_class() -> None:
    assert one_class_f1(["y", "y", "n"], ["y", "n", "n"], "y") == pytest.approx(2 / 3)
    assert one_class_f1(["n", "n"], ["n", "n"], "y") == 0.0


numbers = st.floats(-1e3, 1e3).map(lambda x: round(x, 3))


@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=30))
def test_correlations_agree_with_scipy(pairs: list[tuple[float, float]]) -> None:
    truth, said = map(list, zip(*pairs, strict=True))
    scores = correlation_scores(truth, said)
    if len(set(truth)) == 1 or len(set(said)) == 1:
        assert scores == {"spearman": 0.0, "pearson": 0.0}
        return
    assert scores["spearman"] == pytest.approx(spearmanr(truth, said).statistic, abs=1e-6)
    assert scores["pearson"] == pytest.approx(pearsonr(truth, said).statistic, abs=1e-6)
