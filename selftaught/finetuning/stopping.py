"""Training that keeps its best weights, by a score on examples set aside, which also says when to stop."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from selftaught.data.loader import Batches
from selftaught.errors import SelftaughtError, saving
from selftaught.fit import Outcome, Plan, begun, end_if_interrupted, fit, gradient_steps
from selftaught.fleet import bring_together
from selftaught.loop import Learner, Progress, Report
from selftaught.optim import adamw
from selftaught.ranks import leads, place, world
from selftaught.recipe import Train
from selftaught.run.folder import Run
from selftaught.run.state import learner_tensors, restore_learner

Measures = Callable[[], dict[str, float]]
"""Measures on the examples set aside, in numbers of which more is better; the first is what decides."""


@dataclass
class Best:
    """The best weights so far by a held-out score, and how long there has been no better one.

    Patience begins with the first score above zero: that nothing is right yet is no reason to stop.
    """

    score: float = float("-inf")
    stale: int = 0

    def see(self, score: float) -> bool:
        """Whether this is a new best."""
        better = score > self.score
        self.score = max(score, self.score)
        self.stale = 0 if better or self.score <= 0 else self.stale + 1
        return better


def fit_to_best(
    run: Run,
    train: Train,
    learner: nn.Module,
    whole: Learner,
    batches: Batches,
    *,
    unit: str,
    checks: int,
    measures: Measures | None,
    patience: int,
    about: Mapping[str, str] = {},
) -> Outcome:
    """Fit, and leave the learner with its best weights; with those of the last step where nothing is set aside.

    All ranks come here. Only the one that leads measures, and only its learner has the best weights then.

    Args:
        learner: what is measured and kept.
        whole: what is trained: the learner, or what holds it.
        batches: for all ranks together.
        unit, checks: see :class:`selftaught.fit.Plan`.
        measures: None where there are too few examples to set any aside.
        patience: so many checks in a row without a better score end the training.
        about: see :func:`selftaught.fit.fit`.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    assert train.rate is not None
    trained = begun(whole, train)
    optimizer = adamw(trained, train.rate, weight_decay=train.weight_decay)
    plan = Plan.of(train, unit=unit, per_sample=1, checks=checks)
    memory: dict[str, Any] = {}
    measures = measures if leads() else None

    def check(progress: Progress) -> dict[str, Any]:
        if measures is None:
            return {}
        best, found = Best(**memory), measures()
        if best.see(next(iter(found.values()))):
            _keep(learner_tensors(learner), best_file(run))
        memory.update(score=best.score, stale=best.stale)
        return {f"held_out_{name}": value for name, value in found.items()}

    outcome = fit(
        run,
        trained,
        optimizer,
        gradient_steps(trained, batches.shared(place(), world()).starting, optimizer, plan),
        plan,
        check=check,
        stop=lambda: memory.get("stale", 0) >= patience,
        memory=memory,
        gather=lambda: bring_together(whole, trained),
        about=about,
    )
    end_if_interrupted(run, outcome)
    if measures is not None:
        check(outcome.progress)  # the last step may be the best
        restore_learner(learner, _kept(best_file(run)))
    return outcome


def best_file(run: Run) -> Path:
    """Where the best weights wait. To be deleted when the run's model is written: a run killed before needs them."""
    return run.folder / "best.safetensors"


def _keep(tensors: dict[str, Tensor], file: Path) -> None:
    """Write weights with their SHA-256; the file is the old one or the new one at every moment."""
    aside = file.with_suffix(".partial")
    with saving(file):
        save_file(tensors, aside, metadata={"sha256": _digest(tensors)})
        aside.replace(file)


def _kept(file: Path) -> dict[str, Tensor]:
    """What :func:`_keep` wrote.

    Raises:
        SelftaughtError: if it is gone, or not as it was written.
    """
    try:
        with safe_open(file, "pt") as opened:
            wanted = (opened.metadata() or {}).get("sha256")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 it is no mapping
    except (OSError, SafetensorError) as error:
        raise _lost(file) from error
    if _digest(tensors) != wanted:
        raise _lost(file)
    return tensors


def _lost(file: Path) -> SelftaughtError:
    return SelftaughtError(
        "the best weights of this run are gone or damaged",
        where=str(file),
        do="restore the file, or choose another --out and train again",
    )


def _digest(tensors: dict[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def train_to_best(
    learner: nn.Module, reports: Iterator[Report], *, every: int, measures: Measures | None, patience: int
) -> None:
    """The same in memory, without a run folder: what a verdict does many times.

    Args:
        reports: the training, as it goes on.
        every: so many steps between checks.
    """
    best, kept = Best(), None
    for report in reports:
        if measures is None or report.progress.step % every:
            continue
        if best.see(next(iter(measures().values()))):
            kept = {name: tensor.clone() for name, tensor in learner_tensors(learner).items()}
        if best.stale >= patience:
            break
    if kept is not None:
        restore_learner(learner, kept)
