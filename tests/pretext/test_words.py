"""Where words begin, in every kind of tokenizer and in Chinese."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.tokenise import TextTokenizer, train_tokenizer
from selftaught.pretext.words import is_cjk, join_chinese_words, surfaces, word_starts

CHINESE = ["我", "爱", "北京", "天安门", "，", "任何", "公民", "享有", "宪法", "的", "权利", "。"]


def starts_of(tokenizer: TextTokenizer, ids: list[int]) -> list[bool]:
    row, spec = torch.tensor([ids]), tokenizer.spec()
    return join_chinese_words(row, spec.starts_word[row], spec.surfaces)[0].tolist()


def planted(tokenizer: TextTokenizer, words: list[str]) -> tuple[list[int], list[bool]]:
    """The ids of words that are tokenised one by one, and where each begins."""
    pieces = tokenizer.encode(words)
    return [i for ids in pieces for i in ids], [k == 0 for ids in pieces for k in range(len(ids))]


@pytest.mark.parametrize(
    ("text", "answer"),
    [("中", True), ("中文", True), ("中a", False), ("", False), ("あ", False), ("𠮷", True), ("。", False)],
)
def test_what_is_chinese(text: str, answer: bool) -> None:
    assert is_cjk(text) is answer


def test_wordpiece(tokenizer: TextTokenizer) -> None:
    ids, begins = planted(tokenizer, ["the", "unbelievably", "grey", "heron", ",", "quietly", "."])
    assert not all(begins)
    assert starts_of(tokenizer, ids) == begins


def test_byte_level(bytelevel: TextTokenizer) -> None:
    ids, begins = planted(bytelevel, [" the", " unbelievably", " grey", " heron", ",", " naïve", " 42", "."])
    assert not all(begins)
    assert starts_of(bytelevel, ids) == begins


def test_metaspace() -> None:
    tokens = ["▁the", "▁un", "believ", "ably", ",", "▁", "grey"]
    assert word_starts(tokens, "metaspace").tolist() == [True, True, False, False, True, True, False]
    assert surfaces(tokens, "metaspace")[:3] == (" the", " un", "believ")


@pytest.mark.parametrize("word", [" café", " cafe\u0301", " Привет", " नमस्ते"])
def test_letters_in_parts_and_combining_marks_continue_a_word(bytelevel: TextTokenizer, word: str) -> None:
    """This tokenizer has seen none of them: each is a row of single bytes."""
    ids, begins = planted(bytelevel, [" the", word, " fox"])
    assert starts_of(bytelevel, ids) == begins


@pytest.mark.parametrize("kind", ["wordpiece", "bytelevel"])
@pytest.mark.parametrize("vocab_size", [270, 600])
def test_chinese_words_come_from_a_dictionary(kind: str, vocab_size: int) -> None:
    """Also where a character is three byte-level tokens, as it is in the small vocabulary."""
    sentence = "".join(CHINESE)
    tokenizer = train_tokenizer([sentence] * 9, kind, vocab_size, set(sentence))  # type: ignore[arg-type]
    ids = tokenizer.encode([sentence])[0]
    surface = tokenizer.spec().surfaces
    joined = b"".join(surface[i].encode(errors="surrogateescape") for i in ids).decode()
    assert joined == sentence
    bounds, offset = set(), 0
    for word in CHINESE:
        bounds.add(offset)
        offset += len(word.encode())
    expected, offset = [], 0
    for i in ids:
        expected.append(offset in bounds)
        offset += len(surface[i].encode(errors="surrogateescape"))
    assert starts_of(tokenizer, ids) == expected
    if kind == "wordpiece":
        assert len(ids) == len(sentence)


def test_chinese_among_english(bytelevel: TextTokenizer) -> None:
    ids, begins = planted(bytelevel, [" the", " fox", " ", "北京", "天安门", " wandered"])
    assert starts_of(bytelevel, ids) == begins


def test_rows_do_not_flow_into_each_other(bytelevel: TextTokenizer) -> None:
    """Nor do words over a special token between them."""
    (city,) = bytelevel.encode(["北京"])
    spec = bytelevel.spec()
    half = len(city) // 2
    rows = torch.tensor([city[:half], city[half:]])
    apart = join_chinese_words(rows, spec.starts_word[rows], spec.surfaces)
    assert apart[:, 0].tolist() == [True, True]
    assert bytelevel.end_id is not None
    with_end = [*city[:half], bytelevel.end_id, *city[half:]]
    assert starts_of(bytelevel, with_end)[half + 1]


@given(text=st.text(max_size=40))
def test_any_text_has_a_beginning_where_it_is_written_apart(bytelevel: TextTokenizer, text: str) -> None:
    ids = bytelevel.encode([text])[0]
    if not ids:
        return
    starts, surface = starts_of(bytelevel, ids), bytelevel.spec().surfaces
    assert len(starts) == len(ids)
    assert all(start for start, i in zip(starts, ids, strict=True) if surface[i][:1].isspace())
