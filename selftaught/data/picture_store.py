"""Pictures decoded once, at the size that is worked with: bytes on disk, mapped into memory.

pictures.npy     uint8 [N, 3, S, S]
pictures.json    where each comes from, its label, which are held out, and the SHA-256 of the array
"""

import hashlib
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from selftaught.data.picture_decoding import PictureProblem
from selftaught.data.picture_item import PictureItem, PictureSource
from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.store import intact, sha256_of
from selftaught.data.tally import QUARANTINE, Tally
from selftaught.data.unchanged import refuse_other_data
from selftaught.errors import SelftaughtError, saving
from selftaught.objective import Batch
from selftaught.randomness import derive

I = TypeVar("I", bound=PictureItem, covariant=True)  # noqa: E741 an item

_FACTS = "pictures.json"
_HELD_OUT = 0.05  # of the pictures, told by a hash of their pixels, so that copies stay together
_MOST_HELD_OUT = 2_000
_DECODERS = 4  # threads; Pillow decodes without Python's lock
_AHEAD = 64  # pictures that may wait decoded


@dataclass(frozen=True)
class PictureStore:
    """Decoded pictures.

    Args:
        pixels: uint8 [N, 3, S, S].
        files: where each comes from, as ``file`` or ``file:line``.
        labels: what its place says of each; empty where nothing.
        held_out: whether each is kept from training, bool [N].
        description: what was detected, for the user.
        tally: pictures kept and set aside, as JSON.
        copies: pictures whose pixels another one before them has.
    """

    pixels: np.ndarray
    files: tuple[str, ...]
    labels: tuple[str, ...]
    held_out: np.ndarray
    description: str
    tally: dict[str, Any]
    copies: int

    @property
    def resolution(self) -> int:
        return self.pixels.shape[-1]

    def part(self, *, held_out: bool) -> "Pictures":
        """Those to train on, or those that are kept from it."""
        return Pictures(self.pixels, np.flatnonzero(self.held_out == held_out))


@dataclass(frozen=True)
class Pictures:
    """Some of the pictures of a store, as the loader takes them.

    Args:
        rows: their places in the store, int64 [N].
    """

    pixels: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """``pixels`` uint8 [B, 3, S, S]."""
        return {"pixels": torch.from_numpy(self.pixels[self.rows[indices]])}


def prepare_pictures(
    source: PictureSource, folder: Path, *, resolution: int, seed: int, keep: bool = False
) -> PictureStore:
    """Decode the pictures of ``source`` into ``folder``; what is there already and still fits is used as it is.

    Raises:
        SelftaughtError: if not one can be used, or the store is damaged.
    """
    asked = {"source": source.fingerprint, "resolution": resolution, "seed": seed}
    known = read_sealed(folder / _FACTS)
    if known is not None and keep:
        refuse_other_data(known, source.fingerprint, folder, lambda place: _make(source, place, asked))
    elif known is None or known["asked"] != asked:
        known = _make(source, folder, asked)
    return _opened(folder, known)


def read_pictures(folder: Path) -> PictureStore | None:
    """The store in a folder; None if there is none.

    Raises:
        SelftaughtError: if it is damaged.
    """
    known = read_sealed(folder / _FACTS)
    return None if known is None else _opened(folder, known)


def _opened(folder: Path, known: dict[str, Any]) -> PictureStore:
    array = intact(folder / "pictures.npy", known["sha256"])
    facts = (tuple(known["files"]), tuple(known["labels"]), np.array(known["held_out"], bool))
    return PictureStore(np.load(array, mmap_mode="r"), *facts, known["description"], known["tally"], known["copies"])


def _make(source: PictureSource, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_FACTS, QUARANTINE):
        (folder / name).unlink(missing_ok=True)
    tally, size, threshold = Tally(log=folder / QUARANTINE), asked["resolution"], _threshold(asked["seed"])
    files, labels, held_out, seen = [], [], [], set()
    for refused in source.refused:
        tally.quarantine(refused.file, refused.line, refused.why)
    with saving(folder), growing(folder / "pictures.npy", 3, size, size) as append:
        for item, pixels in decoded(source, size, tally):
            append(pixels)
            digest = hashlib.sha256(pixels.tobytes() + asked["seed"].to_bytes(8, "big")).digest()
            seen.add(digest)
            files.append(item.file if not item.line else f"{item.file}:{item.line}")
            labels.append(item.label)
            held_out.append(digest < threshold)
    _require(files, source, tally)
    held = _bounded(np.array(held_out), asked["seed"])
    known = {
        "asked": asked,
        "description": source.description,
        "tally": tally.to_json(),
        "copies": len(files) - len(seen),
        "files": files,
        "labels": labels,
        "held_out": held.astype(int).tolist(),
        "sha256": sha256_of(folder / "pictures.npy"),
    }
    write_sealed(folder / _FACTS, known)
    return known


def _threshold(seed: int) -> bytes:
    return int(_HELD_OUT * 2**256).to_bytes(32, "big")


def _bounded(held_out: np.ndarray, seed: int) -> np.ndarray:
    """At most ``_MOST_HELD_OUT``: of a large set a small share is enough."""
    places = np.flatnonzero(held_out)
    if len(places) > _MOST_HELD_OUT:
        held_out[np.random.default_rng(derive("held out", seed)).permutation(places)[_MOST_HELD_OUT:]] = False
    return held_out


class Undecoded(Protocol[I]):
    """A source of pictures of a kind."""

    @property
    def items(self) -> Callable[[], Iterator[I]]: ...


def decoded(source: Undecoded[I], size: int, tally: Tally) -> Iterator[tuple[I, np.ndarray]]:
    """Each picture that can be used, in its order, with its pixels uint8 [3, size, size]; the others are named.

    Threads decode ahead of the one that asks.
    """
    for item, done in _ahead(source, size):
        try:
            pixels = done.result()
        except PictureProblem as problem:
            tally.quarantine(item.file, item.line, str(problem))
        else:
            tally.keep()
            yield item, pixels


def _ahead(source: Undecoded[I], size: int) -> Iterator[tuple[I, Future[np.ndarray]]]:
    waiting: deque[tuple[I, Future[np.ndarray]]] = deque()
    with ThreadPoolExecutor(_DECODERS) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata; what matters is whether there is a picture
        for item in source.items():
            waiting.append((item, pool.submit(partial(item.load, size))))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        yield from waiting


def _require(files: list[str], source: PictureSource, tally: Tally) -> None:
    if not files:
        why = f": {tally.records[0]}" if tally.records else ""
        raise SelftaughtError(f"not one picture can be used{why}", where=source.description, do="give other pictures")


@contextmanager
def growing(file: Path, *shape: int) -> Iterator[Callable[[np.ndarray], None]]:
    """What appends arrays uint8 of one shape to an array of them on disk, which is whole when this is left."""
    count = 0

    def append(pixels: np.ndarray) -> None:
        nonlocal count
        pixels.tofile(out)
        count += 1

    with file.open("wb") as out:
        _write_header(out, 0, *shape)
        yield append
        out.seek(0)
        _write_header(out, count, *shape)


def _write_header(out: Any, *shape: int) -> None:
    """numpy's, which leaves room for the count that is known at the end only."""
    np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
