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
_CHINESE = "[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in CJK_RANGES) + "]+"
_CHINESE_OR_SYMBOL = re.compile(rf"(?P<chinese>{_CHINESE})|[^\w\x00-\x7f]")


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
        bool [B, T]: false where a token continues the Chinese word, or the symbol, that began before it.
    """
    joined = starts.clone()
    for row, ids in enumerate(input_ids.tolist()):
        pieces = [surface[i].encode(errors="surrogateescape") for i in ids]
        marks = _word_marks(b"".join(pieces))
        if any(marks):
            offsets = accumulate(map(len, pieces[:-1]), initial=0)
            here = zip(map(marks.__getitem__, offsets), starts[row].tolist(), strict=True)
            joined[row] = torch.tensor([mark == _BEGINS if mark else start for mark, start in here])
    return joined


_BEGINS, _CONTINUES = 1, 2


def _word_marks(text: bytes) -> bytearray:
    """For each byte of a text, whether a word begins there or continues, if it is of Chinese or of a symbol; else 0."""
    marks = bytearray(len(text) + 1)  # the last token may be empty
    characters, done, offset = text.decode(errors="surrogateescape"), 0, 0
    for run in _CHINESE_OR_SYMBOL.finditer(characters):
        offset += len(characters[done : run.start()].encode(errors="surrogateescape"))
        done = run.start()
        for word in _words_of(run):
            size = len(word.encode())
            marks[offset : offset + size] = bytes([_BEGINS]) + bytes([_CONTINUES]) * (size - 1)
            offset, done = offset + size, done + len(word)
    return marks


def _words_of(run: re.Match[str]) -> Sequence[str]:
    if run["chinese"]:
        import rjieba  # loads its dictionary on first use, so only those who meet Chinese pay for it

        return rjieba.cut(run["chinese"], hmm=False)
    return () if _continues_a_word(run[0]) else (run[0],)


def readable(surface: str) -> str:
    """A surface for people: parts of characters become the replacement character."""
    return surface.encode(errors="surrogateescape").decode(errors="replace")
