"""Clips decoded once, at the size and the rate that are worked with: bytes on disk, mapped into memory.

frames.npy     uint8 [N, 3, S, S], the frames of one clip after those of another
motion.npy     float32 [N], how much each frame differs from the next one of its clip
clips.json     where each comes from, its first frame, its label, which are held out, and the SHA-256 of both arrays
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.store import intact, sha256_of
from selftaught.data.tally import QUARANTINE, Tally
from selftaught.data.unchanged import refuse_other_data
from selftaught.data.video_decoding import MOST_FRAMES
from selftaught.data.video_item import VideoItem, VideoProblem, VideoSource
from selftaught.errors import SelftaughtError, saving
from selftaught.objective import Batch
from selftaught.randomness import Randomness, derive

_FACTS, _FRAMES, _MOTION = "clips.json", "frames.npy", "motion.npy"
_HELD_OUT = 0.1  # of the clips, told by a hash of their pixels, so that copies stay together
_MOST_HELD_OUT = 1_000
_DECODERS = 4  # threads; FFmpeg decodes without Python's lock
_AHEAD = 16  # clips that may wait decoded
_TELL_SECONDS = 5.0


@dataclass(frozen=True)
class VideoStore:
    """Decoded clips.

    Args:
        frames: uint8 [N, 3, S, S].
        motion: float32 [N], the mean change of a pixel to the next frame, in [0, 1]; 0 at the end of a clip.
        starts: of each of the C clips its first frame, and at the end N: int64 [C + 1].
        rate: frames a second.
        files: where each clip comes from, as ``file`` or ``file:line``.
        labels: what its place says of each; empty where nothing.
        held_out: whether each is kept from training, bool [C].
        description: what was detected, for the user.
        tally: clips kept and set aside, as JSON.
        copies: clips whose pixels another one before them has.
        folder: where it lies.
    """

    frames: np.ndarray
    motion: np.ndarray
    starts: np.ndarray
    rate: float
    files: tuple[str, ...]
    labels: tuple[str, ...]
    held_out: np.ndarray
    description: str
    tally: dict[str, Any]
    copies: int
    folder: Path

    def __len__(self) -> int:
        return len(self.files)

    @property
    def resolution(self) -> int:
        return self.frames.shape[-1]

    @property
    def lengths(self) -> np.ndarray:
        """Frames of each clip, int64 [C]."""
        return np.diff(self.starts)

    @property
    def cut(self) -> int:
        """Clips of which only the beginning was kept, for they are longer than any that is kept whole."""
        return int((self.lengths >= MOST_FRAMES).sum())

    def clip(self, number: int) -> np.ndarray:
        """The frames of one, uint8 [n, 3, S, S]."""
        return self.frames[self.starts[number] : self.starts[number + 1]]

    def part(self, *, held_out: bool, window: int, seed: int) -> "Clips":
        """Those to train on, or those that are kept from it; see :class:`Clips`."""
        return Clips.of(self, np.flatnonzero(self.held_out == held_out), window, seed)


@dataclass(frozen=True)
class Clips:
    """Windows of some of the clips of a store, as the loader takes them.

    A clip has as many windows as lie in it side by side, and each moves about within its share of the clip from epoch
    to epoch: to the places where more moves more often, in proportion.

    Args:
        window: frames of one (T).
        clips: of each window the clip, int64 [W].
        shares: of each window the first frame that it may begin at and the one after the last, int64 [W, 2].
    """

    store: VideoStore
    window: int
    seed: int
    clips: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, store: VideoStore, rows: np.ndarray, window: int, seed: int) -> "Clips":
        """The windows of the clips ``rows``."""
        clips, shares = [], []
        for row in rows.tolist():
            first, length = int(store.starts[row]), int(store.lengths[row])
            count, places = max(1, length // window), max(1, length - window + 1)
            edges = first + np.linspace(0, places, count + 1).round().astype(np.int64)
            clips += [row] * count
            shares += list(pairwise(edges))
        return cls(store, window, seed, np.array(clips, np.int64), np.array(shares, np.int64).reshape(-1, 2))

    def __len__(self) -> int:
        return len(self.clips)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """``frames`` uint8 [B, T, 3, S, S] and ``motion`` float32 [B, T - 1] between them.

        A clip that is shorter than a window is stretched: some frames stand twice, and nothing moves between them.
        """
        rng = Randomness.of(derive("windows", self.seed), torch.from_numpy(epochs), torch.from_numpy(indices))
        drawn = rng.uniform("place").numpy()
        places = np.stack([self._places(int(i), float(u)) for i, u in zip(indices, drawn, strict=True)])
        return windows_at(self.store, places)

    def _places(self, index: int, drawn: float) -> np.ndarray:
        """The frames of a window, int64 [T], where ``drawn`` is even in [0, 1)."""
        clip, (first, after) = self.clips[index], self.shares[index]
        length = int(self.store.lengths[clip])
        if length <= self.window:
            return _stretched(int(self.store.starts[clip]), length, self.window)
        moved = np.concatenate([[0.0], np.cumsum(self.store.motion[first : after - 1 + self.window], dtype=np.float64)])
        energy = moved[self.window - 1 : self.window - 1 + after - first] - moved[: after - first]
        odds = np.cumsum(energy + energy.mean() / 10 + 1e-9)
        return first + int(np.searchsorted(odds, drawn * odds[-1], side="right")) + np.arange(self.window)


def windows_at(store: VideoStore, places: np.ndarray) -> Batch:
    """The frames at ``places`` int64 [B, T], with the motion between them."""
    steps = np.diff(places)
    motion = np.where(steps > 0, store.motion[places[:, :-1]], 0.0).astype(np.float32)
    return {"frames": torch.from_numpy(store.frames[places]), "motion": torch.from_numpy(motion)}


def even_windows(store: VideoStore, clip: int, window: int, most: int) -> np.ndarray:
    """At most so many windows evenly over a clip, int64 [V, T]: what is looked at of it where nothing is drawn."""
    start, length = int(store.starts[clip]), int(store.lengths[clip])
    if length <= window:
        return _stretched(start, length, window)[None]
    count = min(most, max(1, round(length / window)))
    firsts = np.linspace(0, length - window, count + 2)[1:-1] if count == 1 else np.linspace(0, length - window, count)
    return start + firsts.round().astype(np.int64)[:, None] + np.arange(window)


def _stretched(start: int, length: int, window: int) -> np.ndarray:
    return start + np.arange(window) * length // window


def prepare_videos(
    source: VideoSource,
    folder: Path,
    *,
    resolution: int,
    rate: float,
    seed: int,
    keep: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> VideoStore:
    """Decode the clips of ``source`` into ``folder``; what is there already and still fits is used as it is.

    Args:
        tell: hears now and then how far it is.

    Raises:
        SelftaughtError: if not one can be used, or the store is damaged.
    """
    asked = {"source": source.fingerprint, "resolution": resolution, "rate": rate, "seed": seed}
    known = read_sealed(folder / _FACTS)
    if known is not None and keep:
        refuse_other_data(known, source.fingerprint, folder, lambda place: _make(source, place, asked, tell))
    elif known is None or known["asked"] != asked:
        known = _make(source, folder, asked, tell)
    return _opened(folder, known)


def read_clips(folder: Path) -> VideoStore | None:
    """The store in a folder; None if there is none.

    Raises:
        SelftaughtError: if it is damaged.
    """
    known = read_sealed(folder / _FACTS)
    return None if known is None else _opened(folder, known)


def _opened(folder: Path, known: dict[str, Any]) -> VideoStore:
    for name, digest in known["sha256"].items():
        intact(folder / name, digest)
    return VideoStore(
        np.load(folder / _FRAMES, mmap_mode="r"),
        np.load(folder / _MOTION),
        np.array(known["starts"], np.int64),
        known["asked"]["rate"],
        tuple(known["files"]),
        tuple(known["labels"]),
        np.array(known["held_out"], bool),
        known["description"],
        known["tally"],
        known["copies"],
        folder,
    )


def in_memory(some: Sequence[tuple[VideoItem, np.ndarray]], rate: float) -> VideoStore:
    """A store of a few clips, as :func:`decoded` gives them, that is nowhere on disk."""
    items, clips = [item for item, _ in some], [frames for _, frames in some]
    return VideoStore(
        np.concatenate(clips),
        np.concatenate([motion_of(frames) for frames in clips]),
        np.cumsum([0, *map(len, clips)]),
        rate,
        tuple(item.file if not item.line else f"{item.file}:{item.line}" for item in items),
        tuple(item.label for item in items),
        np.zeros(len(clips), bool),
        f"{len(clips):,} clips",
        {},
        0,
        Path(),
    )


def clip_digests(folder: Path) -> tuple[int, float, set[bytes]] | None:
    """Of the store in a folder the resolution, the rate and the SHA-256 of each clip's pixels; None if it is gone."""
    known = read_sealed(folder / _FACTS)
    if known is None or not (folder / _FRAMES).is_file():
        return None
    frames, starts = np.load(folder / _FRAMES, mmap_mode="r"), known["starts"]
    digests = {hashlib.sha256(frames[first:after].tobytes()).digest() for first, after in pairwise(starts)}
    return known["asked"]["resolution"], known["asked"]["rate"], digests


def _make(source: VideoSource, folder: Path, asked: dict[str, Any], tell: Callable[[str], None]) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_FACTS, QUARANTINE):
        (folder / name).unlink(missing_ok=True)
    tally, size, threshold = Tally(log=folder / QUARANTINE), asked["resolution"], _threshold()
    files, labels, held_out, starts, motion, seen = [], [], [], [0], [], set()
    began = told = time.perf_counter()
    for refused in source.refused:
        tally.quarantine(refused.file, refused.line, refused.why)
    with saving(folder), (folder / _FRAMES).open("wb") as out:
        _write_header(out, 0, size)
        for item, frames in decoded(source, size, asked["rate"], tally):
            frames.tofile(out)
            digest = hashlib.sha256(frames.tobytes() + asked["seed"].to_bytes(8, "big")).digest()
            seen.add(digest)
            files.append(item.file if not item.line else f"{item.file}:{item.line}")
            labels.append(item.label)
            held_out.append(digest < threshold)
            starts.append(starts[-1] + len(frames))
            motion.append(motion_of(frames))
            if (now := time.perf_counter()) - told > _TELL_SECONDS:
                told = now
                tell(f"decoding    {tally.rows:,} clips, {tally.rows / (now - began):.1f} a second")
        out.seek(0)
        _write_header(out, starts[-1], size)
    if not files:
        why = f": {tally.records[0]}" if tally.records else ""
        raise SelftaughtError(f"not one clip can be used{why}", where=source.description, do="give other videos")
    with saving(folder):
        np.save(folder / _MOTION, np.concatenate(motion))
    known = {
        "asked": asked,
        "description": source.description,
        "tally": tally.to_json(),
        "copies": len(files) - len(seen),
        "files": files,
        "labels": labels,
        "starts": starts,
        "held_out": _bounded(np.array(held_out), asked["seed"]).astype(int).tolist(),
        "sha256": {name: sha256_of(folder / name) for name in (_FRAMES, _MOTION)},
    }
    write_sealed(folder / _FACTS, known)
    return known


def motion_of(frames: np.ndarray) -> np.ndarray:
    """How much each frame differs from the next one, float32 [n] in [0, 1]; 0 for the last."""
    moved = np.zeros(len(frames), np.float32)
    for i in range(len(frames) - 1):
        moved[i] = np.abs(frames[i + 1].astype(np.int16) - frames[i]).mean() / 255
    return moved


def decoded(source: VideoSource, size: int, rate: float, tally: Tally) -> Iterator[tuple[VideoItem, np.ndarray]]:
    """Each clip that can be used, in its order, with its frames uint8 [n, 3, size, size]; the others are named.

    Threads decode ahead of the one that asks.
    """
    for item, done in _ahead(source, size, rate):
        try:
            frames = done.result()
        except VideoProblem as problem:
            tally.quarantine(item.file, item.line, str(problem))
        else:
            tally.keep()
            yield item, frames


def _ahead(source: VideoSource, size: int, rate: float) -> Iterator[tuple[VideoItem, Future[np.ndarray]]]:
    waiting: deque[tuple[VideoItem, Future[np.ndarray]]] = deque()
    with ThreadPoolExecutor(_DECODERS) as pool:
        for item in source.items():
            waiting.append((item, pool.submit(partial(item.load, size, rate))))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        yield from waiting


def _threshold() -> bytes:
    return int(_HELD_OUT * 2**256).to_bytes(32, "big")


def _bounded(held_out: np.ndarray, seed: int) -> np.ndarray:
    """At most ``_MOST_HELD_OUT``: of a large set a small share is enough."""
    places = np.flatnonzero(held_out)
    if len(places) > _MOST_HELD_OUT:
        held_out[np.random.default_rng(derive("held out", seed)).permutation(places)[_MOST_HELD_OUT:]] = False
    return held_out


def _write_header(out: Any, count: int, size: int) -> None:
    """numpy's, which leaves room for the count that is known at the end only."""
    shape = {"descr": "|u1", "fortran_order": False, "shape": (count, 3, size, size)}
    np.lib.format.write_array_header_1_0(out, shape)
