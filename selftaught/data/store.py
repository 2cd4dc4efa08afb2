"""The token store: a corpus as memory-mapped ``.npy`` shards that describe themselves.

tokens-00000.npy …   the token ids of all documents, one after the other (uint16, or uint32 where needed)
documents.npy        where each document begins, and the end of the last: int64 [D + 1]
counts.npy           how often each id occurs: int64 [V]
sentences.npy        where each sentence begins: int64 [S]; only where sentences were asked for
MANIFEST.json        tokenizer and source fingerprints, sizes, and the SHA-256 of every file
"""

import hashlib
import os
import shutil
from array import array
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.growing import GrowingArray
from selftaught.data.sealed import damaged, read_sealed, write_sealed
from selftaught.errors import SelftaughtError, saving

SHARD_TOKENS = 1 << 25
_BLOCK_TOKENS = 1 << 18  # that are gathered before they are written
MANIFEST = "MANIFEST.json"
_SENTENCES = "sentences.raw"


@dataclass(frozen=True)
class Manifest:
    """What the store says of itself."""

    source: str
    tokenizer: str
    vocab_size: int
    dtype: str
    tokens: int
    documents: int
    sentences: int | None = None
    shards: list[int] = field(default_factory=list)
    sha256: dict[str, str] = field(default_factory=dict)


def intact(file: Path, sha256: str, store: Path | None = None) -> Path:
    """A file of a store, if it is as it was written.

    Args:
        store: the folder that is made anew as a whole; that of the file if not given.

    Raises:
        SelftaughtError: if it is not.
    """
    if not file.is_file():
        raise damaged(file, "is missing", store)
    if sha256_of(file) != sha256:
        raise damaged(file, "does not match its SHA-256", store)
    return file


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class StoreWriter:
    """Writes a store document by document; nothing is visible at ``folder`` until :meth:`close`.

    Args:
        folder: where the store will stand; a store already there is replaced.
        source, tokenizer: fingerprints, so that a stale store is recognised.
        vocab_size: decides the width of an id.
        opening, closing: ids put before and after each document.
        sentences: whether to write down where sentences begin.
    """

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        tokenizer: str,
        vocab_size: int,
        opening: tuple[int, ...] = (),
        closing: tuple[int, ...] = (),
        sentences: bool = False,
    ) -> None:
        self._folder = folder
        self._aside = folder.with_name(folder.name + ".partial")
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir(parents=True)
        self._dtype = np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)
        self._facts = {"source": source, "tokenizer": tokenizer, "vocab_size": vocab_size}
        self._block = np.empty(_BLOCK_TOKENS, self._dtype)
        self._filled = 0
        self._shards: list[int] = []
        self._shard = self._next_shard()
        self._starts = array("q")
        self._total = 0
        self._counts = np.zeros(vocab_size, np.int64)
        self._opening, self._closing = opening, closing
        self._sentences = (self._aside / _SENTENCES).open("w+b") if sentences else None

    def begin_document(self) -> None:
        """Whatever is added from here on belongs to a new document."""
        self._end_document()
        self._starts.append(self._total)
        self.add(self._opening)

    def add(self, ids: Any, sentences: np.ndarray | None = None) -> None:
        """Append token ids, a sequence or an array, to the current document.

        Args:
            sentences: the places among the ids where sentences begin, increasing; one without a token is none.
        """
        ids = np.asarray(ids, self._dtype)
        if self._sentences is not None and sentences is not None:
            places = np.unique(sentences)
            (places[places < len(ids)] + self._total).astype(np.int64).tofile(self._sentences)
        self._total += len(ids)
        while len(ids):
            part = ids[: _BLOCK_TOKENS - self._filled]
            self._block[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            ids = ids[len(part) :]
            if self._filled == _BLOCK_TOKENS:
                self._write_block()

    def close(self) -> None:
        """Write what is left and the manifest, make it durable, and move the store to its place."""
        self._end_document()
        self._write_block()
        with saving(self._folder):
            self._end_shard()
            np.save(self._aside / "documents.npy", np.array([*self._starts, self._total], np.int64))
            np.save(self._aside / "counts.npy", self._counts)
            count = self._save_sentences()
            manifest = Manifest(
                **self._facts,  # type: ignore[arg-type]
                dtype=self._dtype.name,
                tokens=self._total,
                documents=len(self._starts),
                sentences=count,
                shards=self._shards,
                sha256={file.name: sha256_of(file) for file in sorted(self._aside.glob("*.npy"))},
            )
            write_sealed(self._aside / MANIFEST, asdict(manifest), indent=1)
            for file in self._aside.iterdir():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
            shutil.rmtree(self._folder, ignore_errors=True)
            self._aside.rename(self._folder)

    def _save_sentences(self) -> int | None:
        """Give the numbers gathered on disk, for a corpus may have very many sentences, the form of an array."""
        if self._sentences is None:
            return None
        count = self._sentences.tell() // 8
        self._sentences.flush()
        raw = self._aside / _SENTENCES
        starts = np.memmap(raw, np.int64, "r", shape=count) if count else np.empty(0, np.int64)
        np.save(self._aside / "sentences.npy", starts)
        self._sentences.close()
        raw.unlink()
        return count

    def _end_document(self) -> None:
        if self._starts:
            self.add(self._closing)

    def _write_block(self) -> None:
        tokens = self._block[: self._filled]
        self._counts += np.bincount(tokens, minlength=len(self._counts))
        with saving(self._aside):
            while len(tokens):
                if len(self._shard) == SHARD_TOKENS:
                    self._end_shard()
                    self._shard = self._next_shard()
                part = tokens[: SHARD_TOKENS - len(self._shard)]
                self._shard.add(part)
                tokens = tokens[len(part) :]
        self._filled = 0

    def _next_shard(self) -> GrowingArray:
        return GrowingArray(self._aside / f"tokens-{len(self._shards):05d}.npy", self._dtype)

    def _end_shard(self) -> None:
        self._shards.append(len(self._shard))
        self._shard.close()


class TokenStore:
    """A store, opened for reading: memory-mapped, verified against its manifest.

    Raises:
        SelftaughtError: if a file is missing, damaged, or not what the manifest says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        for name, expected in self.manifest.sha256.items():
            intact(folder / name, expected, folder.parent)
        self.document_starts: np.ndarray = np.load(folder / "documents.npy", allow_pickle=False)
        self._shards = [
            np.load(folder / f"tokens-{i:05d}.npy", mmap_mode="r", allow_pickle=False)
            for i in range(len(self.manifest.shards))
        ]
        self._bounds = np.cumsum([0, *self.manifest.shards])

    def __len__(self) -> int:
        """The number of tokens."""
        return self.manifest.tokens

    @property
    def counts(self) -> np.ndarray:
        """How often each id occurs: int64 [V]."""
        return np.load(self.folder / "counts.npy", allow_pickle=False)

    @cached_property
    def sentence_starts(self) -> np.ndarray:
        """Where each sentence begins, without the tokens that open a document: int64 [S], memory-mapped.

        Raises:
            SelftaughtError: if the store was made without them.
        """
        if self.manifest.sentences is None:
            raise SelftaughtError(
                "this token store does not say where sentences begin",
                where=str(self.folder),
                do="choose another --out, so that the text is read again",
            )
        mode: Any = "r" if self.manifest.sentences else None  # nothing cannot be mapped
        return np.load(self.folder / "sentences.npy", mmap_mode=mode, allow_pickle=False)

    def take(self, positions: np.ndarray) -> np.ndarray:
        """The tokens at ``positions`` (any shape): int64 of the same shape."""
        if len(self._shards) == 1:
            return self._shards[0][positions].astype(np.int64)
        ids = np.empty(positions.shape, np.int64)
        shard = np.searchsorted(self._bounds, positions, "right") - 1
        for number in np.unique(shard):
            here = shard == number
            ids[here] = self._shards[number][positions[here] - self._bounds[number]]
        return ids

    def span(self, first: int, last: int) -> np.ndarray:
        """The tokens from ``first`` up to ``last``, in the store's own type; no copy where they lie in one shard."""
        parts = [
            shard[max(first - begin, 0) : last - begin]
            for begin, shard in zip(self._bounds.tolist(), self._shards, strict=False)
            if begin < last and first < begin + len(shard)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate([self._shards[0][:0], *parts])

    def document_of(self, positions: np.ndarray) -> np.ndarray:
        """The number of the document each position belongs to, of the same shape."""
        return np.searchsorted(self.document_starts, positions, "right") - 1


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the store in ``folder``.

    Raises:
        SelftaughtError: if there is none, or it is damaged.
    """
    facts = read_sealed(folder / MANIFEST)
    if facts is None:
        raise damaged(folder / MANIFEST, "is missing", folder.parent)
    return Manifest(**facts)
