"""The second pass: which documents have a key that an earlier one has too.

A document is dropped if it shares a key with any document before it, kept or not. That needs no graph of who is like
whom: each band is sorted by itself, a range of keys at a time, so that memory is bounded however many documents there
are; and of three texts of which the outer two are not alike, the last is not dropped for the sake of the first.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selftaught.corpus.job import Facts, Job, once
from selftaught.corpus.units import Unit

TOGETHER = 1 << 22  # keys of a band that are sorted at once: 16 bytes each
EXACT = 0  # the band of whole texts


@dataclass(frozen=True)
class Range:
    """Keys of one band, the ``part``-th of ``parts`` equal ranges."""

    band: int
    part: int
    parts: int

    @property
    def name(self) -> str:
        return f"{self.band:02d}-{self.part:05d}"


@dataclass(frozen=True)
class Copies:
    """The pass; it can be sent to a worker.

    Args:
        units: their names, in order.
        offsets: the number of the first document of each unit among all that the first pass kept.
    """

    job: Job
    units: tuple[str, ...]
    offsets: tuple[int, ...]

    def __call__(self, asked: Range) -> Facts:
        return once(self.job.place, f"{self.job.work}/copies/{asked.name}", lambda: self._find(asked))

    def _find(self, asked: Range) -> Facts:
        keys, numbers = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for unit, offset in zip(self.units, self.offsets, strict=True):
            base = f"{self.job.work}/clean/{unit}"
            with (
                self.job.place.fetched(f"{base}.keys.npy") as key_file,
                self.job.place.fetched(f"{base}.order.npy") as order_file,
            ):
                band: np.ndarray = np.load(key_file, mmap_mode="r", allow_pickle=False)[asked.band]
                low, high = (_border(band, asked.part + step, asked.parts) for step in (0, 1))
                keys.append(band[low:high])
                order = np.load(order_file, mmap_mode="r", allow_pickle=False)[asked.band, low:high]
                numbers.append(order.astype(np.int64) + offset)
        found = later_and_first(np.concatenate(keys), np.concatenate(numbers))
        name = f"{self.job.work}/copies/{asked.name}.npy"
        with tempfile.TemporaryDirectory() as scratch:
            np.save(file := Path(scratch, "copies.npy"), found)
            return {"copies": found.shape[1], "sha256": {name: self.job.place.put(file, name)}}


def ranges(job: Job, bands: int, total: int) -> list[Range]:
    """All that the pass has to look at.

    Args:
        bands: how many there are, that of whole texts among them.
        total: documents.
    """
    parts = total // TOGETHER + 1
    wanted = [band for band in range(bands) if job.exact or band != EXACT]
    return [Range(band, part, parts) for band in wanted for part in range(parts)]


def later_and_first(keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Documents that share their key with an earlier one, ascending, and the first that has it: int64 [2, N]."""
    order = np.lexsort((numbers, keys))
    keys, numbers = keys[order], numbers[order]
    begins = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.zeros(0, bool)
    first = numbers[np.maximum.accumulate(np.where(begins, np.arange(len(keys)), 0))]
    later = np.stack([numbers[~begins], first[~begins]])
    return later[:, np.argsort(later[0])]


def firsts(job: Job, asked: Sequence[Range], begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """For the documents from ``begin`` up to ``end`` the first that is the same and the first that is alike, or -1.

    Returns:
        int64 [end - begin] twice.
    """
    far = np.iinfo(np.int64).max
    found = np.full((2, end - begin), far)
    for one in asked:
        with job.place.fetched(f"{job.work}/copies/{one.name}.npy") as file:
            pairs: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
            low, high = np.searchsorted(pairs[0], [begin, end])
            row = found[0 if one.band == EXACT else 1]
            np.minimum.at(row, pairs[0, low:high] - begin, pairs[1, low:high])
    found[found == far] = -1
    return found[0], found[1]


def unit_names(units: Sequence[Unit]) -> tuple[str, ...]:
    return tuple(unit.name for unit in units)


def _border(band: np.ndarray, part: int, parts: int) -> int:
    """Where the ``part``-th of ``parts`` ranges of keys begins."""
    return len(band) if part == parts else int(np.searchsorted(band, np.uint64((part << 64) // parts)))
