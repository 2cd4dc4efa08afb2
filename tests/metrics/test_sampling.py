from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.errors import SelftaughtError
from selftaught.metrics.sampling import few_label_subset, split_train_test

labels_of_rows = st.lists(st.sampled_from(["yes", "no", "也许"]), min_size=1, max_size=60)


@given(labels_of_rows, st.integers(1, 9), st.integers(0, 9), st.integers(0, 5))
def test_a_smaller_budget_is_contained_in_a_larger_one(labels: list[str], small: int, more: int, seed: int) -> None:
    few = few_label_subset(labels, small, seed)
    many = few_label_subset(labels, small + more, seed)
    assert set(few) <= set(many)
    counts = Counter(labels)
    assert Counter(labels[row] for row in few) == {name: min(small, n) for name, n in counts.items()}


def test_none_takes_all_and_seeds_differ() -> None:
    labels = ["a", "b"] * 50
    assert few_label_subset(labels, None, 0).tolist() == list(range(100))
    assert few_label_subset(labels, 8, 0).tolist() == few_label_subset(labels, 8, 0).tolist()
    assert few_label_subset(labels, 8, 0).tolist() != few_label_subset(labels, 8, 1).tolist()


def test_a_class_keeps_its_draw_when_another_class_appears() -> None:
    labels = ["a", "b"] * 20
    before = few_label_subset(labels, 4, 0)
    after = few_label_subset([*labels, "A new one"], 4, 0)
    assert after[:-1].tolist() == before.tolist()


def test_split_is_stratified_and_keeps_the_share() -> None:
    labels = ["common"] * 900 + ["rare"] * 100
    texts = [f"row {i}" for i in range(1000)]
    train, test = split_train_test(texts, labels, test_share=0.2, seed=3)
    assert Counter(labels[row] for row in test) == {"common": 180, "rare": 20}
    assert sorted([*train, *test]) == list(range(1000))
    again = split_train_test(texts, labels, test_share=0.2, seed=3)
    assert np.array_equal(test, again[1])


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab")), min_size=2, max_size=60), st.integers(0, 3))
def test_identical_texts_never_straddle(rows: list[tuple[int, str]], seed: int) -> None:
    texts = [f"Text  {n}" if i % 2 else f"text {n} " for i, (n, _) in enumerate(rows)]
    labels = [label for _, label in rows]
    try:
        train, test = split_train_test(texts, labels, test_share=0.5, seed=seed)
    except SelftaughtError:
        return
    assert sorted([*train, *test]) == list(range(len(rows)))
    assert not {rows[i][0] for i in train} & {rows[i][0] for i in test}


def test_many_small_classes_still_give_a_test() -> None:
    labels = [f"class {i % 77}" for i in range(77 * 3)]
    _, test = split_train_test([f"text {i}" for i in range(231)], labels, test_share=0.1)
    assert 20 <= len(test) <= 26


def test_the_only_row_of_a_class_is_trained_on() -> None:
    train, _ = split_train_test(["x", *"abcdefghij"], ["once", *["often"] * 10], test_share=0.5)
    assert 0 in train


def test_one_text_over_and_over_cannot_be_split() -> None:
    with pytest.raises(SelftaughtError, match="too few"):
        split_train_test(["same"] * 50, ["a"] * 50)
