"""When memory runs out: recognised whoever ran out of it, and told together with what needs less."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from selftaught.errors import SelftaughtError
from selftaught.objective import Objective


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, NumPy, torch on a processor, torch on a GPU or the system asked for memory that is not there."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"  # torch's, by name: whoever asks may not have loaded torch
        or (isinstance(error, RuntimeError) and ("can't allocate memory" in said or "out of memory" in said))
    )


class OutOfMemory(SelftaughtError):
    """A step needed more memory than there is; the checkpoints are as they were."""

    def __init__(self, step: int, objective: Objective, batch: int, accumulate: int, threads: int) -> None:
        super().__init__(
            f"step {step} needed more memory than there is, in batches of {batch}; no checkpoint was touched",
            do=_remedy(objective, batch, accumulate, threads),
        )
        self.step = step


@contextmanager
def memory_for(step: int, objective: Objective, samples: int, parts: int, threads: int | None) -> Iterator[None]:
    """Within this a step is computed.

    Args:
        samples: of the step.
        parts: that it is put together from.
        threads: that compute as many parts at once.

    Raises:
        OutOfMemory: if it needs more memory than there is.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        accumulate = parts // (threads or 1)
        raise OutOfMemory(step, objective, samples // accumulate, accumulate, threads or 1) from error


def _remedy(objective: Objective, batch: int, accumulate: int, threads: int) -> str:
    """What needs less memory: the same step in more parts, where its samples need not meet."""
    if objective.couples_batch:
        return (
            "run the same command with --set train.recompute=true, which keeps less of each layer; it goes on from the "
            f"last checkpoint if there is one. {objective.name} compares the samples of a batch with each other, so "
            f"that smaller ones do not make the same step: if that is not enough, begin another --out with --batch "
            f"{max(2, batch // 2)} or a smaller --size"
        )
    for more in range(2, batch + 1):
        if batch % more == 0 and (batch // more) % threads == 0:
            return (
                f"run the same command with --batch {batch // more} --set train.accumulate={accumulate * more}: "
                "it takes the same steps in less memory, and goes on from the last checkpoint if there is one "
                "(--set train.recompute=true keeps less of each layer, too)"
            )
    return "run the same command with --set train.recompute=true, or begin another --out with a smaller --size"
