"""From raw text to token stores: read once to know the corpus, learn a tokenizer, read again to tokenise.

Memory does not grow with the corpus, except for eight bytes a document.
"""

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.source import open_text, require_rows
from selftaught.data.store import StoreWriter, TokenStore, intact, read_manifest, sha256_of
from selftaught.data.tally import QUARANTINE, Tally
from selftaught.data.text import Row, TextSource
from selftaught.data.tokenise import (
    TextTokenizer,
    TrainedKind,
    load_tokenizer,
    train_tokenizer,
    vocabulary_size,
)
from selftaught.data.unchanged import is_there, refuse_other_data
from selftaught.data.wordwise import WordwiseEncoder
from selftaught.errors import SelftaughtError, saving
from selftaught.pretext.sentences import CONTEXT, sentence_starts
from selftaught.pretext.words import CJK_RANGES, is_cjk
from selftaught.randomness import Randomness, derive

_SAMPLE_CHARACTERS = 50_000_000  # what a tokenizer is learned from; more does not change it visibly
BLOCK_CHARACTERS = 8_192  # rows of one document are joined to this length before they are tokenised
_BATCH_CHARACTERS = 1 << 20
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
_SPACE = re.compile(r"\s")
_LONGEST_WORD = 64  # Chinese has no spaces to cut at
_CODE_POINTS = 0x110000


@dataclass(frozen=True)
class Scan:
    """What one reading of the corpus tells.

    Args:
        sizes: characters of each document, in order.
        counts: how often each character occurs, by code point: int64 [0x110000].
    """

    sizes: array
    counts: np.ndarray

    @property
    def total(self) -> int:
        """Characters of the corpus."""
        return int(self.counts.sum())

    @property
    def alphabet(self) -> set[str]:
        """Every character that occurs."""
        return set(map(chr, np.flatnonzero(self.counts).tolist()))

    @property
    def chinese_characters(self) -> int:
        return sum(int(self.counts[low : high + 1].sum()) for low, high in CJK_RANGES)

    @property
    def is_chinese(self) -> bool:
        """Whether at least a fifth of the characters are Chinese."""
        return self.chinese_characters > self.total / 5

    def vocabulary(self) -> int:
        """How large a vocabulary this corpus supports."""
        return vocabulary_size(self.total - self.chinese_characters, sum(map(is_cjk, self.alphabet)))


def scan(source: TextSource, tally: Tally) -> Scan:
    """Read the whole corpus once.

    Raises:
        SelftaughtError: if no row of it can be kept.
    """
    found = scan_rows(source.rows(tally))
    require_rows(source, tally)
    return found


def scan_rows(rows: Iterable[Row]) -> Scan:
    """What all of these rows tell."""
    sizes, counts = array("q"), np.zeros(_CODE_POINTS, np.int64)
    document: int | None = None
    waiting: list[str] = []
    length = 0
    for row in rows:
        if row.document != document:
            sizes.append(0)
            document = row.document
        sizes[-1] += len(row.text)
        waiting.append(row.text)
        length += len(row.text)
        if length >= _BATCH_CHARACTERS:
            counts += _count_characters(waiting)
            waiting, length = [], 0
    return Scan(sizes, counts + _count_characters(waiting))


def _count_characters(texts: list[str]) -> np.ndarray:
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.bincount(points, minlength=_CODE_POINTS)


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
class Corpus:
    """A prepared corpus: the tokenizer, the training tokens and the held-out ones.

    Args:
        description: what was detected, for the user.
        tally: rows kept and quarantined, as JSON.
        chinese: whether the text is Chinese.
        held_out_bytes: UTF-8 bytes of the held-out text.
    """

    tokenizer: TextTokenizer
    train: TokenStore
    held_out: TokenStore
    description: str
    tally: dict[str, Any]
    chinese: bool
    held_out_bytes: int


def prepare(
    data: str | Path,
    folder: Path,
    *,
    seed: int,
    text: str | None = None,
    kind: TrainedKind = "wordpiece",
    vocab_size: int | None = None,
    tokenizer: TextTokenizer | None = None,
    sentences: bool = False,
    keep: bool = False,
) -> Corpus:
    """Tokenise ``data`` into ``folder``; what is already there and still fits is used as it is.

    Args:
        data: a folder, a file, ``builtin:NAME`` or ``hf:NAME``.
        text: the column to read, where there are columns.
        kind: of a tokenizer to learn.
        vocab_size: of a tokenizer to learn; from the corpus' size if not given.
        tokenizer: one to use instead of learning one.
        sentences: write down where sentences begin, for samples that are made of them.
        keep: a run that has begun goes on with the tokens it began with, even if the data is gone.

    Raises:
        SelftaughtError: if the data or the tokenizer is another than the kept tokens were made of.
    """
    known = read_sealed(folder / "corpus.json")
    for name, expected in known["tokenizer"].items() if known else ():
        intact(folder / name, expected)
    source = open_text(data, text=text) if known is None or not keep or is_there(data) else None
    if source is not None:
        asked = {
            "source": source.fingerprint,
            "text": text,
            "seed": seed,
            "tokenizer": tokenizer.fingerprint if tokenizer else [kind, vocab_size],
            "sentences": sentences,
        }
        if known is not None and keep:
            own = load_tokenizer(folder)
            remake = partial(_make, source, asked=asked, seed=seed, tokenizer=own, sentences=sentences)
            refuse_other_data(known, source.fingerprint, folder, remake)
        elif known is None or known["asked"] != asked:
            known = _make(source, folder, asked, seed, tokenizer, sentences, kind, vocab_size)
    assert known is not None
    reader, train = tokenizer or load_tokenizer(folder), TokenStore(folder / "train")
    _refuse_other_tokenizer(train.manifest.tokenizer, reader.fingerprint, folder)
    return Corpus(
        reader,
        train,
        TokenStore(folder / "held_out"),
        known["description"],
        known["tally"],
        known["chinese"],
        known["held_out_bytes"],
    )


def _refuse_other_tokenizer(before: str, now: str, folder: Path) -> None:
    """Tokens mean something to the tokenizer alone that made them."""
    if before != now:
        raise SelftaughtError(
            f"the tokens were made with another tokenizer: its fingerprint is {before[:12]}, this one's {now[:12]}",
            where=str(folder),
            do="restore the tokenizer, or choose another --out",
        )


def _make(
    source: TextSource,
    folder: Path,
    asked: dict[str, Any],
    seed: int,
    tokenizer: TextTokenizer | None,
    sentences: bool,
    kind: TrainedKind = "wordpiece",
    vocab_size: int | None = None,
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.json").unlink(missing_ok=True)
    log = folder / QUARANTINE
    log.unlink(missing_ok=True)
    tally = Tally(log=log)
    found = scan(source, tally)
    held = hold_out(found.sizes, derive("hold out", seed))
    if tokenizer is None:
        sample = _sample(source, held, _SAMPLE_CHARACTERS / max(found.total, 1))
        tokenizer = train_tokenizer(sample, kind, vocab_size or found.vocabulary(), found.alphabet)
    with saving(folder):
        tokenizer.save(folder, longest_row=512)
    files = {name: sha256_of(folder / name) for name in _TOKENIZER}
    held_out_bytes = _tokenise(source, folder, held, tokenizer, asked["source"], sentences)
    known = {
        "asked": asked,
        "description": source.description,
        "tally": tally.to_json(),
        "chinese": found.is_chinese,
        "train": _sizes(folder / "train"),
        "held_out": _sizes(folder / "held_out"),
        "held_out_bytes": held_out_bytes,
        "tokenizer": files,
    }
    write_sealed(folder / "corpus.json", known, indent=1)
    return known


def _sizes(folder: Path) -> dict[str, int]:
    facts = asdict(read_manifest(folder))
    return {name: facts[name] for name in ("tokens", "documents")}


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of one document that lie on one side of the split."""

    text: str
    held_out: bool
    begins: bool  # a document, or its held-out end
    sentences: tuple[int, ...] = ()  # where they begin, in characters


def pieces_of(rows: Iterable[Row], held: dict[int, int], size: int) -> Iterator[Piece]:
    """Rows joined to blocks of about ``size`` characters, each of one document and one side of the split."""
    texts: list[str] = []
    length = 0
    current: tuple[int, bool] | None = None
    begins = True
    for text, side in _sides(rows, held):
        if current is not None and (side != current or length >= size):
            yield Piece("".join(texts), current[1], begins)
            begins, texts, length = side != current, [], 0
        current = side
        texts.append(text)
        length += len(text)
    if current is not None:
        yield Piece("".join(texts), current[1], begins)


def _split(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces with their sentences, which may begin in one and end in the next."""
    before = ""
    for piece in pieces:
        before = "" if piece.begins else before
        yield replace(piece, sentences=tuple(sentence_starts(piece.text, before)))
        before = (before + piece.text)[-CONTEXT:]


def _sides(rows: Iterable[Row], held: dict[int, int]) -> Iterator[tuple[str, tuple[int, bool]]]:
    """The text of rows with (document, held out); a row that the split goes through is cut there, between words."""
    offset, document = 0, -1
    for row in rows:
        offset = offset if row.document == document else 0
        document = row.document
        cut = held[document] - offset if document in held else len(row.text)
        if 0 < cut < len(row.text) and (space := _SPACE.search(row.text, cut, cut + _LONGEST_WORD)):
            cut = space.end()
        if cut > 0:
            yield row.text[:cut], (document, False)
        if cut < len(row.text):
            yield row.text[max(cut, 0) :], (document, True)
        offset += len(row.text)


def _sample(source: TextSource, held: dict[int, int], share: float) -> Iterator[str]:
    """An even sample of the text that is not held out."""
    taken = 0.0
    for piece in pieces_of(source.rows(Tally()), held, BLOCK_CHARACTERS):
        if piece.held_out:
            continue
        taken += min(share, 1.0)
        if taken >= 1.0:
            taken -= 1.0
            yield piece.text


def tokenise_all(
    data: str | Path, folder: Path, tokenizer: TextTokenizer, text: str | None = None, sentences: bool = False
) -> tuple[TokenStore, int, Tally]:
    """Tokenise all of ``data`` into one store below ``folder``, for measuring on it.

    Args:
        sentences: as for :func:`prepare`.

    Returns:
        the store, the UTF-8 bytes of the text, and the tally of rows.
    """
    source, tally = open_text(data, text=text), Tally()
    found = scan(source, tally)
    everything = dict.fromkeys(range(len(found.sizes)), 0)
    size = _tokenise(source, folder, everything, tokenizer, source.fingerprint, sentences)
    return TokenStore(folder / "held_out"), size, tally


def _tokenise(
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


def _encoded(
    encoder: WordwiseEncoder, batch: list[Piece], sentences: bool
) -> Iterable[tuple[np.ndarray, np.ndarray | None]]:
    """The ids of each piece and, if asked for, the places among them where sentences begin."""
    texts = [piece.text for piece in batch]
    if sentences:
        return encoder.encode_split(texts, [piece.sentences for piece in batch])
    return ((ids, None) for ids in encoder.encode(texts))


def _batched(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    length = 0
    for piece in pieces:
        batch.append(piece)
        length += len(piece.text)
        if length >= _BATCH_CHARACTERS:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch
