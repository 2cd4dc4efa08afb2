"""Word vectors: mutual information by hand, neighbours that make sense, and texts as means of words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from selftaught.metrics.word_vectors import WordVectors, _near, _positive_information


def corpus(count: int) -> list[str]:
    """A boat goes by sea and a plane by sky; "ship" is used like "boat", and the two never stand together."""
    rng = np.random.default_rng(0)
    kinds = [(["boat", "ship"], ["wave", "sail", "port"]), (["plane", "jet"], ["cloud", "wing", "gate"])]
    texts = []
    for _ in range(count):
        subjects, around = kinds[rng.integers(2)]
        texts.append(f"the {rng.choice(subjects)} with {rng.choice(around)} and {rng.choice(around)}")
    return texts


def test_what_stands_near_what_counts_by_its_distance() -> None:
    near = _near([["a", "b", "c"], ["a", "b"]], {"a": 0, "b": 1, "c": 2}).toarray()
    far = 2**-0.5
    assert near == pytest.approx(np.array([[0, 2, far], [2, 0, 1], [far, 1, 0]]))


def test_the_information_by_hand() -> None:
    """Two words that only ever stand together say more of each other than those that stand with everything."""
    near = csr_matrix(np.array([[0.0, 3, 0, 1], [3, 0, 0, 1], [0, 0, 0, 2], [1, 1, 2, 0]]))
    found = _positive_information(near).toarray()
    totals = np.array([4.0, 4, 2, 4])
    contexts = totals**0.75 / (totals**0.75).sum()
    assert found[0, 1] == pytest.approx(np.log(3 / 4 / contexts[1]), rel=1e-6)
    assert found[0, 3] == pytest.approx(max(np.log(1 / 4 / contexts[3]), 0), abs=1e-6)
    assert found[0, 2] == 0


def test_words_that_are_used_alike_are_neighbours() -> None:
    vectors = WordVectors.of(corpus(400), chinese=False)
    assert vectors is not None

    def cosine(one: str, other: str) -> float:
        a, b = (vectors.vectors[vectors.numbers[word]] for word in (one, other))
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assert cosine("boat", "ship") > cosine("boat", "jet") + 0.3
    assert cosine("plane", "jet") > cosine("plane", "wave") + 0.3
    boats, planes, new = vectors.of_texts(["ship port", "jet gate", "a boat, a sail"])
    assert new @ boats > 0.5 > 0 > new @ planes


def test_chinese_is_read_by_characters_and_pairs() -> None:
    vectors = WordVectors.of(["股市大涨", "股市大跌", "球队大胜", "球队大败", "股市球队"] * 3, chinese=True)
    assert vectors is not None
    assert {"股", "股市", "球队"} <= vectors.numbers.keys()
    stocks, same, teams = vectors.of_texts(["股市", "股 市", "球队"])
    assert stocks == pytest.approx(same)
    assert stocks @ teams < 0.5


def test_texts_without_a_word_in_common_teach_nothing() -> None:
    assert WordVectors.of(["one", "two three", "!"], chinese=False) is None
    assert WordVectors.of(["same"] * 5, chinese=False) is None


@settings(max_examples=30)
@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_text_has_a_vector_of_length_one_or_none(texts: list[str]) -> None:
    vectors = WordVectors.of(corpus(60), chinese=False)
    assert vectors is not None
    lengths = np.linalg.norm(vectors.of_texts(texts), axis=1)
    assert (np.isclose(lengths, 1, atol=1e-4) | (lengths == 0)).all()
