"""How a text is cut into words, and what becomes of those that are too rare."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.errors import SelftaughtError
from selftaught.word2vec.corpus import prepare_words
from selftaught.word2vec.counting import Tallied
from selftaught.word2vec.options import CBOW, SkipGram, word_objective
from selftaught.word2vec.phrases import joined, phrases_in
from selftaught.word2vec.vocabulary import Vocabulary
from selftaught.word2vec.words import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The fox's den, No. 5!", ["the", "fox's", "den", "no", "5"]),
        ("rock’n’roll -- e-mail a_b", ["rock'n'roll", "e", "mail", "a", "b"]),
        ("Größe naïve", ["größe", "naïve"]),
        ("我爱北京天安门 and GPT4", ["我", "爱", "北京", "天安门", "and", "gpt4"]),
        ("  ...  ", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


def test_characters_and_capitals_by_request() -> None:
    assert list(words_of("北京 Fox", characters=True, cased=True)) == ["北", "京", "Fox"]


@given(st.text())
def test_no_letter_is_lost_and_none_is_made(text: str) -> None:
    """Letters and digits of the text are those of its words, in their order."""
    wanted = [c for c in text.lower().replace("’", "'") if c.isalnum() and c.isdecimal() | c.isalpha()]
    joined = "".join(words_of(text)).replace("'", "")
    assert [c for c in joined if c in wanted] == wanted
    assert all(word and not any(map(str.isspace, word)) for word in words_of(text))


def test_the_vocabulary_is_in_the_order_of_counts() -> None:
    counted = Tallied()
    counted.add("bbaacccccd")
    found = Vocabulary.of(counted, 2)
    assert found.words == ("c", "a", "b")
    assert found.counts.tolist() == [5, 2, 2]


def test_a_corpus_is_numbered_and_what_is_held_out_is_not_counted(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(30):
        (folder / f"{i}.txt").write_text("the fox ran\n" * 60 + f"rare{i}\n", encoding="utf-8")
    corpus = prepare_words(str(folder), tmp_path / "tokens", SkipGram(), seed=0)
    assert set(corpus.vocabulary.words) == {"the", "fox", "ran"}
    assert len(corpus.held_out) > 0
    assert corpus.vocabulary.counts.sum() == len(corpus.train)
    assert np.array_equal(np.sort(corpus.train.counts), np.sort(corpus.vocabulary.counts))
    assert len(corpus.train) + len(corpus.held_out) == 30 * 60 * 3
    assert corpus.read == len(corpus.train) + corpus.train.manifest.documents  # one rare word in each
    made = (tmp_path / "tokens" / "words.json").stat().st_mtime_ns
    prepare_words(str(folder), tmp_path / "tokens", CBOW(window=2), seed=0)
    assert (tmp_path / "tokens" / "words.json").stat().st_mtime_ns == made  # the words are the same: read once
    prepare_words(str(folder), tmp_path / "tokens", SkipGram(min_count=1), seed=0)
    assert (tmp_path / "tokens" / "words.json").stat().st_mtime_ns != made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("... !!!", "not one word"),
        ("fox " * 100, "the only word of this text is 'fox'"),
        ("a fox ran over there", "of 5 words 0 occur 5 times or more; the most frequent occurs 1"),
    ],
)
def test_a_text_without_words_to_learn_is_refused_in_words(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    with pytest.raises(SelftaughtError, match=says):
        prepare_words(str(tmp_path / "text.txt"), tmp_path / "tokens", SkipGram(), seed=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"window": 0}, "window must be at least 1"),
        ({"negatives": 61}, "more than 60 negatives"),
        ({"sample": 2.0}, "a share from 0 to 1"),
        ({"dimension": 5}, "did you mean dimensions"),
        ({"window": "wide"}, "window cannot be 'wide'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(SelftaughtError, match=says):
        word_objective("skipgram", options)


def test_counts_are_exact_where_memory_is_enough_and_keep_the_frequent_where_it_is_not() -> None:
    text = [*("the" for _ in range(50)), *("fox" for _ in range(20)), *map(str, range(1000))]
    exact, bounded = Tallied(), Tallied(most=100)
    for start in range(0, len(text), 10):
        exact.add(text[start : start + 10])
        bounded.add(text[start : start + 10])
    assert (exact["the"], exact["fox"], len(exact), exact.total) == (50, 20, 1002, 1070)
    assert (len(bounded) <= 100, bounded.total) == (True, 1070)
    assert [word for word, _ in bounded.most_common(2)] == ["the", "fox"]


def test_two_words_that_keep_together_become_one() -> None:
    """The score is (count - least) / (count of one x count of the other) x words: here 2 / (4 x 4) x 20 = 2.5."""
    words = [*" ".join(["new york"] * 4).split(), *(f"w{i}" for i in range(12))]
    alone, pairs = Tallied(), Tallied()
    alone.add(words)
    pairs.add(a + "_" + b for a, b in pairwise(words))
    assert phrases_in(pairs, alone, 2.4, 2) == {"new_york"}
    assert phrases_in(pairs, alone, 2.6, 2) == set()
    assert [*joined(words[:5], {"new_york", "york_new"})] == ["new_york", "new_york", "new"]


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.sets(st.sampled_from(["a_b", "b_c", "c_c", "d_a"])))
def test_joining_loses_no_word(words: list[str], phrases: set[str]) -> None:
    found = [*joined(words, phrases)]
    assert "_".join(found).split("_") == (words or [""])
    assert {word for word in found if "_" in word} <= phrases


def test_a_phrase_whose_words_others_take_is_none(tmp_path: Path) -> None:
    """Each word is then numbered as itself: what is numbered is what was counted."""
    text = "".join(f"a b c rare{i}\n" for i in range(60)) + "b c\n"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    objective = SkipGram(phrases=2, min_count=3)
    corpus = prepare_words(str(tmp_path / "text.txt"), tmp_path / "tokens", objective, seed=0)
    assert set(corpus.vocabulary.words) == {"c", "a_b"}
    assert np.array_equal(corpus.train.counts, corpus.vocabulary.counts)
