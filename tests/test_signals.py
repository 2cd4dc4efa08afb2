"""Politeness is heard, and waits where it would do harm."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from selftaught import signals


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signals.POLITE}
    monkeypatch.setattr("sys.unraisablehook", None)  # put back, with what is set below
    signals.listen()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signals._heard = False  # for good: monkeypatch would put back what was heard


@pytest.mark.parametrize("number", signals.POLITE)
def test_a_signal_is_heard_at_once(listening: None, number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert signals.heard()


def test_who_is_not_to_be_disturbed_hears_it_afterwards(listening: None) -> None:
    """Also where another thread is there to take the signal, which Python hands to the first one."""
    done, reached = threading.Event(), False
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt), signals.not_disturbed():  # noqa: PT012
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            reached = True
    finally:
        done.set()
        other.join()
    assert reached
    assert signals.heard()
