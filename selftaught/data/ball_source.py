"""Bouncing balls as a source of clips: ``builtin:balls`` and ``builtin:balls-apart``."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from selftaught.data.balls import Balls, ball_clips
from selftaught.data.video_item import VideoFacts, VideoItem, VideoSource

_CLIPS, _SECONDS, _RATE = 1_000, 2.0, 8.0
_BLOCK = 200  # clips that are drawn together: one by one takes twenty times as long
_FAST = 0.069  # shares of the side a frame: about half of the clips are faster


def ball_source(*, meet: bool) -> VideoSource:
    """1,000 clips of three balls, 2 seconds long; the label says whether they are ``fast``, which no frame shows.

    Args:
        meet: whether the balls bounce off each other or pass through each other.
    """
    name = "balls" if meet else "balls-apart"
    how = Balls(meet=meet)
    what = "bounce off each other" if meet else "pass through each other"
    return VideoSource(f"{_CLIPS:,} clips of {how.count} balls that {what}", f"{name} 1", partial(_items, name, how))


def _items(name: str, how: Balls) -> Iterator[VideoItem]:
    facts = VideoFacts(how.side, how.side, _SECONDS, _RATE)
    for first in range(0, _CLIPS, _BLOCK):
        begin = ball_clips(_BLOCK, first, replace(how, frames=1))
        masses, squares = np.square(begin.radii), np.square(begin.speeds[:, 0]).sum(-1)
        paces = np.sqrt((masses * squares).sum(1) / masses.sum(1)) / how.side  # that of the energy, which stays
        for number in range(_BLOCK):
            label = "fast" if paces[number] > _FAST else "slow"
            load = partial(_load, how, first, number)
            yield VideoItem(f"builtin:{name}", first + number + 1, label, load, lambda: facts)


def _load(how: Balls, first: int, number: int, size: int, rate: float) -> np.ndarray:
    return _block(how, first, size, rate)[number]


@lru_cache(maxsize=2)
def _block(how: Balls, first: int, size: int, rate: float) -> np.ndarray:
    """The pixels of a block of clips; in a slower film more happens from frame to frame."""
    frames = max(2, round(_SECONDS * rate))
    return ball_clips(_BLOCK, first, replace(how, side=size, frames=frames, speed=how.speed * _RATE / rate)).pixels
