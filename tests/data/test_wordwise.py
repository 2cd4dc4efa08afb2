"""Word by word and all at once are the same tokens."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.tokenise import TextTokenizer, train_tokenizer
from selftaught.data.wordwise import WordwiseEncoder

PLAIN = "the cat sat on the mat, and the naïve 猫 sat [MASK] on it. " * 40
# White space, combining accents, Chinese, a capital sigma at a word's end, a special token.
ODD = "ab,. [MASK]\t\n\r\xa0\u1680\u2028\u3000\u200b\u0301\ufffd猫法ΑΣéİ#'"
DROPPED = "\x0b\x0c\x1c\x1f\x85"  # white space to Python, nothing to BERT's normalisation


@cache
def tokenizer(kind: str) -> TextTokenizer:
    return train_tokenizer([PLAIN], kind, 120, alphabet=ODD)  # type: ignore[arg-type]


@given(
    st.lists(st.text(st.sampled_from(ODD + DROPPED), max_size=40) | st.just(PLAIN), max_size=4),
    st.sampled_from(["wordpiece", "bytelevel"]),
)
def test_the_ids_are_those_of_the_tokenizer(texts: list[str], kind: str) -> None:
    expected = tokenizer(kind).encode(texts)
    encoder = WordwiseEncoder(tokenizer(kind))
    for _ in range(2):  # the second time from memory
        assert [ids.tolist() for ids in encoder.encode(texts)] == expected


@given(st.text(st.sampled_from(ODD), max_size=40))
def test_an_odd_text_among_many_plain_words_is_looked_up_right(text: str) -> None:
    texts = [PLAIN, text, PLAIN + text]
    assert [ids.tolist() for ids in WordwiseEncoder(tokenizer("wordpiece")).encode(texts)] == tokenizer(
        "wordpiece"
    ).encode(texts)
