"""Pictures with words, decoded once: bytes on disk, mapped into memory, and beside them what is written about each.

pictures.npy     uint8 [N, 3, S, S], each different picture once; of clips uint8 [N, F, 3, S, S]
captions.json    the texts, whose picture each is of, and what label stood beside it
pairs.json       where each picture comes from, which are held out, what was counted, and SHA-256 of the other two
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.pair_item import PairItem, PairSource
from selftaught.data.picture_store import PictureStore, decoded, growing
from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.store import intact, sha256_of
from selftaught.data.tally import QUARANTINE, Tally
from selftaught.data.unchanged import refuse_other_data
from selftaught.errors import SelftaughtError, saving

HELD_OUT = 0.05
_MOST_HELD_OUT = 2_000
_FACTS, _CAPTIONS, _PIXELS = "pairs.json", "captions.json", "pictures.npy"


@dataclass(frozen=True)
class PairStore:
    """Decoded pictures and their captions.

    Args:
        pixels: uint8 [N, 3, S, S], or [N, F, 3, S, S] of clips; no two are the same.
        files: where each comes from first, as ``file`` or ``file:line``.
        held_out: whether each is kept from training, bool [N]; its captions go with it.
        texts: all captions.
        owners: the picture of each caption, int64 [C], in order.
        labels: what label stood beside each caption; empty where none.
        description: what was detected, for the user.
        tally: rows kept and set aside, as JSON.
        counts: rows whose picture had come before (``joined``), captions that had come before with the same picture
            (``repeated``), captions that several pictures have (``shared``), places for captions that hold nothing
            (``empty``).
    """

    pixels: np.ndarray
    files: tuple[str, ...]
    held_out: np.ndarray
    texts: tuple[str, ...]
    owners: np.ndarray
    labels: tuple[str, ...]
    description: str
    tally: dict[str, Any]
    counts: dict[str, int]

    @property
    def resolution(self) -> int:
        return self.pixels.shape[-1]

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the captions of each picture begin in ``texts``, and the end: int64 [N + 1]."""
        return np.searchsorted(self.owners, np.arange(len(self.pixels) + 1))

    def captions(self, picture: int) -> tuple[str, ...]:
        """Those of one picture."""
        return self.texts[self.starts[picture] : self.starts[picture + 1]]

    def sight(self, number: int) -> np.ndarray:
        """A picture as one frame, or the frames of a clip: uint8 [F, 3, S, S]."""
        found = self.pixels[number]
        return found if found.ndim == 4 else found[None]

    def part(self, *, held_out: bool) -> np.ndarray:
        """The places of the pictures to train on, or of those that are kept from it: int64 [n]."""
        return np.flatnonzero(self.held_out == held_out)

    @property
    def pictures(self) -> PictureStore:
        """The pictures alone; the label of each is that of its first caption."""
        labels = tuple(self.labels[first] for first in self.starts[:-1])
        facts = (self.files, labels, self.held_out, self.description, self.tally)
        return PictureStore(self.pixels, *facts, copies=self.counts["joined"])


def prepare_pairs(
    source: PairSource, folder: Path, *, resolution: int, seed: int, share: float = HELD_OUT, keep: bool = False
) -> PairStore:
    """Decode the pictures of ``source`` into ``folder``; what is there already and still fits is used as it is.

    Rows with the same pixels are one picture, with the captions of all of them. Which pictures are held out is told by
    a hash of their pixels, or of their group.

    Args:
        share: of the pictures that are held out, 2,000 at most.
        keep: whether a store is used even if the source has changed since.

    Raises:
        SelftaughtError: if not one can be used, or the store is damaged.
    """
    asked = {"source": source.fingerprint, "resolution": resolution, "seed": seed, "share": share}
    known = read_sealed(folder / _FACTS)
    if known is not None and keep:
        refuse_other_data(known, source.fingerprint, folder, lambda place: _make(source, place, asked))
    elif known is None or known["asked"] != asked:
        known = _make(source, folder, asked)
    return _opened(folder, known)


def read_store(folder: Path) -> PairStore | None:
    """The store in a folder; None if there is none.

    Raises:
        SelftaughtError: if it is damaged.
    """
    known = read_sealed(folder / _FACTS)
    return None if known is None else _opened(folder, known)


def _opened(folder: Path, known: dict[str, Any]) -> PairStore:
    pixels = np.load(intact(folder / _PIXELS, known["sha256"][_PIXELS]), mmap_mode="r")
    captions = _read(intact(folder / _CAPTIONS, known["sha256"][_CAPTIONS]))
    return PairStore(
        pixels,
        tuple(known["files"]),
        np.array(known["held_out"], bool),
        tuple(captions["texts"]),
        np.array(captions["owners"], np.int64),
        tuple(captions["labels"]),
        known["description"],
        known["tally"],
        known["counts"],
    )


def captions_of(folder: Path) -> list[str]:
    """The captions of the store in a folder; none if there is no store."""
    found = _read(folder / _CAPTIONS)
    return list(found["texts"]) if isinstance(found, dict) else []


@dataclass
class _Gathered:
    """What was read so far."""

    seed: bytes
    files: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    captions: list[dict[tuple[str, str], None]] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, item: PairItem, pixels: np.ndarray) -> bool:
        """Note a row; whether its picture is new."""
        digest = hashlib.sha256(pixels.tobytes() + self.seed).digest()
        place = self.places.setdefault(digest, len(self.files))
        new = place == len(self.files)
        if new:
            self.files.append(item.file if not item.line else f"{item.file}:{item.line}")
            together = hashlib.sha256(item.group.encode() + self.seed).digest() if item.group else digest
            self.digests.append(together)
            self.captions.append({})
        known = self.captions[place]
        self.counts.update(
            joined=not new, empty=item.empty, repeated=sum((text, item.label) in known for text in item.texts)
        )
        known.update(dict.fromkeys((text, item.label) for text in item.texts))
        return new


def _make(source: PairSource, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_FACTS, QUARANTINE):
        (folder / name).unlink(missing_ok=True)
    tally, size, found = (
        Tally(log=folder / QUARANTINE),
        asked["resolution"],
        _Gathered(asked["seed"].to_bytes(8, "big")),
    )
    frames = (source.frames,) if source.frames else ()
    with saving(folder), growing(folder / _PIXELS, *frames, 3, size, size) as append:
        for item, pixels in decoded(source, size, tally):
            if found.take(item, pixels):
                append(pixels)
    if not found.files:
        why = f": {tally.records[0]}" if tally.records else ""
        raise SelftaughtError(
            f"not one picture with words can be used{why}", where=source.description, do="give others"
        )
    rows = [(place, text, label) for place, known in enumerate(found.captions) for text, label in known]
    captions = {"texts": [t for _, t, _ in rows], "owners": [p for p, _, _ in rows], "labels": [a for _, _, a in rows]}
    with saving(folder):
        (folder / _CAPTIONS).write_text(json.dumps(captions, ensure_ascii=False), encoding="utf-8")
    known = {
        "asked": asked,
        "description": source.description,
        "tally": tally.to_json(),
        "counts": {"joined": 0, "empty": 0, "repeated": 0, **found.counts, "shared": _shared(rows)},
        "files": found.files,
        "held_out": _held_out(found.digests, asked["share"]).astype(int).tolist(),
        "sha256": {name: sha256_of(folder / name) for name in (_PIXELS, _CAPTIONS)},
    }
    write_sealed(folder / _FACTS, known)
    return known


def _shared(rows: list[tuple[int, str, str]]) -> int:
    """How many different captions several pictures have."""
    pictures = Counter(text for _, text in {(place, text) for place, text, _ in rows})
    return sum(count > 1 for count in pictures.values())


def _held_out(digests: list[bytes], share: float) -> np.ndarray:
    """Those whose digests are the smallest, so that what has one digest stays together: bool [N]."""
    threshold = int(share * 2**256).to_bytes(32, "big")
    below = sorted(digest for digest in digests if digest < threshold)
    if len(below) > _MOST_HELD_OUT:
        threshold = below[_MOST_HELD_OUT]
    return np.array([digest < threshold for digest in digests], bool)


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
