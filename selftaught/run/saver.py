"""Saving while training goes on: a thread makes one checkpoint durable at a time, and its error reaches who waits."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import torch.distributed as dist

from selftaught.ranks import world


class Saver:
    """The thread that writes; leaving it waits until everything is written.

    Args:
        took: seconds that the last checkpoint took to be written.
        group: by which the threads of all ranks speak, beside the training.
    """

    def __init__(self) -> None:
        self.took = 0.0
        self.group: Any = dist.new_group(backend="gloo") if world() > 1 else None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="saver")
        self._writing: Future[None] | None = None

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if kind is None:
            self.wait()

    def start(self, write: Callable[[], None]) -> None:
        """Write in the thread, after what it writes now."""
        self.wait()

        def timed() -> None:
            began = time.perf_counter()
            write()
            self.took = time.perf_counter() - began

        self._writing = self._pool.submit(timed)

    def wait(self) -> None:
        """Until the last one is written.

        Raises:
            SelftaughtError: if it could not be.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def look(self) -> None:
        """Raise what went wrong, if anything did by now."""
        if self._writing is not None and self._writing.done():
            self.wait()
