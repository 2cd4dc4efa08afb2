"""Contrastive objectives on two processes are those of one process with both batches."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from selftaught.objective import Batch, Objective
from selftaught.objectives.dino import DINO
from selftaught.objectives.pirl import PIRL
from selftaught.objectives.simclr import SimCLR
from selftaught.objectives.simcse import SimCSE
from selftaught.objectives.vicreg import VICReg

RANKS, ROWS, WIDTH = 2, 4, 6
OBJECTIVES: dict[str, Objective] = {
    one.name: one for one in (SimCLR(), PIRL(temperature=0.3), VICReg(), DINO(prototypes=5), SimCSE(temperature=0.3))
}


def question(name: str, rows: slice) -> tuple[Any, Batch]:
    """Features of some rows as the objective takes them, and what its batch says of them."""
    generator = torch.Generator().manual_seed(3)
    views = torch.randn(2, RANKS * ROWS, WIDTH, generator=generator)[:, rows].requires_grad_()
    if name == "simcse":
        return views, {"sentence": torch.tensor([5, 1, 2, 3, 4, 5, 6, 3])[rows]}  # some stand in both processes
    states = views.flatten(0, 1)[:, None]
    said = torch.randn(2, RANKS * ROWS, 5, generator=generator)[:, rows].flatten(0, 1)
    return ((states, said) if name == "dino" else states), {}


def head(name: str) -> nn.Module:
    torch.manual_seed(4)
    if name == "simcse":
        return nn.Module()
    if name != "dino":
        return nn.Linear(WIDTH, WIDTH)
    parts = nn.ModuleDict({"student": nn.Linear(WIDTH, 5)})
    parts.register_buffer("centre", torch.zeros(5))
    return parts


def answered(name: str, rows: slice) -> dict[str, Tensor]:
    """The loss as the loop has it, its gradient for the features and for the head, and what the head keeps."""
    features, batch = question(name, rows)
    parts = head(name)
    loss = OBJECTIVES[name].loss(features, parts, batch)["loss"] / (RANKS * ROWS)
    first = features[0] if name == "dino" else features
    inputs = [first, *parts.parameters()]
    gradients = torch.autograd.grad(loss, inputs)
    of_features = gradients[0].view(2, -1, WIDTH)
    named = {f"head {i}": gradient for i, gradient in enumerate(gradients[1:])}
    return {"loss": loss.detach(), "features": of_features, **named, **dict(parts.named_buffers())}


def one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=RANKS)
    found = {name: answered(name, slice(rank * ROWS, (rank + 1) * ROWS)) for name in OBJECTIVES}
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(one_of_two, (str(folder),), nprocs=RANKS)
    return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(RANKS)]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_two_processes_are_one_with_both_batches(name: str, apart: list[dict[str, dict[str, Tensor]]]) -> None:
    whole, halves = answered(name, slice(None)), [found[name] for found in apart]
    assert whole.keys() == halves[0].keys()
    joined = {
        key: torch.cat([half[key] for half in halves], 1)
        if key == "features"
        else halves[0][key]
        if key == "centre"
        else sum(half[key] for half in halves)
        for key in whole
    }
    for key, value in whole.items():
        assert torch.allclose(joined[key], value, rtol=1e-6, atol=1e-6), key
    assert whole["loss"] > 0
