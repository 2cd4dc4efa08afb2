"""The loader: which samples come when, and the questions posed of them.

Order and randomness are computed: the permutation of an epoch from (seed, epoch), a sample's mask from (seed,
epoch, index). So the loader's whole state is one integer, the number of samples seen, whatever the number of
workers and wherever in an epoch a run was interrupted.
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import active_children, util
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from selftaught.errors import SelftaughtError
from selftaught.objective import Batch, Objective, Spec
from selftaught.randomness import Randomness
from selftaught.signals import POLITE, disturb_again, not_disturbed


class Source(Protocol):
    """Anything with samples: rows of tokens, pictures, a mixture of other sources."""

    def __len__(self) -> int: ...

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """The samples ``indices`` [B], as they appear in ``epochs`` [B], stacked."""
        ...


@lru_cache(maxsize=2)
def permutation(length: int, seed: int, epoch: int) -> np.ndarray:
    """The order of an epoch's samples: int64 [length]."""
    epochs = torch.full((length,), epoch)
    return Randomness.of(seed, epochs, torch.arange(length)).child("order").keys.argsort(stable=True).numpy()


@dataclass(frozen=True)
class Batches:
    """The endless sequence of batches of a run.

    Args:
        source: the samples.
        objective: poses the question.
        spec: what is known of the data.
        size: samples a batch.
        seed: the run's.
        workers: processes that prepare batches ahead; 0 prepares them in the loop.
        share: which of the equal shares of each batch is meant, and how many there are: all of it.
    """

    source: Source
    objective: Objective
    spec: Spec
    size: int
    seed: int
    workers: int = 0
    share: tuple[int, int] = (0, 1)

    def shared(self, rank: int, ranks: int) -> "Batches":
        """Of the same batches only the rows that are ``rank``'s, of so many ``ranks``.

        Raises:
            SelftaughtError: if there are fewer rows than ranks, or rows are compared and the ranks would have unlike
                numbers of them.
        """
        if self.size < ranks or (self.objective.couples_batch and self.size % ranks):
            raise SelftaughtError(
                f"a batch of {self.size} cannot be shared among {ranks} ranks"
                + (f": {self.objective.name} needs as many on each" if self.size >= ranks else ""),
                do=f"give a --batch that is a multiple of {ranks}",
            )
        return replace(self, share=(rank, ranks))

    def parted(self, parts: int) -> "Batches":
        """The same samples in the same order, each batch in ``parts`` equal ones."""
        return replace(self, size=self.size // parts)

    def at(self, position: int) -> Batch:
        """The batch that begins with the run's sample number ``position``, or this share of it."""
        return self.of(*self.drawn(position))

    def drawn(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Which samples that batch has, and in which epochs: int64 [B] each."""
        number, of = self.share
        begin, end = (self.size * part // of for part in (number, number + 1))
        places = np.arange(position + begin, position + end)
        epochs, offsets = np.divmod(places, len(self.source))
        order = [permutation(len(self.source), self.seed, epoch) for epoch in np.unique(epochs).tolist()]
        indices = np.array([order[epoch - epochs[0]][offset] for epoch, offset in zip(epochs, offsets, strict=True)])
        return indices, epochs

    def of(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """The question that is posed of samples ``indices`` [B] in ``epochs`` [B]."""
        return self.asked(self.source.take(indices, epochs), indices, epochs)

    def asked(self, samples: Batch, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """The same of samples that have been taken already."""
        rng = Randomness.of(self.seed, torch.from_numpy(epochs), torch.from_numpy(indices))
        return {**self.objective.pretext(samples, self.spec, rng), "size": len(indices)}

    def starting(self, position: int) -> Iterator[Batch]:
        """Batches from sample ``position`` on, without end."""
        steps = _Steps(self, position)
        if self.workers:
            util.Finalize(None, _end_all, exitpriority=0)  # before this process waits for its workers, at its end
        with not_disturbed():
            return iter(
                DataLoader(
                    steps, batch_size=None, sampler=_Counter(), num_workers=self.workers, worker_init_fn=_outlast
                )
            )


def _outlast(worker: int) -> None:
    """Signals that are sent to all processes of a run are for the one that saves: it ends its workers itself."""
    for number in POLITE:
        signal.signal(number, signal.SIG_IGN)
    disturb_again()


def _end_all() -> None:
    """Workers that are left when a process ends: it was interrupted, and they wait for work that nobody will give."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would raise: a worker was killed
    for worker in active_children():
        if worker.daemon:
            worker.kill()


@dataclass(frozen=True)
class _Steps(Dataset):
    batches: Batches
    position: int

    def __getitem__(self, step: int) -> Batch:
        return self.batches.at(self.position + step * self.batches.size)


@dataclass(frozen=True)
class _Counter:
    start: int = field(default=0)

    def __iter__(self) -> Iterator[int]:
        step = self.start
        while True:
            yield step
            step += 1
