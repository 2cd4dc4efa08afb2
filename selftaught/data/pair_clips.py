"""Clips with words: where pictures are named, a video may be, and some of its frames are taken."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from selftaught.data.files import printable
from selftaught.data.picture_decoding import PictureProblem
from selftaught.data.sights import SightProblem, load_sight
from selftaught.data.video_decoding import facts

_KEPT = 64  # decoded clips: rows that name one clip mostly follow each other


def load_clip(place: Path, given: str, frames: int, size: int) -> np.ndarray:
    """So many evenly spaced frames of what a row names, uint8 [F, 3, S, S]; some twice if it has fewer.

    Args:
        given: as the row has it.

    Raises:
        PictureProblem: if it cannot be used.
    """
    if not given:
        raise PictureProblem("names no clip")
    try:
        changed = place.stat().st_mtime_ns
    except (OSError, ValueError):  # a name with a NUL byte is a ValueError
        raise PictureProblem(f"names {printable(given)!r}, which is not there") from None
    try:
        return _decoded(place, frames, size, changed)
    except SightProblem as problem:
        raise PictureProblem(str(problem)) from None


@lru_cache(maxsize=_KEPT)
def _decoded(place: Path, frames: int, size: int, changed: int) -> np.ndarray:
    found = load_sight(str(place), size, frames)
    return found[np.linspace(0, len(found) - 1, frames).round().astype(int)]


def clip_shape(place: Path) -> tuple[int, int]:
    """Its width and height; 0, 0 if they cannot be told."""
    try:
        told = facts(place)
    except ValueError:
        return 0, 0
    return told.width, told.height
