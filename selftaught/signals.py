"""Whoever stops a program politely, by SIGINT or SIGTERM, is heard, even in a moment when Python hears nothing.

The handler raises KeyboardInterrupt, as Python's own does. In a destructor, or around a fork, Python drops whatever is
raised; so it is written down too, and training asks.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

POLITE = (signal.SIGINT, signal.SIGTERM)
_heard = False
_busy = False


def listen() -> None:
    """From now on SIGTERM ends this process as Ctrl-C does; those that it starts keep to the default."""
    global _heard
    _heard = False
    for number in POLITE:
        signal.signal(number, _interrupt)
    os.register_at_fork(after_in_child=_by_default)
    sys.unraisablehook = _tell_of_what_was_dropped


def heard() -> bool:
    """Whether somebody has asked this process to end, be it that nobody caught the exception."""
    return _heard


def _interrupt(number: int, frame: Any) -> None:
    global _heard
    _heard = True
    if not _busy:
        raise KeyboardInterrupt


@contextmanager
def not_disturbed() -> Iterator[None]:
    """Signals wait for the end of this; a process that is begun within it has them wait for :func:`disturb_again`."""
    global _busy
    before, already = _busy, _heard
    _busy = True  # other threads are still sent signals, and Python hands them to this one
    signal.pthread_sigmask(signal.SIG_BLOCK, POLITE)
    try:
        yield
    finally:
        disturb_again()
        _busy = before
    if _heard and not already and not _busy:
        raise KeyboardInterrupt


def disturb_again() -> None:
    """What has waited comes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, POLITE)


def _tell_of_what_was_dropped(dropped: Any) -> None:
    if dropped.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(dropped)


def _by_default() -> None:
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
