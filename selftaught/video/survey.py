"""What a set of clips holds: lengths, rates, sizes, labels, copies, and what cannot be used."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from selftaught.data.tally import Tally
from selftaught.data.video_item import VideoFacts, VideoProblem, VideoSource
from selftaught.data.video_store import decoded, motion_of
from selftaught.errors import SelftaughtError
from selftaught.pretext.video import STILL

_SIDE, _RATE = 32, 4.0  # at which clips are looked at
_FEW, _FEW_OF_A_CLASS = 100, 8
_OF_ALL: dict[str, Callable[..., Any]] = {"least": np.min, "median": np.median, "most": np.max}


@dataclass(frozen=True)
class VideoSurvey:
    """Some clips, each decoded once.

    Args:
        facts: what the head of each says that can be used.
        digests: of each one's pixels.
        still: clips in which nothing moves.
        labels: how many have each label.
    """

    description: str
    tally: Tally
    facts: tuple[VideoFacts, ...]
    digests: tuple[bytes, ...]
    still: tuple[str, ...]
    labels: Counter[str]

    @classmethod
    def of(cls, source: VideoSource) -> "VideoSurvey":
        """Look at every clip.

        Raises:
            SelftaughtError: if not one can be used.
        """
        tally, facts, digests, still, labels = Tally(), [], [], [], Counter[str]()
        for item, frames in decoded(source, _SIDE, _RATE, tally):
            try:
                facts.append(item.facts())
            except VideoProblem:  # its head is worse than its frames
                facts.append(VideoFacts(0, 0, 0.0, 0.0))
            digests.append(hashlib.sha256(frames.tobytes()).digest())
            if motion_of(frames)[:-1].mean() <= STILL:
                still.append(f"{item.file}:{item.line}" if item.line else item.file)
            labels[item.label] += 1
        if not digests:
            raise SelftaughtError(
                f"not one clip can be used: {'; '.join(tally.named(1))}", where=source.description, do="give others"
            )
        labels.pop("", None)
        return cls(source.description, tally, tuple(facts), tuple(digests), tuple(still), labels)

    @property
    def copies(self) -> int:
        """Clips that have the very pixels of one before them."""
        return len(self.digests) - len(set(self.digests))

    def to_json(self) -> dict[str, Any]:
        """What was found, for programs."""
        known = {name: [getattr(one, name) for one in self.facts] for name in ("width", "height", "seconds", "rate")}
        return {
            "description": self.description,
            **self.tally.to_json(),
            **{name: _spread_of(values) for name, values in known.items()},
            "seconds_in_all": float(sum(known["seconds"])),
            "classes": dict(self.labels),
            "copies": self.copies,
            "still": list(self.still[:100]),
        }

    def advice(self) -> list[str]:
        """What to do about it."""
        found, count = [], len(self.digests)
        if count < _FEW:
            found.append(f"{count:,} clips are few: begin from a network over pictures with --init; the verdict tells")
        if self.still:
            found.append(f"{len(self.still):,} clips do not move, such as {self.still[0]}: nothing is learned of them")
        if self.copies > count / 5:
            found.append(f"{self.copies / count:.0%} of the clips are copies: remove them")
        if self.labels and (least := min(self.labels.values())) < _FEW_OF_A_CLASS:
            few = sum(1 for n in self.labels.values() if n < _FEW_OF_A_CLASS)
            found.append(f"{few} classes have fewer than {_FEW_OF_A_CLASS} clips, one as few as {least}")
        return found


def _spread_of(values: list[float]) -> dict[str, float]:
    said = [value for value in values if value > 0]
    return {name: float(pick(said)) for name, pick in _OF_ALL.items()} if said else {}


def video_survey_lines(found: dict[str, Any]) -> list[str]:
    """What :meth:`VideoSurvey.to_json` says, for the terminal."""
    lines = []
    if found["width"]:
        sizes = (f"{found['width'][name]:.0f} x {found['height'][name]:.0f}" for name in ("median", "least", "most"))
        lines.append("sizes       {} in the middle, from {} to {}".format(*sizes))
    if seconds := found["seconds"]:
        lines.append(
            f"length      {seconds['median']:.1f} s in the middle, from {seconds['least']:.1f} to "
            f"{seconds['most']:.1f} s; {found['seconds_in_all'] / 60:.1f} minutes in all"
        )
    if rate := found["rate"]:
        lines.append(
            f"rate        {rate['median']:.3g} frames a second, from {rate['least']:.3g} to {rate['most']:.3g}"
        )
    lines.append(f"copies      {found['copies']:,} have the pixels of another")
    if classes := found["classes"]:
        counts = sorted(classes.values())
        lines.append(f"labels      {len(classes):,} classes of {counts[0]:,} to {counts[-1]:,} clips")
    return lines
