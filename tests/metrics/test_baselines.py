import pytest

from selftaught.errors import SelftaughtError
from selftaught.metrics.baselines import (
    BALANCED,
    TFIDF,
    is_chinese,
    majority,
    most_frequent_labels,
    tfidf_logistic,
    tfidf_several,
)

GOOD = [
    "a fine film",
    "truly fine acting",
    "what a lovely film",
    "lovely and fine",
    "I loved this lovely play",
]
BAD = ["a dull film", "truly awful acting", "what an awful film", "dull and awful", "I hated this dull play"]


def test_reads_the_words_of_an_english_text() -> None:
    labels = ["good"] * 5 + ["bad"] * 5
    guesses = tfidf_logistic(GOOD + BAD, labels, ["AWFUL, dull stuff", "a lovely thing"], chinese=False, seed=0)
    assert guesses == ["bad", "good"]


def test_word_order_counts_by_pairs_of_words() -> None:
    texts = ["not good it is bad", "not bad it is good"] * 8
    guesses = tfidf_logistic(texts, ["bad", "good"] * 8, ["not good", "not bad"], chinese=False, seed=0)
    assert guesses == ["bad", "good"]


def test_reads_the_characters_of_a_chinese_text() -> None:
    texts = ["股市大涨", "沪指收盘上涨", "基金净值下跌", "球队夺冠", "足球比赛结果", "篮球联赛开幕"]
    labels = ["finance"] * 3 + ["sports"] * 3
    assert tfidf_logistic(texts, labels, ["基金大涨", "球队比赛"], chinese=True, seed=0) == [
        "finance",
        "sports",
    ]


def test_one_example_of_each_class_is_enough_to_run() -> None:
    assert tfidf_logistic(["red rose", "blue sea"], ["r", "b"], ["a rose"], chinese=False, seed=0) == ["r"]


def test_texts_without_words_are_a_clear_error() -> None:
    with pytest.raises(SelftaughtError, match="no labelled text holds a word"):
        tfidf_logistic(["--", "…"], ["a", "b"], ["x"], chinese=False, seed=0)


def test_majority_breaks_ties_by_the_alphabet() -> None:
    assert majority(["b", "a", "c", "b", "a"], 3) == ["a", "a", "a"]


@pytest.mark.parametrize(
    ("texts", "chinese"),
    [
        (["今天天气很好。", "我喜欢 Python 编程"], True),
        (["The word 道 is old", "plain English"], False),
        (["123 !!", ""], False),
        ([], False),
    ],
)
def test_is_chinese_by_the_share_of_letters(texts: list[str], chinese: bool) -> None:
    assert is_chinese(texts) is chinese


def test_several_labels_are_told_by_their_words() -> None:
    texts = ["rain falls", "wind blows", "rain and wind", "sun shines", "rain again", "wind again"] * 4
    labels = [["rain"], ["wind"], ["rain", "wind"], [], ["rain"], ["wind"]] * 4
    found = tfidf_several(texts, labels, ["rain with wind", "the sun shines"], chinese=False, seed=0)
    assert found[TFIDF] == [["rain", "wind"], []]


def test_a_rare_label_is_said_sooner_where_all_labels_weigh_alike() -> None:
    texts = ["plain text of many words"] * 18 + ["odd plain text", "odd text of words"]
    labels: list[list[str]] = [[]] * 18 + [["odd"], ["odd"]]
    found = tfidf_several(texts, labels, ["odd"] * 3 + ["words"], chinese=False, seed=0)
    likely, telling = (sum(map(len, found[name])) for name in (TFIDF, BALANCED))
    assert telling >= likely
    assert found[BALANCED][0] == ["odd"]


def test_a_label_that_all_have_is_given_to_all() -> None:
    found = tfidf_several(["a b", "c d"], [["x", "y"], ["x"]], ["e f"], chinese=False, seed=0)
    assert all("x" in rows[0] for rows in found.values())


def test_the_most_frequent_labels() -> None:
    assert most_frequent_labels([["a", "b"], ["a"], ["b", "c"], ["a", "b"]], 2) == [["a", "b"]] * 2
    assert most_frequent_labels([["a"], ["b"], ["a"], [], []], 1) == [["a"]]
    assert most_frequent_labels([[], []], 1) == [[]]
