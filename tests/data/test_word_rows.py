"""Words and tokens side by side: no word is lost, no token is of two words."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.tagged_text import TaggedText, cut, join
from selftaught.data.tokenise import TextTokenizer
from selftaught.data.word_rows import NO_WORD, word_rows


def text_of(*words: str) -> TaggedText:
    return TaggedText(*join(words), (), "", 0)


def words_by_example(batch: dict[str, torch.Tensor]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for owner, row in zip(batch["example"].tolist(), batch["word"], strict=True):
        found.setdefault(owner, []).extend(row[row != NO_WORD].tolist())
    return found


def test_the_first_token_of_a_word_is_marked(tokenizer: TextTokenizer) -> None:
    wandered, fox = tokenizer.encode(["wandered", "fox"])
    assert len(wandered) > 1
    batch = word_rows([text_of("wandered", "fox")], tokenizer, 64)
    assert batch["input_ids"].tolist() == [[tokenizer.start_id, *wandered, *fox, tokenizer.end_id]]
    firsts = [-1, 0, *[-1] * (len(wandered) - 1), 1, *[-1] * (len(fox) - 1), -1]
    assert batch["word"].tolist() == [firsts]
    assert batch["attention_mask"].all()


def test_a_text_is_tokenised_as_it_is_without_words(tokenizer: TextTokenizer, texts: list[str]) -> None:
    """What was pretrained on whole texts, and what a pipeline of transformers reads, is the same."""
    for text in texts[:5]:
        batch = word_rows([TaggedText(text, cut(text), (), "", 0)], tokenizer, 64)
        assert torch.equal(batch["input_ids"], tokenizer.batch([text], 64)["input_ids"])


def test_byte_level_tokens_have_the_space_before_their_word(bytelevel: TextTokenizer) -> None:
    text = "The red fox, wandered"
    batch = word_rows([TaggedText(text, cut(text), (), "", 0)], bytelevel, 64)
    assert torch.equal(batch["input_ids"], bytelevel.batch([text], 64)["input_ids"])


def test_a_token_is_never_of_two_words(bytelevel: TextTokenizer) -> None:
    """Where each character is a word, those of "fox" are three tokens at least."""
    text = replace(text_of("fox"), words=((0, 1), (1, 2), (2, 3)))
    batch = word_rows([text], bytelevel, 64)
    assert words_by_example(batch) == {0: [0, 1, 2]}


def test_words_of_which_nothing_is_made_stand_nowhere(tokenizer: TextTokenizer) -> None:
    batch = word_rows([text_of("fox", "\u200b\u200d", "\x01"), text_of("\x01")], tokenizer, 64)
    assert words_by_example(batch) == {0: [0], 1: []}
    assert batch["example"].tolist() == [0, 1]  # a row for each


def test_a_long_word_keeps_what_fits(tokenizer: TextTokenizer) -> None:
    batch = word_rows([text_of("fox", "wandered" * 30, "fox")], tokenizer, 12)
    assert batch["input_ids"].shape[1] == 12
    assert words_by_example(batch) == {0: [0, 1, 2]}


@pytest.mark.parametrize("kind", ["tokenizer", "bytelevel"])
@given(data=st.data())
def test_no_word_is_lost_in_rows_of_any_length(
    kind: str, data: st.DataObject, tokenizer: TextTokenizer, bytelevel: TextTokenizer
) -> None:
    made = tokenizer if kind == "tokenizer" else bytelevel
    some = st.lists(st.sampled_from(["fox", "wandered", "unbelievably", ",", "the"]), min_size=1, max_size=30)
    texts = [text_of(*words) for words in data.draw(st.lists(some, min_size=1, max_size=4))]
    longest = data.draw(st.integers(3, 40))
    batch = word_rows(texts, made, longest)
    assert batch["input_ids"].shape[1] <= longest
    assert words_by_example(batch) == {i: list(range(len(text.words))) for i, text in enumerate(texts)}
    assert batch["word"][~batch["attention_mask"]].eq(NO_WORD).all()
    assert batch["word"][:, 0].eq(NO_WORD).all()
