"""A run that is stopped after any step, or goes on in other circumstances, ends as one that was never stopped."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selftaught.data.loader import Batches
from selftaught.fit import Plan, fit, gradient_steps
from selftaught.loop import Learner
from selftaught.optim import adamw
from selftaught.pairs.preparing import prepare_pair_pretraining
from selftaught.pictures.preparing import prepare_picture_pretraining
from selftaught.recipe import Recipe, Train, compose
from selftaught.run.folder import Run
from selftaught.run.state import learner_tensors
from selftaught.text.preparing import prepare_pretraining
from tests.torture.running import newest
from tests.torture.table import Tried

_STEPS = 40


def recipe_of(objective: str, data: Path, size: str, batch: int) -> Recipe:
    given = {
        "data.path": str(data),
        "objective.name": objective,
        "model.size": size,
        "train.steps": _STEPS,
        "train.batch": batch,
        "train.device": "cpu",
        "train.precision": "fp32",
        "train.length": 16,
        "train.save_seconds": 1e9,
    }
    return compose(given)


def go_on(
    folder: Path, learner: Learner, batches: Batches, train: Train, until: int | None = None
) -> dict[str, torch.Tensor]:
    """The weights and moments after step ``until``, or at the end, of a run that begins or goes on in a folder."""
    assert train.rate is not None
    folder.mkdir(exist_ok=True)
    learner, taken = copy.deepcopy(learner), list[int]()
    optimizer = adamw(learner, train.rate, weight_decay=train.weight_decay)
    plan = Plan.of(train, unit="samples", per_sample=1, checks=0, threads=train.threads)
    steps = gradient_steps(learner, batches.parted(train.threads or 1).starting, optimizer, plan)
    fit(
        Run(folder),
        learner,
        optimizer,
        steps,
        plan,
        watch=lambda report: taken.append(report.progress.step),  # type: ignore[func-returns-value]
        stop=lambda: taken[-1:] == [until],
    )
    moments = {str(i): state["exp_avg"] for i, state in optimizer.state_dict()["state"].items()}
    return learner_tensors(learner) | moments


def same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(some[name], others[name]) for name in some)


Ready = tuple[Learner, Batches, Train]


@pytest.fixture
def ready(text_folder: Path, picture_folder: Path, tmp_path: Path) -> Callable[[str], Ready]:
    """What a run of an objective needs, with batches of which forty are two and a half epochs."""

    def make(objective: str) -> Ready:
        prepare: Callable[[Run, Recipe], Any] = {
            "simclr": prepare_picture_pretraining,
            "mae": prepare_picture_pretraining,
            "clip": prepare_pair_pretraining,
        }.get(objective, prepare_pretraining)
        data = text_folder if prepare is prepare_pretraining else picture_folder
        size = {"simclr": "conv-tiny", "mae": "vit-tiny", "clip": "clip-tiny"}.get(objective, "tiny")
        run = Run(tmp_path / "prepared")
        first = prepare(run, recipe_of(objective, data, size, 4))
        batch = max(2, round(2.5 * len(first.batches.source) / _STEPS))
        made = prepare(run, recipe_of(objective, data, size, batch))
        return made.learner, made.batches, made.recipe.train

    return make


def epochs(batches: Batches) -> float:
    return _STEPS * batches.size / len(batches.source)


@pytest.mark.torture
@pytest.mark.parametrize("objective", ["mlm", "causal_lm", "simclr", "mae", "clip"])
def test_resumed_after_each_step(objective: str, ready: Callable[[str], Ready], tmp_path: Path, tried: Tried) -> None:
    learner, batches, train = ready(objective)
    expected, other = go_on(tmp_path / "undisturbed", learner, batches, train), 0
    for step in range(1, _STEPS + 1):
        folder = tmp_path / str(step)
        go_on(folder, learner, batches, train, until=step)
        assert newest(folder) == folder / "checkpoints" / f"step-{step:09d}"
        other += not same(expected, go_on(folder, learner, batches, train))
    note = f"{_STEPS} steps, {epochs(batches):.2f} epochs"
    tried(f"3 · resumed after each step, {objective}: final weights", _STEPS, other, note)


@pytest.mark.torture
@pytest.mark.parametrize("objective", ["mlm", "causal_lm", "simclr", "clip"])
def test_resumed_with_other_workers(
    objective: str, ready: Callable[[str], Ready], tmp_path: Path, tried: Tried
) -> None:
    """Processes that prepare batches ahead: none, one, two, four, and back."""
    learner, batches, train = ready(objective)
    expected = go_on(tmp_path / "undisturbed", learner, batches, train)
    ways, other = [(0, 1, 2, 4), (4, 2, 1, 0), (2, 0, 4, 1), (1, 4, 0, 2)], 0
    for number, way in enumerate(ways):
        for step, workers in zip((7, 16, 29, None), way, strict=True):
            with_workers = Batches(**{**vars(batches), "workers": workers})
            found = go_on(tmp_path / str(number), learner, with_workers, train, until=step)
        other += not same(expected, found)
    tried(f"3 · workers 0, 1, 2, 4 changed at each resume, {objective}", 4 * len(ways), 4 * other, "final weights")


@pytest.mark.torture
@pytest.mark.parametrize("objective", ["mlm", "causal_lm"])
def test_resumed_with_other_threads(
    objective: str, ready: Callable[[str], Ready], tmp_path: Path, tried: Tried
) -> None:
    """torch's threads, 1 and 2 in turn: of no account where the recipe says how many share a step's rows."""
    learner, batches, train = ready(objective)
    before, found = torch.get_num_threads(), []
    try:
        for number, way in enumerate([(1, 1), (1, 2), (2, 1)]):
            for step, threads in zip((16, None), way, strict=True):
                torch.set_num_threads(threads)
                weights = go_on(tmp_path / str(number), learner, batches, train, until=step)
            found.append(weights)
    finally:
        torch.set_num_threads(before)
    other = sum(not same(found[0], one) for one in found[1:])
    tried(f"3 · torch's threads 1 and 2 changed at the resume, {objective}", 2, other, f"train.threads {train.threads}")
