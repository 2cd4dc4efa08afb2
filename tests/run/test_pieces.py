"""Checkpoints go from any number of ranks to any other, with all weights on each or shares of them, to the bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from selftaught.backbones.hf import layers_of, recomputing
from selftaught.errors import SelftaughtError
from selftaught.fleet import Fleet, bring_together, sharded, to_be_trained
from selftaught.loop import Learner, Progress, train
from selftaught.objective import Batch, Spec
from selftaught.objectives.mlm import MLM
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.ranks import place, world
from selftaught.run.folder import Run
from selftaught.run.pieces import PARTS, Pieces, files_of
from selftaught.run.saver import Saver
from selftaught.run.state import learner_tensors
from selftaught.schedule import Schedule

from ..joined import in_processes

NewLearner = Callable[[], Learner]


@pytest.fixture
def question(packed: Batch, spec: Spec) -> Callable[[], Batch]:
    """This process' rows of eight."""

    def asked() -> Batch:
        size = 8 // world()
        rows = torch.arange(place() * size, (place() + 1) * size)
        some = {name: tensor[rows] for name, tensor in packed.items()}
        return {**MLM().pretext(some, spec, Randomness.of(0, torch.zeros_like(rows), rows)), "size": size}

    return asked


def passed_on(new_learner: NewLearner, source: Path, target: Path, wrap: Any = lambda learner: learner) -> None:
    """Load a checkpoint and save it again."""
    learner = wrap(new_learner())
    optimizer = adamw(learner, 1e-2)
    found = Run(source).load_checkpoint(learner, optimizer)
    assert found is not None
    with Saver() as saver:
        Run(target).save_checkpoint(learner, optimizer, found.progress, found.extra, saver)


def state(run: Path) -> dict[str, Tensor]:
    (folder,) = (run / "checkpoints").iterdir()
    names = [file.name for file in folder.iterdir()]
    found = [Pieces(folder / name for name in files_of(part, names) or ()) for part in PARTS]
    return {name: pieces.whole(name) for pieces in found for name in pieces.shapes}


def files_in(run: Path) -> list[str]:
    return sorted(file.name for file in run.rglob("*.safetensors"))


def test_from_ranks_to_ranks(new_learner: NewLearner, question: Any, tmp_path: Path) -> None:
    def begins() -> dict[str, Tensor]:
        kept = new_learner()
        learner = to_be_trained(kept, True)
        optimizer, batch = adamw(learner, 1e-2), question()
        steps = train(learner, lambda _: iter([batch] * 3), optimizer, Schedule(steps=3), seed=0, fleet=Fleet(learner))
        reports = [next(steps), next(steps)]
        Run(tmp_path / "first").save_checkpoint(learner, optimizer, reports[-1].progress, {"best": 0.5})
        bring_together(kept, learner)
        return learner_tensors(kept) if place() == 0 else {}

    whole, _ = in_processes(begins)
    passed_on(new_learner, tmp_path / "first", tmp_path / "alone")

    def goes_on() -> None:
        passed_on(new_learner, tmp_path / "alone", tmp_path / "again", sharded)
        passed_on(new_learner, tmp_path / "first", tmp_path / "all on each")

    in_processes(goes_on)
    first = state(tmp_path / "first")
    assert set(whole) < set(first)
    assert all(torch.equal(first[name], tensor) for name, tensor in whole.items())
    for name in ("alone", "again", "all on each"):
        other = state(tmp_path / name)
        assert first.keys() == other.keys()
        assert all(torch.equal(first[key], other[key]) for key in first), name
    files = {
        name: sorted(file.name for file in (tmp_path / name).rglob("*.safetensors")) for name in ("again", "alone")
    }
    assert files["again"] == [f"{part}-{n}-of-2.safetensors" for part in PARTS for n in (1, 2)]
    assert files["alone"] == [f"{part}.safetensors" for part in PARTS]

    lost = next((tmp_path / "again").rglob("optimizer-2-of-2.safetensors"))
    lost.unlink()
    learner = new_learner()
    with pytest.raises(SelftaughtError, match=lost.name):
        Run(tmp_path / "again").load_checkpoint(learner, adamw(learner, 1e-2))


def test_recomputing_gives_the_same_gradients(new_learner: NewLearner, question: Any) -> None:
    found = []
    for again in (False, True):
        learner = new_learner().train()
        if again:
            recomputing(learner)
            assert all(layer.gradient_checkpointing for layer in layers_of(learner))
        learner(question())["loss"].backward()
        found.append({name: parameter.grad for name, parameter in learner.named_parameters()})
    assert all(torch.equal(one, found[1][name]) for name, one in found[0].items() if one is not None)


def test_a_copy_is_saved_and_its_error_is_told(new_learner: NewLearner, tmp_path: Path) -> None:
    learner = new_learner()
    optimizer, before = adamw(learner, 1e-2), {n: t.clone() for n, t in learner_tensors(learner).items()}
    with Saver() as saver:
        Run(tmp_path / "run").save_checkpoint(learner, optimizer, Progress(1), {}, saver)
        with torch.no_grad():
            next(learner.parameters()).add_(1)
    assert all(torch.equal(state(tmp_path / "run")[name], tensor) for name, tensor in before.items())

    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "checkpoints").touch()
    with pytest.raises(SelftaughtError, match="could not be saved"), Saver() as saver:
        Run(tmp_path / "full").save_checkpoint(learner, optimizer, Progress(1), {}, saver)
