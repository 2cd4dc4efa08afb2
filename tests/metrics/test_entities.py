"""Entity scores by hand: right only if words and type both are."""

import pytest

from selftaught.metrics.entities import entity_scores, scores_by_type
from selftaught.metrics.tag_baselines import word_tags

TRUTH = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER", "B-PER"]]
SAID = [["B-PER", "O", "O", "B-LOC"], ["B-ORG", "B-PER", "I-PER"]]  # one right of four said; there are four


def test_only_whole_entities_count() -> None:
    assert entity_scores(TRUTH, SAID) == {"f1": 0.25, "precision": 0.25, "recall": 0.25}
    assert entity_scores(TRUTH, TRUTH) == {"f1": 1.0, "precision": 1.0, "recall": 1.0}


def test_each_type_apart() -> None:
    assert scores_by_type(TRUTH, SAID) == {
        "PER": {"rows": 3, "recall": 0.0, "precision": 0.0, "f1": 0.0},
        "LOC": {"rows": 1, "recall": 1.0, "precision": 1.0, "f1": 1.0},
    }
    never = scores_by_type([["B-PER", "O"]], [["O", "O"]])
    assert never == {"PER": {"rows": 1, "recall": 0.0, "precision": None, "f1": 0.0}}


def test_f1_is_the_harmonic_mean() -> None:
    found = entity_scores([["B-a", "O", "B-a", "O"]], [["B-a", "B-a", "O", "B-a"]])  # 1 right, 3 said, 2 there
    assert found == pytest.approx({"precision": 1 / 3, "recall": 1 / 2, "f1": 2 / 5})


def test_where_there_is_nothing_all_is_zero() -> None:
    assert entity_scores([["O"]], [["O"]]) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert scores_by_type([["O"]], [["O"]]) == {}


def test_a_tag_that_goes_on_with_nothing_begins_an_entity() -> None:
    assert entity_scores([["O", "B-a", "I-a"]], [["O", "I-a", "I-a"]])["f1"] == 1.0


def test_each_word_has_its_most_frequent_tag_and_unknown_words_have_none() -> None:
    words = [["in", "Paris", "Paris"], ["Paris", "Hilton", "in"]]
    tags = [["O", "B-LOC", "B-LOC"], ["B-PER", "I-PER", "O"]]
    assert word_tags(words, tags, [["Paris", "Hilton", "Berlin"], []]) == [["B-LOC", "I-PER", "O"], []]
    assert word_tags([["a", "a"]], [["O", "B-x"]], [["a"]]) == [["O"]]  # as often within as outside
