"""Scores of written texts: the libraries' own numbers, in English and in Chinese, with one right text or several."""

import math

import pytest

from selftaught.metrics.written import written_scores


def test_the_same_text_is_perfect() -> None:
    texts = ["The cat sat on the mat.", "A dog barked at the moon."]
    found = written_scores(texts, [[text] for text in texts])
    assert found == pytest.approx(dict.fromkeys(found, 1.0))
    assert next(iter(found)) == "chrf"


def test_bleu_is_the_geometric_mean_of_the_precisions_and_knows_the_length() -> None:
    said, right = "the cat sat on the mat today", "the cat sat on the red mat"
    # of 7 words 6 are right, of 6 pairs 4, of 5 triples 3, of 4 quadruples 2; both have 7 words
    expected = math.exp(sum(map(math.log, (6 / 7, 4 / 6, 3 / 5, 2 / 4))) / 4)
    assert written_scores([said], [[right]])["bleu"] == pytest.approx(expected)
    short = written_scores(["the cat sat on"], [[right]])
    assert short["bleu"] == pytest.approx(math.exp(1 - 7 / 4))


def test_rouge_is_the_f1_of_stems_and_of_the_longest_common_row() -> None:
    found = written_scores(["cats sat quietly"], [["a cat sat there, quietly"]])
    assert found["rouge1"] == pytest.approx(2 * 3 / (3 + 5))
    assert found["rouge2"] == pytest.approx(2 * 1 / (2 + 4))
    assert found["rougeL"] == pytest.approx(2 * 3 / (3 + 5))


def test_a_chinese_character_is_a_token() -> None:
    found = written_scores(["我爱北京天安门"], [["我爱上海天安门"]])
    assert found["rouge1"] == pytest.approx(5 / 7)
    assert found["rouge2"] == pytest.approx(3 / 6)
    assert found["bleu"] > 0  # as one word there would be nothing in common
    mixed = written_scores(["使用 BERT 模型。"], [["使用bert模型"]])
    assert mixed["rougeL"] == 1.0


def test_the_nearest_of_several_right_texts_counts() -> None:
    found = written_scores(["a red fox", "an otter"], [["the bear", "a red fox"], ["an otter"]])
    assert found["rouge1"] == found["exact_match"] == 1.0
    assert found["chrf"] == pytest.approx(1.0)


def test_nothing_written_is_worth_nothing() -> None:
    assert set(written_scores(["", ""], [["a fox"], ["an otter"]]).values()) == {0.0}
