"""Long texts in rows: no token is lost, and characters of the text are found again whatever the tokenizer does."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from selftaught.data.tokenise import TextTokenizer
from selftaught.data.windows import Window, as_batch, token_span, windows


def of_characters(normalizer: normalizers.Normalizer | None = None) -> TextTokenizer:
    """A token for each character that the normaliser leaves, but spaces; all are unknown, which is as good."""
    backend = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    if normalizer is not None:
        backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", "isolated")]
    )
    return TextTokenizer(backend, {})


def rows_of(tokenizer: TextTokenizer, question: str, text: str, longest: int) -> list[Window]:
    return windows(tokenizer, [question], tokenizer.encode_with_places([text]), longest)


def test_a_row_is_the_question_and_a_part_of_the_text(tokenizer: TextTokenizer) -> None:
    (row,) = rows_of(tokenizer, "fox", "heron", 32)
    first, second = tokenizer.encode(["fox", "heron"])
    end = tokenizer.end_id
    assert row.ids == [tokenizer.start_id, *first, end, *second, end]
    assert (row.example, row.before, row.begin) == (0, len(first) + 2, 0)
    batch = as_batch([row], tokenizer)
    assert batch["token_type_ids"][0].tolist() == [0] * row.before + [1] * (len(second) + 1)
    assert (batch["places"][0, :, 0] >= 0).sum() == len(second)
    assert batch["places"][0, row.before].tolist()[0] == 0
    assert batch["places"][0, row.before + len(second) - 1].tolist()[1] == len("heron")


def test_rows_overlap_by_half_of_what_fits_or_by_128() -> None:
    plain = of_characters()
    assert [row.begin for row in rows_of(plain, "??", "x" * 20, 10)] == [0, 4, 8, 12]  # 8 fit
    assert [row.begin for row in rows_of(plain, "?" * 99, "x" * 20, 10)] == [0, 3, 6, 9, 12, 15]  # half of the question
    assert [row.begin for row in rows_of(plain, "?" * 84, "x" * 600, 384)] == [0, 172, 344]  # 300 fit
    assert [row.begin for row in rows_of(plain, "??", "x" * 8, 10)] == [0]
    assert [row.begin for row in rows_of(plain, "??", "", 10)] == [0]


@given(st.integers(0, 40), st.integers(0, 300), st.integers(4, 60))
def test_every_token_is_in_a_row_and_no_row_is_too_long(asked: int, length: int, longest: int) -> None:
    rows = rows_of(of_characters(), "?" * asked, "x" * length, longest)
    assert all(len(row.ids) <= longest for row in rows)
    assert {row.begin + i for row in rows for i in range(len(row.places))} == set(range(length))
    assert all(place == (row.begin + i, row.begin + i + 1) for row in rows for i, place in enumerate(row.places))


@pytest.mark.parametrize("length", [3, 40, 100, 333])
def test_the_rows_are_those_of_transformers(length: int, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    """With its usual options for questions, which tools for the checkpoints of others rely on."""
    question, text = "Where was the red fox?", "The heron watched. " * length
    tokenizer.save(tmp_path, 512)
    options = {"max_length": 384, "stride": 128, "return_overflowing_tokens": True, "return_offsets_mapping": True}
    theirs = AutoTokenizer.from_pretrained(tmp_path)(question, text, truncation="only_second", **options)
    rows = rows_of(tokenizer, question, text, 384)
    assert [row.ids for row in rows] == theirs["input_ids"]
    for row, offsets in zip(rows, theirs["offset_mapping"], strict=True):
        assert row.places == offsets[row.before : row.before + len(row.places)]


def test_the_targets_of_rows_with_and_without_the_answer() -> None:
    rows = rows_of(of_characters(), "??", "x" * 20, 10)  # 0-7, 4-11, 8-15, 12-19, each behind two tokens
    assert [row.row_places((5, 7)) for row in rows] == [(7, 9), (3, 5), (0, 0), (0, 0)]
    assert [row.row_places((4, 12)) for row in rows] == [(0, 0)] * 4
    assert [row.row_places(None) for row in rows] == [(0, 0)] * 4


def test_tokens_that_hold_characters() -> None:
    places = [(0, 3), (4, 7), (7, 7), (7, 9), (12, 13)]
    assert token_span(places, 0, 3) == (0, 0)
    assert token_span(places, 1, 5) == (0, 1)  # parts of tokens
    assert token_span(places, 3, 4) is None  # between them
    assert token_span(places, 8, 13) == (3, 4)
    assert token_span(places, 9, 12) is None
    assert token_span(places, 5, 5) is None
    assert token_span([], 0, 1) is None


NORMALISERS = {
    "one character becomes two": normalizers.NFKC(),
    "two become one": normalizers.NFC(),
    "accents go": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
    "some go": normalizers.Replace("-", ""),
    "some come": normalizers.Replace("&", " and "),
    "small letters": normalizers.BertNormalizer(),
}


@pytest.mark.parametrize("name", NORMALISERS)
def test_a_normaliser_that_changes_lengths_moves_nothing(name: str) -> None:
    """ "ﬁ" is two letters in small print, "İ" becomes two, "e\u0301" one; a hyphen goes, "&" becomes a word."""
    text = "İn the ﬁrst cafe\u0301 half-way & back, 北京大学 ½ of THE WAY-SIDE."
    ((ids, places),) = of_characters(NORMALISERS[name]).encode_with_places([text])
    assert len(ids) == len(places)
    assert places == sorted(places)
    for answer in ("ﬁrst", "half-way & back", "京大", "½", "WAY-SIDE"):
        begin = text.index(answer)
        span = token_span(places, begin, begin + len(answer))
        assert span is not None
        assert text[places[span[0]][0] : places[span[1]][1]] == answer


@given(
    words=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5), max_size=12)
)
@pytest.mark.parametrize("which", ["wordpiece", "bytelevel"])
def test_the_places_of_tokens_go_forward_and_hold_no_space_around_them(
    which: str, words: list[str], request: pytest.FixtureRequest
) -> None:
    made = request.getfixturevalue("tokenizer" if which == "wordpiece" else "bytelevel")
    text = " ".join(words)
    ((_, places),) = made.encode_with_places([text])
    assert all(0 <= begin <= end <= len(text) for begin, end in places)
    assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(places))
    assert all(text[begin:end] == text[begin:end].strip() for begin, end in places)


def test_a_byte_level_token_begins_at_its_word(bytelevel: TextTokenizer) -> None:
    text = "The red fox 北京 wandered"
    ((_, places),) = bytelevel.encode_with_places([text])
    span = token_span(places, 12, 14)
    assert span is not None
    assert text[places[span[0]][0] : places[span[1]][1]] == "北京"
    before = token_span(places, 8, 11)
    assert before is not None
    assert before[1] < span[0]
