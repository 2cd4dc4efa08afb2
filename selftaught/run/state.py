"""What training has made so far, as tensors by name: the weights of a learner and the moments of its optimizer."""

from collections.abc import Set
from typing import Any

import torch
from torch import Tensor, nn

from selftaught.errors import SelftaughtError
from selftaught.run.pieces import Pieces


def learner_tensors(learner: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; a tied weight once, under its first name."""
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in learner.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[name] = tensor.detach().contiguous()
    return tensors


@torch.no_grad()
def restore_learner(learner: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy tensors into the learner in place, so that ties and the optimizer's references hold."""
    for name, own in _meant(learner, tensors.keys()).items():
        own.copy_(tensors[name])


@torch.no_grad()
def restore_from(tensors: Pieces, learner: nn.Module) -> None:
    """The same from the files of a checkpoint: of what is sharded, each rank reads its own part."""
    for name, own in _meant(learner, tensors.shapes.keys()).items():
        tensors.fill(name, own)


def _meant(learner: nn.Module, names: Set[str]) -> dict[str, Tensor]:
    """The learner's tensors, of which there must be as many, by the same names."""
    own = learner_tensors(learner)
    if own.keys() != names:
        odd = sorted(own.keys() ^ names)
        raise SelftaughtError(
            f"the checkpoint is of another model: {len(odd)} weights do not match, such as {odd[0]}",
            do="repeat the command the run was started with, or choose another --out",
        )
    live = learner.state_dict(keep_vars=True)
    return {name: live[name].detach() for name in own}


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The optimizer's state as flat tensors ``index.name`` and what is not a tensor."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {}
    for index, moments in state["state"].items():
        for name, value in moments.items():
            target: dict[str, Any] = tensors if isinstance(value, Tensor) else scalars
            target[f"{index}.{name}"] = value.contiguous() if isinstance(value, Tensor) else value
    return tensors, scalars


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Pieces, scalars: dict[str, Any]) -> None:
    """Give an optimizer the state that :func:`optimizer_state` took from one like it."""
    state, parameters = optimizer.state_dict(), [p for group in optimizer.param_groups for p in group["params"]]
    for key, shape in tensors.shapes.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        if shape == tuple(parameter.shape):
            # the fused optimizer goes over memory as it lies: moments must lie as their weights do (channels last)
            tensors.fill(key, value := torch.empty_like(parameter))
        else:
            value = tensors.whole(key)
        state["state"].setdefault(int(index), {})[name] = value
    for key, scalar in scalars.items():
        index, _, name = key.partition(".")
        state["state"].setdefault(int(index), {})[name] = scalar
    optimizer.load_state_dict(state)
