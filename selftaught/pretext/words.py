"""Where words begin, for whole-word masking: WordPiece, byte-level BPE, SentencePiece, and Chinese in each.

A WordPiece token that does not start with ``##`` begins a word; a byte-level BPE token begins one when it
carries the space before it (``Ġ``), a SentencePiece token when it carries ``▁``. None of them says anything
about Chinese, which is written without spaces: there every character would be a word, or the whole sentence
one. Chinese words come from a dictionary segmenter (jieba's, as in Cui et al. 2021, "Pre-Training with Whole
Word Masking").
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

CJK_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
_CHINESE = re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in CJK_RANGES) + "]+")


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

    A byte-level token may hold only some bytes of a character; they stand here as Python's ``surrogateescape`` has it.

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
        bytes(alphabet[c] for c in token).decode(errors="surrogateescape")
        if all(c in alphabet for c in token)
        else token
        for token in tokens
    )


def word_starts(tokens: Sequence[str], kind: str) -> Tensor:
    """For each token of the vocabulary, whether it begins a word wherever it stands: bool [V].

    Punctuation and Chinese characters begin one even where no space comes before them.
    """
    if kind == "wordpiece":
        return torch.tensor([not token.startswith("##") for token in tokens])
    return torch.tensor([not _continues_a_word(text[:1]) for text in surfaces(tokens, kind)])


def _continues_a_word(character: str) -> bool:
    """Letters, digits, combining marks, and parts of a character that some tokens share."""
    if is_cjk(character):
        return False
    return character.isalnum() or unicodedata.category(character or " ") in ("Mn", "Mc", "Me", "Cs")


def join_chinese_words(input_ids: Tensor, starts: Tensor, surface: Sequence[str]) -> Tensor:
    """Where words begin once the Chinese characters of each row are joined into dictionary words.

    Args:
        input_ids: int64 [B, T].
        starts: where the table alone says words begin, bool [B, T]; not changed.
        surface: from :func:`surfaces`.

    Returns:
        bool [B, T]: false where a token continues the Chinese word, or the character, before it.
    """
    joined = starts.clone()
    for row, ids in enumerate(input_ids.tolist()):
        pieces = [surface[i].encode(errors="surrogateescape") for i in ids]
        inside, begins = _chinese_offsets(b"".join(pieces).decode(errors="surrogateescape"))
        if inside:
            offsets = accumulate(map(len, pieces[:-1]), initial=0)
            here = zip(offsets, starts[row].tolist(), strict=True)
            joined[row] = torch.tensor([at in begins if at in inside else start for at, start in here])
    return joined


def _chinese_offsets(text: str) -> tuple[set[int], set[int]]:
    """UTF-8 offsets of the Chinese in a text: of each of its bytes, and of those where a word begins."""
    inside: set[int] = set()
    begins: set[int] = set()
    for run in _CHINESE.finditer(text):
        import rjieba  # loads its dictionary on first use, so only those who meet Chinese pay for it

        offset = len(text[: run.start()].encode(errors="surrogateescape"))
        for word in rjieba.cut(run[0], hmm=False):
            begins.add(offset)
            inside.update(range(offset, offset := offset + len(word.encode())))
    return inside, begins
