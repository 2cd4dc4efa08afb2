"""What of a corpus is never trained on, and its rows as pieces of text that each lie on one side of that split."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from selftaught.data.text import Row
from selftaught.randomness import Randomness

BLOCK_CHARACTERS = 8_192  # rows of one document are joined to this length before they are tokenised
_SPACE = re.compile(r"\s")
_LONGEST_WORD = 64  # Chinese has no spaces to cut at


def hold_out(sizes: Iterable[int], seed: int) -> dict[int, int]:
    """Choose what is never trained on, by document number: the character from which on it is held out.

    Documents are drawn at random, whole, until they make up 2 % of the corpus (at least 20,000 characters
    where that is no more than a tenth, at most two million). Of a document too large for that, only the end
    is held out.
    """
    lengths = np.fromiter(sizes, np.int64)
    total = int(lengths.sum())
    wanted = int(min(max(0.02 * total, 20_000), 0.1 * total, 2_000_000))
    numbers = torch.arange(len(lengths))
    order = Randomness.of(seed, torch.zeros_like(numbers), numbers).child("held out").keys.argsort(stable=True)
    chosen: dict[int, int] = {}
    for document in order.tolist():
        if wanted <= 0:
            break
        length = int(lengths[document])
        chosen[document] = 0 if length <= 2 * wanted and len(lengths) > 1 else length - wanted
        wanted -= length - chosen[document]
    return chosen


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of one document that lie on one side of the split."""

    text: str
    held_out: bool
    begins: bool  # a document, or its held-out end
    ids: np.ndarray | None = None  # its tokens, where they are known already
    sentences: tuple[int, ...] = ()  # where they begin, in characters


def pieces_of(rows: Iterable[Row], held: dict[int, int], size: int) -> Iterator[Piece]:
    """Rows joined to blocks of about ``size`` characters, each of one document and one side of the split."""
    texts: list[str] = []
    ids: list[np.ndarray | None] = []
    length = 0
    current: tuple[int, bool] | None = None
    begins = True
    for text, tokens, side in _sides(rows, held):
        if current is not None and (side != current or length >= size):
            yield Piece("".join(texts), current[1], begins, ids=_only(ids))
            begins, texts, ids, length = side != current, [], [], 0
        current = side
        texts.append(text)
        ids.append(tokens)
        length += len(text)
    if current is not None:
        yield Piece("".join(texts), current[1], begins, ids=_only(ids))


def _only(ids: list[np.ndarray | None]) -> np.ndarray | None:
    """Of several texts that are joined, the tokens are others."""
    return ids[0] if len(ids) == 1 else None


def _sides(rows: Iterable[Row], held: dict[int, int]) -> Iterator[tuple[str, np.ndarray | None, tuple[int, bool]]]:
    """The text of rows, their tokens if they are known, and (document, held out).

    A row that the split goes through is cut there, between words.
    """
    offset, document = 0, -1
    for row in rows:
        offset = offset if row.document == document else 0
        document = row.document
        cut = held[document] - offset if document in held else len(row.text)
        if 0 < cut < len(row.text) and (space := _SPACE.search(row.text, cut, cut + _LONGEST_WORD)):
            cut = space.end()
        if cut > 0:
            yield row.text[:cut], row.ids if cut >= len(row.text) else None, (document, False)
        if cut < len(row.text):
            yield row.text[max(cut, 0) :], row.ids if cut <= 0 else None, (document, True)
        offset += len(row.text)
