"""Token stores filled with the text of a corpus: one to train on, one that is held out."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from selftaught.data.hold_out import BLOCK_CHARACTERS, Piece, pieces_of
from selftaught.data.store import StoreWriter
from selftaught.data.tally import Tally
from selftaught.data.text import TextSource
from selftaught.data.tokenise import TextTokenizer
from selftaught.data.wordwise import WordwiseEncoder
from selftaught.errors import SelftaughtError
from selftaught.pretext.sentences import CONTEXT, sentence_starts

_ENCODED_AT_ONCE = 1 << 20  # characters


def fill_stores(
    source: TextSource,
    folder: Path,
    held: dict[int, int],
    tokenizer: TextTokenizer,
    fingerprint: str,
    sentences: bool,
) -> int:
    """Write both stores; return the UTF-8 bytes of the held-out text."""
    held_out_bytes, encoder = 0, WordwiseEncoder(tokenizer)
    train, held_out = (
        StoreWriter(
            folder / name,
            source=fingerprint,
            tokenizer=tokenizer.fingerprint,
            vocab_size=tokenizer.vocab_size,
            opening=() if tokenizer.start_id is None else (tokenizer.start_id,),
            closing=() if tokenizer.end_id is None else (tokenizer.end_id,),
            sentences=sentences,
        )
        for name in ("train", "held_out")
    )
    pieces = pieces_of(source.rows(Tally()), held, BLOCK_CHARACTERS)
    for batch in _batched(_split(pieces) if sentences else pieces):
        for piece, (ids, starts) in zip(batch, _encoded(encoder, batch, sentences), strict=True):
            writer = held_out if piece.held_out else train
            held_out_bytes += len(piece.text.encode()) if piece.held_out else 0
            if piece.begins:
                writer.begin_document()
            writer.add(ids, starts)
    train.close()
    held_out.close()
    return held_out_bytes


def _split(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces with their sentences, which may begin in one and end in the next."""
    before = ""
    for piece in pieces:
        before = "" if piece.begins else before
        yield replace(piece, sentences=tuple(sentence_starts(piece.text, before)))
        before = (before + piece.text)[-CONTEXT:]


def _encoded(
    encoder: WordwiseEncoder, batch: list[Piece], sentences: bool
) -> Iterable[tuple[np.ndarray, np.ndarray | None]]:
    """The ids of each piece and, if asked for, the places among them where sentences begin."""
    if sentences:
        return encoder.encode_split([piece.text for piece in batch], [piece.sentences for piece in batch])
    if any(piece.ids is not None and piece.ids.max(initial=0) >= encoder.vocab_size for piece in batch):
        raise SelftaughtError("this corpus brings tokens that its tokenizer does not have", do="prepare it anew")
    unknown = iter(encoder.encode([piece.text for piece in batch if piece.ids is None]))
    return ((next(unknown) if piece.ids is None else piece.ids, None) for piece in batch)


def _batched(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    length = 0
    for piece in pieces:
        batch.append(piece)
        length += len(piece.text)
        if length >= _ENCODED_AT_ONCE:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch
