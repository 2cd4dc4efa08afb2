"""Word by word and all at once are the same tokens."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.tokenise import TextTokenizer, TrainedKind, train_tokenizer
from selftaught.data.wordwise import WordwiseEncoder
from selftaught.pretext.sentences import sentence_starts

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


@given(
    st.lists(st.text(st.sampled_from(ODD + DROPPED + "。！”…?;\n"), max_size=40) | st.just(PLAIN), max_size=4),
    st.sampled_from(["wordpiece", "bytelevel"]),
)
def test_with_sentences_the_ids_are_the_same(texts: list[str], kind: str) -> None:
    expected = tokenizer(kind).encode(texts)
    found = WordwiseEncoder(tokenizer(kind)).encode_split(texts, [sentence_starts(text) for text in texts])
    assert [ids.tolist() for ids, _ in found] == expected


@pytest.mark.parametrize("kind", ["wordpiece", "bytelevel"])
def test_sentences_begin_at_their_first_token(kind: TrainedKind) -> None:
    sentences = ["the cat sat. ", "on the mat!\n", "猫猫法。", "the cat sat on"]
    known = train_tokenizer([PLAIN], kind, 270, alphabet="".join(sentences))
    split, plain = WordwiseEncoder(known).encode_split(["".join(sentences), PLAIN], [[0, 13, 25, 29], [0]])
    texts = [known.backend.decode(part.tolist()) for part in np.split(split[0], split[1].tolist())]
    assert [text.replace(" ", "").strip() for text in texts] == ["", *(s.replace(" ", "").strip() for s in sentences)]
    assert plain[1].tolist() == [0]
