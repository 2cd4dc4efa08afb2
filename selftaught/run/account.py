"""What a run was announced to take and what it took: ``plan.json`` and ``taken.json`` in its folder."""

import json
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from selftaught.console import dump
from selftaught.errors import SelftaughtError
from selftaught.loop import Progress
from selftaught.machine import Peak
from selftaught.ranks import leads, world
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run

_PLAN, _TAKEN = "plan.json", "taken.json"


def keep_plan(run: Run, plan: Callable[[], dict[str, Any]]) -> None:
    """Write down what the run is announced to take, unless that has been done."""
    if not (run.folder / _PLAN).exists():
        replace_file(run.folder / _PLAN, dump(plan(), indent=1))


class Account:
    """What training takes, from now on.

    Args:
        trained: whose steps are taken.
        optimizer: what it moves them with.
    """

    def __init__(self, trained: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._trained, self._optimizer = trained, optimizer
        self._memory: int | None = None
        self._took: list[float] = []
        self.rest()

    def rest(self) -> None:
        """Steps begin anew: what something else has held in between is not theirs."""
        held = [*self._trained.parameters(), *(m for state in self._optimizer.state.values() for m in state.values())]
        self._there = sum(tensor.numel() * tensor.element_size() for tensor in held if isinstance(tensor, Tensor))
        self._peak = Peak(next(self._trained.parameters(), torch.empty(0)).device)

    def stepped(self, took: float) -> None:
        """A step has been taken, in so many seconds."""
        self._took.append(took)
        most = self._peak.beside(self._there)
        self._memory = None if most is None else max(most, self._memory or 0)

    def close(self, run: Run, progress: Progress) -> None:
        """Write it down: steps, samples and seconds of the whole run, checks included. Of this process' part of it:
        ``step_seconds``, the median; ``memory_bytes``, the most that weights, moments and a step have held, None where
        nobody says or several ranks share it."""
        if not leads():
            return
        taken = {
            "steps": progress.step,
            "samples": progress.samples,
            "seconds": progress.seconds,
            "step_seconds": median(self._took) if self._took else None,
            "memory_bytes": self._memory if world() == 1 else None,
            "threads": torch.get_num_threads(),
            "ranks": world(),
        }
        replace_file(run.folder / _TAKEN, dump(taken, indent=1))


def planned_and_taken(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both of a run.

    Raises:
        SelftaughtError: if one is not there, or holds no such thing.
    """
    return _read(run, _PLAN), _read(run, _TAKEN)


def _read(run: Run, name: str) -> dict[str, Any]:
    file = run.folder / name
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SelftaughtError(
            f"this run has no {name}",
            where=str(run.folder),
            do="give a run of pretrain; private ones, word vectors and those of older versions have kept none",
        ) from error
    except (OSError, ValueError) as error:
        raise SelftaughtError(f"{name} cannot be read: {error}", where=str(file)) from error
    if not isinstance(found, dict):
        raise SelftaughtError(f"{name} holds no object", where=str(file))
    return found
