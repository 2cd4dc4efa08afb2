"""What a set of pictures holds: sizes, labels, copies, and what cannot be used."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from selftaught.data.picture_item import PictureSource
from selftaught.data.picture_store import decoded
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.metrics.near_copies import difference_hash, near_copies

_SIDE = 32  # at which pictures are compared
_TOLD_APART = 16  # pixels a side, from which on likeness says something: all small zeros look alike
_FEW, _FEW_OF_A_CLASS = 2_000, 8


@dataclass(frozen=True)
class Survey:
    """Some pictures, looked at once.

    Args:
        files: where each is that can be used.
        shapes: width and height of each, int64 [N, 2]; 0 where unknown.
        digests: of each one's pixels.
        hashes: of what each shows, coarsely; uint64 [N].
        labels: how many have each label.
    """

    description: str
    tally: Tally
    files: tuple[str, ...]
    shapes: np.ndarray
    digests: tuple[bytes, ...]
    hashes: np.ndarray
    labels: Counter[str]

    @classmethod
    def of(cls, source: PictureSource) -> "Survey":
        """Look at every picture.

        Raises:
            SelftaughtError: if not one can be used.
        """
        tally, files, shapes, digests, hashes, labels = Tally(), [], [], [], [], Counter[str]()
        for item, pixels in decoded(source, _SIDE, tally):
            files.append(f"{item.file}:{item.line}" if item.line else item.file)
            shapes.append(item.shape())
            digests.append(hashlib.sha256(pixels.tobytes()).digest())
            hashes.append(difference_hash(pixels) if min(shapes[-1]) >= _TOLD_APART else 0)
            labels[item.label] += 1
        if not files:
            raise SelftaughtError(
                f"not one picture can be used: {'; '.join(tally.named(1))}", where=source.description, do="give others"
            )
        labels.pop("", None)
        facts = (np.array(shapes, np.int64), tuple(digests), np.array(hashes, np.uint64))
        return cls(source.description, tally, tuple(files), *facts, labels)

    @property
    def copies(self) -> int:
        """Pictures that have the very pixels of one before them."""
        return len(self.digests) - len(set(self.digests))

    def nearly(self) -> list[tuple[str, str]]:
        """Pictures that nearly are one before them, and which; copies are not counted."""
        first = near_copies(self.hashes)
        pairs = ((here, int(there)) for here, there in enumerate(first) if there >= 0)
        return [(self.files[a], self.files[b]) for a, b in pairs if self.digests[a] != self.digests[b]]

    def also_in(self, other: "Survey") -> tuple[int, int]:
        """How many of these pictures have the pixels of one of the other's, and how many more nearly are one."""
        known = set(other.digests)
        same = np.array([digest in known for digest in self.digests])
        near = near_copies(np.concatenate([other.hashes, self.hashes]))[len(other.hashes) :]
        return int(same.sum()), int(((near >= 0) & (near < len(other.hashes)) & ~same).sum())

    def to_json(self) -> dict[str, Any]:
        """What was found, for programs."""
        known = self.shapes[self.shapes.min(1) > 0]
        sides = {name: pick(known, 0).tolist() for name, pick in _OF_SIDES.items()} if len(known) else {}
        nearly = self.nearly()
        return {
            "description": self.description,
            **self.tally.to_json(),
            "sizes": sides,
            "classes": dict(self.labels),
            "copies": self.copies,
            "near_copies": len(nearly),
            "near": nearly[:100],
        }

    def advice(self) -> list[str]:
        """What to do about it."""
        found, count = [], len(self.files)
        if count < _FEW:
            found.append(
                f"{count:,} pictures are few: with less than {_FEW:,} raw pixels are often as good; the verdict tells"
            )
        if self.copies > count / 5:
            found.append(f"{self.copies / count:.0%} of the pictures are copies: remove them")
        if self.labels and (least := min(self.labels.values())) < _FEW_OF_A_CLASS:
            few = sum(1 for n in self.labels.values() if n < _FEW_OF_A_CLASS)
            found.append(f"{few} classes have fewer than {_FEW_OF_A_CLASS} pictures, one as few as {least}")
        return found


_OF_SIDES: dict[str, Callable[..., Any]] = {"least": np.min, "median": np.median, "most": np.max}


def survey_lines(found: dict[str, Any]) -> list[str]:
    """What :meth:`Survey.to_json` says, for the terminal."""
    lines = []
    if sizes := found["sizes"]:
        least, median, most = (f"{w:.0f} x {h:.0f}" for w, h in sizes.values())
        lines.append(f"sizes       {median} in the middle, from {least} to {most}")
    example = f", such as {' and '.join(found['near'][0])}" if found["near"] else ""
    lines.append(
        f"copies      {found['copies']:,} have the pixels of another, {found['near_copies']:,} nearly are one{example}"
    )
    if classes := found["classes"]:
        counts = sorted(classes.values())
        lines.append(f"labels      {len(classes):,} classes of {counts[0]:,} to {counts[-1]:,} pictures")
    return lines
