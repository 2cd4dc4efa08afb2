"""The place that has most of the question's words: the sentence, and the words next to them."""

from hypothesis import given
from hypothesis import strategies as st

from selftaught.metrics.sliding_window import nearest_sentence, nearest_words

TEXT = (
    "Rain fell on Saturday. In 1862 the young Ada Lovelace, a friend of Babbage, wrote a program for the engine. "
    "The engine was never built."
)


def said(question: str, text: str) -> tuple[str, str]:
    sentence, words = nearest_sentence(question, text), nearest_words(question, text)
    return text[slice(*sentence)], text[slice(*words)]


def test_the_sentence_with_the_question_s_words_and_what_stands_next_to_them() -> None:
    sentence, words = said("Who wrote a program?", TEXT)
    assert sentence.startswith("In 1862 the young")
    assert sentence.endswith("engine.")
    assert words == "Babbage"  # "engine" is nearer to "program" alone
    assert said("What was never built?", TEXT) == ("The engine was never built.", "engine")
    assert said("What fell on Saturday?", TEXT) == ("Rain fell on Saturday.", "Rain")


def test_a_word_that_the_text_has_often_counts_little() -> None:
    text = "The fox ran. The fox ate. One heron flew. The fox slept."
    assert said("Did fox or heron sing?", text)[0] == "One heron flew."


def test_a_window_is_as_long_as_the_question() -> None:
    """Both sentences have both words, but only one has them together."""
    text = "Red is the colour that nobody ever saw on any hen or fox. A red fox slept."
    assert said("red fox?", text) == ("A red fox slept.", "slept")


def test_in_chinese_pairs_of_characters_count() -> None:
    text = "他在城里住。作者是曹雪芹先生，他写了很多年！书在京城印。"
    sentence, words = said("这部书的作者是谁？", text)
    assert sentence == "作者是曹雪芹先生，他写了很多年！"
    assert words == "曹雪芹先生"


def test_where_nothing_is_in_common_it_is_the_first_sentence() -> None:
    assert said("Why?", "All is well. All is new.")[0] == "All is well."
    assert said("Why?", "of the, and the")[1] == "of the, and the"  # nothing but common words
    assert said("Why?", "  ") == said("", "\r") == ("", "")


@given(st.text(max_size=40), st.text(max_size=120))
def test_it_answers_whatever_it_is_asked(question: str, text: str) -> None:
    sentence, words = nearest_sentence(question, text), nearest_words(question, text)
    assert 0 <= sentence[0] <= words[0] <= words[1] <= sentence[1] <= len(text)
    assert text[slice(*sentence)] == text[slice(*sentence)].strip()
