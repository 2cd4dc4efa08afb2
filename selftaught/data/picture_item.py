"""Pictures that are not decoded yet: one, and all that one place has."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selftaught.data.picture_decoding import PictureProblem
from selftaught.data.tally import Quarantined
from selftaught.errors import SelftaughtError

_LOOKED_AT = 200  # pictures whose size is asked, to choose a resolution


@dataclass(frozen=True)
class PictureItem:
    """A picture that is not decoded yet.

    Args:
        file, line: where it is, as the user would name it; line 0 for a file of its own.
        label: what its place says of it; empty if nothing.
        load: uint8 [3, S, S] for a size S; raises PictureProblem.
        shape: its width and height, 0, 0 if they cannot be told.
    """

    file: str
    line: int
    label: str
    load: Callable[[int], np.ndarray]
    shape: Callable[[], tuple[int, int]]


def refuse(why: str, size: int) -> np.ndarray:
    """The ``load`` of what cannot be loaded."""
    raise PictureProblem(why)


def no_shape() -> tuple[int, int]:
    """The ``shape`` of it."""
    return 0, 0


@dataclass(frozen=True)
class PictureSource:
    """Where pictures come from.

    Args:
        description: what was detected, for the user.
        fingerprint: changes when the files do.
        items: each picture, in an order that does not change.
        refused: what could not even be opened.
    """

    description: str
    fingerprint: str
    items: Callable[[], Iterator[PictureItem]]
    refused: tuple[Quarantined, ...] = ()

    def typical_side(self) -> int:
        """The median of the shorter sides of some pictures, in pixels.

        Raises:
            SelftaughtError: if none of them is a picture.
        """
        sides = []
        for item, _ in zip(self.items(), range(_LOOKED_AT), strict=False):
            sides.append(min(item.shape()))
        known = [side for side in sides if side > 0]
        if not known:
            raise SelftaughtError(
                "not one picture can be read", where=self.description, do="selftaught check tells why"
            )
        return int(np.median(known))


def fingerprint(files: list[Path]) -> str:
    """What changes when one of the files does; one that is not there, as a broken link, is a file too."""
    digest = hashlib.sha256()
    for file in files:
        try:
            status = file.stat()
            facts = (str(file.resolve()), status.st_size, status.st_mtime_ns)
        except OSError:
            facts = (str(file), -1, 0)
        digest.update(repr(facts).encode())
    return digest.hexdigest()
