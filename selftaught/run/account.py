"""What a run was announced to take and what it took: ``plan.json`` and ``taken.json`` in its folder."""

import json
from typing import Any

import torch
from torch import nn

from selftaught.console import dump
from selftaught.errors import SelftaughtError
from selftaught.loop import Progress
from selftaught.machine import Peak
from selftaught.ranks import leads, world
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run

_PLAN, _TAKEN = "plan.json", "taken.json"


def keep_plan(run: Run, plan: dict[str, Any]) -> None:
    """Write down what the run is announced to take."""
    replace_file(run.folder / _PLAN, dump(plan, indent=1))


class Account:
    """What training takes, from now on.

    Args:
        trained: its weights lie in memory already, and count.
    """

    def __init__(self, trained: nn.Module) -> None:
        self._weights = list(trained.parameters())
        self._peak = Peak(self._weights[0].device if self._weights else torch.device("cpu"))

    def close(self, run: Run, progress: Progress) -> None:
        """Write it down, with all that the run took before it was resumed; ``memory_bytes`` is the most that this
        process held for training, checks and saving, None where nobody says or several ranks share it."""
        if not leads():
            return
        there = sum(weight.numel() * weight.element_size() for weight in self._weights)
        taken = {
            "steps": progress.step,
            "samples": progress.samples,
            "seconds": progress.seconds,
            "memory_bytes": self._peak.beside(there) if world() == 1 else None,
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
