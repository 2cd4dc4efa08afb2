"""How far work has come, in a line on stderr: rewritten in place on a terminal, written now and then elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_EVERY_SECONDS = {True: 0.2, False: 15.0}  # rewritten in place on a terminal; now and then in a log file


class LiveLine:
    """The line.

    Args:
        at_once: whether it is shown from the first moment, or only of work that takes its time.
    """

    def __init__(self, *, at_once: bool = True) -> None:
        self._live = sys.stderr.isatty()
        self._shown = float("-inf") if at_once else time.perf_counter()
        self._text = ""

    def show(self, text: str) -> None:
        """Show this instead of what was shown, if that has been there long enough."""
        self._text = text
        now = time.perf_counter()
        if now - self._shown >= _EVERY_SECONDS[self._live]:
            self._shown = now
            self._write()

    def say(self, sentence: str) -> None:
        """Tell something on a line of its own."""
        sys.stderr.write(("\r\033[K" if self._live else "") + sentence + "\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the latest text standing."""
        if self._text:
            self._write()
            if self._live:
                sys.stderr.write("\n")

    def _write(self) -> None:
        sys.stderr.write(f"\r\033[K{self._text}" if self._live else self._text + "\n")
        sys.stderr.flush()


def counted(results: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The results as they come, while a line tells how many there are, and how long the others will take.

    Args:
        what: is being done, as in ``"cleaning"``.
    """
    line, began = LiveLine(at_once=False), time.perf_counter()
    for done, result in enumerate(results, 1):
        left = clock((time.perf_counter() - began) * (total - done) / done)
        line.show(f"{done / total:4.0%}  {what} {done:,} of {total:,}  left {left}")
        yield result


def clock(seconds: float) -> str:
    """``75`` as ``1:15``, ``3700`` as ``1:01:40``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
