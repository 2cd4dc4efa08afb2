"""A clip that is not decoded yet, and where clips come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from selftaught.data.tally import Quarantined
from selftaught.errors import SelftaughtError

_LOOKED_AT = 50  # clips whose size and length are asked, to choose a resolution and a rate


class VideoProblem(ValueError):
    """Why a clip cannot be used, as a sentence without its name."""


@dataclass(frozen=True)
class VideoFacts:
    """What the head of a clip says.

    Args:
        width, height: in pixels.
        seconds: how long it is; 0 if it does not say.
        rate: frames a second; 0 if it does not say.
    """

    width: int
    height: int
    seconds: float
    rate: float


@dataclass(frozen=True)
class VideoItem:
    """A clip that is not decoded yet.

    Args:
        file, line: where it is, as the user would name it; line 0 for a file of its own.
        label: what its place says of it; empty if nothing.
        load: its frames at a size S and so many a second, uint8 [n, 3, S, S], at least two; raises VideoProblem.
        facts: what its head says; raises VideoProblem.
    """

    file: str
    line: int
    label: str
    load: Callable[[int, float], np.ndarray]
    facts: Callable[[], VideoFacts]


@dataclass(frozen=True)
class VideoSource:
    """Where clips come from.

    Args:
        description: what was detected, for the user.
        fingerprint: changes when the files do.
        items: each clip, in an order that does not change.
        refused: what could not even be opened.
    """

    description: str
    fingerprint: str
    items: Callable[[], Iterator[VideoItem]]
    refused: tuple[Quarantined, ...] = ()

    def typical(self) -> VideoFacts:
        """The medians of what the heads of some clips say; the shorter side stands for both.

        Raises:
            SelftaughtError: if none of them is a clip.
        """
        known = []
        for item, _ in zip(self.items(), range(_LOOKED_AT), strict=False):
            try:
                known.append(item.facts())
            except VideoProblem:
                continue
        if not known:
            raise SelftaughtError("not one clip can be read", where=self.description, do="selftaught check tells why")
        side = int(np.median([min(one.width, one.height) for one in known]))
        seconds, rate = (_median([getattr(one, name) for one in known]) for name in ("seconds", "rate"))
        return VideoFacts(side, side, seconds, rate)


def refuse(why: str, *_: object) -> np.ndarray:
    """The ``load`` of what cannot be loaded."""
    raise VideoProblem(why)


def no_facts(why: str) -> VideoFacts:
    """The ``facts`` of it."""
    raise VideoProblem(why)


def _median(values: list[float]) -> float:
    """Of those that are said; 0 if none is."""
    said = [value for value in values if value > 0]
    return float(np.median(said)) if said else 0.0
