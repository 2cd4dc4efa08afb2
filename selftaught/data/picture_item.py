"""A picture that is not decoded yet."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from selftaught.data.picture_decoding import PictureProblem


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
