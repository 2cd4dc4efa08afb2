"""How long a run lasts and how large its steps are: one budget drives both."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from selftaught.errors import SelftaughtError

Course = Literal["linear", "cosine"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds of ``90s``, ``10m``, ``1h30m`` or ``2d``.

    Raises:
        SelftaughtError: if the text is none of these.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text.strip().lower())
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.strip().lower() or seconds <= 0:
        raise SelftaughtError(f"{text!r} is not a duration", do="write it as 90s, 10m, 1h30m or 2d")
    return seconds


@dataclass(frozen=True)
class Schedule:
    """The budget of a run, in steps or in seconds, and the learning rate's course over it.

    The rate rises linearly over the first ``warmup`` share of the budget and falls to ``final`` of its peak, in a
    straight line or along half a cosine (Loshchilov & Hutter 2017, section 3, without restarts). Under a budget of
    seconds the same course is followed in time (Geiping & Goldstein 2023, section 4.2), so that the run ends on time
    with its rate fully decayed, however fast the machine is.

    Args:
        steps: the last step, or None.
        seconds: the wall-clock budget, or None. Exactly one of the two is given.
        warmup, final: shares of the budget and of the peak rate.
        course: how it falls.
    """

    steps: int | None = None
    seconds: float | None = None
    warmup: float = 0.1
    final: float = 0.0
    course: Course = "linear"

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("a schedule is in steps or in seconds")

    def progress(self, step: float, seconds: float) -> float:
        """The share of the budget that is used up after ``step`` steps and ``seconds`` of wall time."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return seconds / self.seconds

    def rate(self, step: float, seconds: float) -> float:
        """The factor on the peak learning rate for the step after ``step``."""
        # Half a step ahead: the first step of a run in steps is not wasted at rate zero, nor is the last.
        ahead = 0.5 / self.steps if self.steps is not None else 0.0
        done = min(self.progress(step, seconds) + ahead, 1.0)
        if done < self.warmup:
            return max(done / self.warmup, 1e-3)
        left = (1.0 - done) / (1.0 - self.warmup)
        if self.course == "cosine":
            left = 0.5 * (1.0 - math.cos(math.pi * left))
        return self.final + (1.0 - self.final) * left
