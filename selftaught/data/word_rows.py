"""Texts that are cut into words as rows of tokens, which know the word that begins at each."""

from collections.abc import Sequence
from itertools import pairwise

import torch

from selftaught.data.tagged_text import TaggedText
from selftaught.data.tokenise import TextTokenizer

NO_WORD = -1


def word_rows(texts: Sequence[TaggedText], tokenizer: TextTokenizer, longest: int) -> dict[str, torch.Tensor]:
    """Padded rows of at most ``longest`` tokens, opened and closed as a document is in pretraining.

    No token reaches over two words: each is tokenised with the space before it and without its neighbours. A text that
    is too long is continued in another row, which begins with a whole word; of a word that is longer than a row, what
    fits is read.

    Returns:
        ``input_ids`` int64 and ``attention_mask`` bool [R, T]; ``example`` int64 [R], which text a row belongs to;
        ``word`` int64 [R, T], the number of the word in its text where its first token stands, -1 elsewhere. A word of
        which the tokenizer makes nothing, such as a lone control character, stands nowhere.
    """
    opening = [] if tokenizer.start_id is None else [tokenizer.start_id]
    closing = [] if tokenizer.end_id is None else [tokenizer.end_id]
    room = longest - len(opening) - len(closing)
    rows: list[list[int]] = []
    firsts: list[list[int]] = []
    owners = []
    for owner, words in enumerate(_tokens_of_words(texts, tokenizer)):
        for first, row in _packed(words, room):
            rows.append(opening + row + closing)
            firsts.append([NO_WORD] * len(opening) + first + [NO_WORD] * len(closing))
            owners.append(owner)
    batch = tokenizer.padded(rows)
    word = torch.full_like(batch["input_ids"], NO_WORD)
    for i, first in enumerate(firsts):
        word[i, : len(first)] = torch.tensor(first, dtype=torch.int64)
    return {**batch, "example": torch.tensor(owners), "word": word}


def _tokens_of_words(texts: Sequence[TaggedText], tokenizer: TextTokenizer) -> list[list[list[int]]]:
    """The token ids of each word of each text."""
    parts = []
    for text in texts:
        ends = [0, *(end for _, end in text.words)]
        parts.append([text.text[before:end] for before, end in pairwise(ends)])
    different = list(dict.fromkeys(part for some in parts for part in some))
    ids = dict(zip(different, tokenizer.encode(different), strict=True))
    return [[ids[part] for part in some] for some in parts]


def _packed(words: Sequence[Sequence[int]], room: int) -> list[tuple[list[int], list[int]]]:
    """Rows of whole words, one at least: the number of the word that begins at each token, and the tokens."""
    found: list[tuple[list[int], list[int]]] = [([], [])]
    for number, tokens in enumerate(words):
        tokens = list(tokens[:room])
        if not tokens:
            continue
        if len(found[-1][1]) + len(tokens) > room:
            found.append(([], []))
        first, row = found[-1]
        first += [number] + [NO_WORD] * (len(tokens) - 1)
        row += tokens
    return found
