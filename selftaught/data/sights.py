"""What a question may be about: a picture, or a clip as some of its frames."""

import os
from pathlib import Path

import numpy as np

from selftaught.data import picture_decoding, video_decoding
from selftaught.data.picture_decoding import PictureProblem
from selftaught.data.video_item import VideoProblem

_MOVING = tuple(suffix for suffix in video_decoding.SUFFIXES if suffix not in picture_decoding.SUFFIXES)
SUFFIXES = (*picture_decoding.SUFFIXES, *_MOVING)
_RATE = 10.0  # frames a second, of which some are taken


class SightProblem(ValueError):
    """Why a picture or a clip cannot be used, as a sentence without its name."""


def load_sight(place: str, size: int, frames: int) -> np.ndarray:
    """A picture as uint8 [1, 3, size, size], or evenly spaced frames of a clip, the first and the last among them.

    An animation whose suffix is that of pictures is its first frame.

    Args:
        frames: of a clip at most.

    Raises:
        SightProblem: if it is not there, or cannot be read to its end.
    """
    try:
        if not os.path.isfile(place):
            raise SightProblem("is not there")
        if not is_clip_path(place):
            return picture_decoding.decode(Path(place), size)[None]
        clip = video_decoding.decode(Path(place), size, _RATE)
    except (PictureProblem, VideoProblem, ValueError) as problem:  # a name with a NUL byte is a ValueError
        raise SightProblem(str(problem)) from None
    taken = np.linspace(0, len(clip) - 1, min(frames, len(clip))).round().astype(int)
    return np.ascontiguousarray(clip[taken])


def is_clip_path(place: str) -> bool:
    """Whether this looks like the name of a clip rather than of a picture."""
    return place.lower().endswith(_MOVING)
