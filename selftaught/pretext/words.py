"""Where words begin, for whole-word masking: WordPiece, byte-level BPE, SentencePiece, and Chinese in each.

A WordPiece token that does not start with ``##`` begins a word; a byte-level BPE token begins one when it
carries the space before it (``Ġ``), a SentencePiece token when it carries ``▁``. None of them says anything
about Chinese, which is written without spaces: there every character would be a word, or the whole sentence
one. Chinese words come from a dictionary segmenter (jieba's, as in Cui et al. 2021, "Pre-Training with Whole
Word Masking").
"""

from collections.abc import Sequence

import torch
from torch import Tensor

CJK_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))


def is_cjk(text: str) -> bool:
    """Whether the text is made of Chinese ideographs only (false for the empty text)."""
    return bool(text) and all(any(low <= ord(c) <= high for low, high in CJK_RANGES) for c in text)


def _bytelevel_alphabet() -> dict[str, int]:
    """The printable character that byte-level BPE writes for each byte (Radford et al. 2019, section 2.2)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


def surfaces(tokens: Sequence[str], kind: str) -> tuple[str, ...]:
    """What each token of the vocabulary looks like in the text, a space before it included.

    Args:
        tokens: the vocabulary in order of ids.
        kind: ``"wordpiece"``, ``"bytelevel"`` or ``"metaspace"``.
    """
    if kind == "wordpiece":
        return tuple(token.removeprefix("##") for token in tokens)
    if kind == "metaspace":
        return tuple(token.replace("▁", " ") for token in tokens)
    alphabet = _bytelevel_alphabet()
    return tuple(
        bytes(alphabet[c] for c in token).decode(errors="replace") if all(c in alphabet for c in token) else token
        for token in tokens
    )


def word_starts(tokens: Sequence[str], kind: str) -> Tensor:
    """For each token of the vocabulary, whether it begins a word wherever it stands: bool [V].

    Punctuation and Chinese characters begin one even where no space comes before them.
    """
    if kind == "wordpiece":
        return torch.tensor([not token.startswith("##") for token in tokens])
    return torch.tensor([not text[:1].isalnum() or is_cjk(text[:1]) for text in surfaces(tokens, kind)])


def join_chinese_words(input_ids: Tensor, starts: Tensor, surface: Sequence[str]) -> Tensor:
    """Where words begin once the Chinese characters of each row are joined into dictionary words.

    Args:
        input_ids: int64 [B, T].
        starts: where the table alone says words begin, bool [B, T]; not changed.
        surface: from :func:`surfaces`.

    Returns:
        bool [B, T]: false where a Chinese token continues the word before it.
    """
    import rjieba  # loads its dictionary on first use, so only those who meet Chinese pay for it

    starts = starts.clone()
    for row, ids in enumerate(input_ids.tolist()):
        for places, run in _chinese_runs([surface[i] for i in ids]):
            begins, offset = set(), 0
            for word in rjieba.cut(run, hmm=False):
                begins.add(offset)
                offset += len(word)
            for place, at in places:
                starts[row, place] = at in begins
    return starts


def _chinese_runs(texts: list[str]) -> list[tuple[list[tuple[int, int]], str]]:
    """The maximal runs of Chinese tokens: ([(place of the token, its offset in the run)], the characters)."""
    runs: list[tuple[list[tuple[int, int]], str]] = []
    inside = False
    for place, text in enumerate(texts):
        if not is_cjk(text):
            inside = False
            continue
        if not inside:
            runs.append(([], ""))
        places, characters = runs.pop()
        runs.append(([*places, (place, len(characters))], characters + text))
        inside = True
    return runs
