"""Several processes as one: what each has is gathered from all, and gradients find their way back.

Where there is one process, as there is without torchrun, everything here is the identity. Where there are several,
each is alone with itself, as if there were no others, except :func:`together`: only there do they compute as one. So
whoever measures, draws or writes on one rank need not know that there are more.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

_together = False


def world() -> int:
    """How many processes train one run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def place() -> int:
    """This process' number among them, from 0."""
    return dist.get_rank() if world() > 1 else 0


def leads() -> bool:
    """Whether this process is the one that prepares, measures, writes and speaks."""
    return place() == 0


@contextmanager
def together() -> Iterator[None]:
    """Within this, the processes compute as one; all of them come here."""
    global _together
    before, _together = _together, world() > 1
    try:
        yield
    finally:
        _together = before


def rank() -> int:
    """This process' number among those that compute together, from 0."""
    return place() if _together else 0


def ranks() -> int:
    """How many processes compute together."""
    return world() if _together else 1


def gathered(tensor: Tensor) -> Tensor:
    """The tensors of all ranks one after the other, [B, …] to [ranks * B, …]; all have one shape.

    Its gradient is the sum of what every rank makes of this rank's part. So where each rank takes the loss of its own
    rows against the rows of all, and the gradients of all ranks are added up, they are those of one process with the
    whole batch, and no rank ever holds more than its rows' share of the cosines: memory grows linearly with the
    batch.
    """
    return _Gather.apply(tensor) if ranks() > 1 else tensor


def added(tensor: Tensor) -> Tensor:
    """The sum of the tensors of all ranks, which have one shape; its gradient likewise."""
    return _Add.apply(tensor) if ranks() > 1 else tensor


def summed(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers by name, nested, each summed over all processes; where there are several, as float64."""
    if world() == 1:
        return dict(numbers)
    leaves = [torch.as_tensor(value, dtype=torch.float64).cpu() for value in _leaves(numbers)]
    total = torch.stack(leaves)
    dist.all_reduce(total)
    return _filled(numbers, iter(total.unbind()))


def most(*numbers: float) -> list[float]:
    """Of each number the largest that any process has."""
    if world() == 1:
        return list(numbers)
    found = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return found.tolist()


def agreed(value: Any) -> Any:
    """What the leading process has, for all of them; anything that JSON holds. Others wait here for it."""
    return told(value)[0] if world() > 1 else value


def told(value: Any, group: Any = None) -> list[Any]:
    """What each process says, in their order, as JSON; all of ``group`` come here, or all there are."""
    if world() == 1:
        return [value]
    said = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
    lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(world())]
    dist.all_gather(lengths, torch.tensor([len(said)]), group=group)
    longest = int(max(lengths))
    heard = [torch.zeros(longest, dtype=torch.uint8) for _ in range(world())]
    dist.all_gather(heard, F.pad(said, (0, longest - len(said))), group=group)
    return [json.loads(bytes(one[:length].tolist())) for one, length in zip(heard, lengths, strict=True)]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: object, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(ranks())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        summed = gradient.contiguous()
        dist.all_reduce(summed)
        return summed.chunk(ranks())[rank()]


class _Add(torch.autograd.Function):
    @staticmethod
    def forward(context: object, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def _leaves(tree: Any) -> list[Any]:
    return [leaf for part in tree.values() for leaf in _leaves(part)] if isinstance(tree, Mapping) else [tree]


def _filled(tree: Any, leaves: Iterator[Tensor]) -> Any:
    return {name: _filled(part, leaves) for name, part in tree.items()} if isinstance(tree, Mapping) else next(leaves)
