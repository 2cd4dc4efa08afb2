"""How a text is cut into words, and what becomes of those that are too rare."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.errors import SelftaughtError
from selftaught.word2vec.corpus import prepare_words
from selftaught.word2vec.options import CBOW, SkipGram, word_objective
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
    found = Vocabulary.of(Counter({"b": 2, "a": 2, "c": 5, "d": 1}), 2)
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
