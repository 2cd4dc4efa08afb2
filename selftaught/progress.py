"""The one live line of a run: loss, speed, time left, waiting for data, probe. It goes to stderr."""

import time
from types import TracebackType
from typing import Any

from selftaught.live import LiveLine, clock
from selftaught.loop import Report

_SMOOTHING = 0.95
_ON_THE_LINE = ("loss", "probe", "rank", "macro_f1", "R@10", "epsilon")


class ProgressLine:
    """The line of a run.

    Args:
        unit: what the speed is counted in.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._line = LiveLine()
        self._loss: float | None = None
        self._took = self._waited = self._count = 0.0
        self._began: tuple[float, float] | None = None
        self._probe = ""

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.end()

    @property
    def per_second(self) -> float:
        """Smoothed speed, in units a second."""
        return self._count / self._took if self._took else 0.0

    @property
    def waiting(self) -> float:
        """The share of the time spent waiting for data, smoothed."""
        return self._waited / self._took if self._took else 0.0

    def step(self, report: Report, count: int, done: float) -> None:
        """Show one step's report.

        Args:
            count: units of the step.
            done: the share of the budget used.
        """
        keep = _SMOOTHING
        self._loss = report.loss if self._loss is None else keep * self._loss + (1 - keep) * report.loss
        self._took = keep * self._took + report.took
        self._waited = keep * self._waited + report.waited
        self._count = keep * self._count + count
        if self._began is None:
            self._began = (time.perf_counter() - report.took, done)
        elapsed, gained = time.perf_counter() - self._began[0], done - self._began[1]
        left = clock(elapsed * max(1 - done, 0) / gained) if gained > 0 else "?"
        self._line.show(
            f"{min(done, 1):4.0%}  step {report.progress.step}  loss {self._loss:.3f}  "
            f"{self.per_second:,.0f} {self._unit}/s  left {left}  data-wait {self.waiting:.0%}{self._probe}"
        )

    def checked(self, found: dict[str, Any]) -> None:
        """Keep the latest held-out losses and the probe on the line."""
        self._probe = "".join(
            f"  {name.replace('_', ' ')} {value:.3f}"
            for name, value in found.items()
            if isinstance(value, float) and name.endswith(_ON_THE_LINE)
        )

    def say(self, sentence: str) -> None:
        """Tell something on a line of its own."""
        self._line.say(sentence)
