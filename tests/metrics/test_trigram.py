"""The trigram model: probabilities by hand, probabilities that sum to one, and counts that mind the documents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.metrics.trigram import Trigram, trigrams

TOKENS = 7
OPENING = 0
DOCUMENTS = st.lists(st.lists(st.integers(1, TOKENS - 1), max_size=30), max_size=8)


def grams_of(document: list[int]) -> np.ndarray:
    places = np.arange(len(document))
    return trigrams(np.array(document, np.int64).__getitem__, places, np.zeros_like(places), OPENING)


def counted(documents: list[list[int]], vocab_size: int = TOKENS) -> Trigram:
    return Trigram.of([grams_of(document) for document in documents], vocab_size)


def after(model: Trigram, first: int, second: int) -> np.ndarray:
    """The probability of every token behind two others."""
    return model.probabilities(np.array([[first, second, token] for token in range(model.vocab_size)]))


def test_a_document_begins_behind_its_opening() -> None:
    assert grams_of([5, 6, 7]).tolist() == [[0, 0, 5], [0, 5, 6], [5, 6, 7]]


def test_no_trigram_reaches_into_another_document() -> None:
    tokens, begins = np.array([5, 6, 7, 8]), np.array([0, 0, 2, 2])
    found = trigrams(tokens.__getitem__, np.arange(4), begins, OPENING)
    assert found.tolist() == [[0, 0, 5], [0, 5, 6], [0, 0, 7], [0, 7, 8]]


def test_probabilities_by_hand() -> None:
    """One document, 1 2, of a vocabulary of three: all counts are one, and the discount of one is 0.5."""
    model = counted([[1, 2]], vocab_size=3)
    single = np.array([0.5 / 3, 0.25 + 0.5 / 3, 0.25 + 0.5 / 3])
    assert model.single == pytest.approx(single)
    assert after(model, 0, 0) == pytest.approx(0.5 * np.array([0, 1, 0]) + 0.25 * np.array([0, 1, 0]) + 0.25 * single)
    assert after(model, 2, 1) == pytest.approx(0.5 * np.array([0, 0, 1]) + 0.5 * single)  # 1 was seen, but not behind 2
    assert after(model, 1, 2) == pytest.approx(single)  # nothing was seen behind 2


def test_discounts_by_hand() -> None:
    """Four triples once, two twice, one three times, one four times: 1/2, 5/4 and 1 are taken off."""
    counts = {(1, 1): 4, (1, 2): 3, (1, 3): 2, (1, 4): 2, (2, 1): 1, (2, 2): 1, (2, 3): 1, (2, 4): 1}
    rows = [[first, 5, last] for (first, last), n in counts.items() for _ in range(n)]
    model = Trigram.of([np.array(rows)], 6)
    pairs = model.double.mix(np.array([5 * 6 + token for token in range(6)]), 6, model.single)
    left = (2 * 1 + 2 * 1.25) / 11  # of the eleven behind 1 5: two counts of three or more, two of two
    wanted = np.array([0, 4 - 1, 3 - 1, 2 - 1.25, 2 - 1.25, 0]) / 11 + left * pairs
    assert after(model, 1, 5) == pytest.approx(wanted)


def test_a_token_found_in_one_place_only_is_not_expected_elsewhere() -> None:
    """Kneser and Ney's point: "Francisco" is frequent, but behind "San" alone."""
    san, francisco, glasses, word = 1, 2, 3, 4
    city = [[san, francisco]] * 6
    things = [[word, glasses], [5, glasses], [6, glasses]]
    model = counted([*city, *things])
    assert model.single[glasses] > model.single[francisco]
    assert after(model, 0, san)[francisco] > 0.5


@given(DOCUMENTS, st.integers(0, TOKENS - 1), st.integers(0, TOKENS - 1))
def test_the_probabilities_behind_any_two_tokens_sum_to_one(
    documents: list[list[int]], first: int, second: int
) -> None:
    found = after(counted(documents), first, second)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()


@given(DOCUMENTS)
def test_the_blocks_that_trigrams_come_in_do_not_matter(documents: list[list[int]]) -> None:
    apart = counted(documents)
    together = Trigram.of([np.concatenate([grams_of(d) for d in documents] or [np.empty((0, 3), np.int64)])], TOKENS)
    assert np.array_equal(after(apart, 1, 2), after(together, 1, 2))


def test_a_vocabulary_that_does_not_fit_its_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        Trigram.of([], 1 << 22)
