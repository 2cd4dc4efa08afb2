"""A step's rows shared among threads: each takes its part all the way, and they wait for each other once a step.

torch shares out each operation instead, and its threads wait for each other at the end of each: hundreds of times a
step. Small operations gain little by that, and beside a busy process they lose far more (docs/lab.md, 3 and 13).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import torch

A = TypeVar("A")
B = TypeVar("B")

_LEAST = 0.5e9  # operations that are worth a thread of their own
_MOST = 1e11  # from here on an operation is large enough to be shared out, and gradients are too large to be held often


class Crew:
    """Threads that each compute a part of a step by itself.

    Args:
        size: how many; None leaves the work to the caller's thread, and to torch how it is shared out.
    """

    def __init__(self, size: int | None) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size) if size is not None and size > 1 else None

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within this, no operation is shared out, unless that was left to torch."""
        before = torch.get_num_threads()
        if self.size is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def map(self, work: Callable[[A], B], parts: Sequence[A]) -> list[B]:
        """What ``work`` makes of each part, in their order."""
        return list(self._pool.map(work, parts)) if self._pool is not None else [work(part) for part in parts]


def fitting_crew(operations: float, rows: int, threads: int) -> int | None:
    """How many threads are to share a step's rows; None where torch shares operations out better.

    It is computed, not measured: a measurement would come out otherwise beside a busy process, and two runs of one
    seed would differ.

    Args:
        operations: floating point operations of the step.
        rows: samples of the step; each thread gets as many.
        threads: that are there.
    """
    if operations > _MOST:
        return None
    most = min(threads, int(operations / _LEAST))
    return max((n for n in range(1, most + 1) if rows % n == 0), default=1)
