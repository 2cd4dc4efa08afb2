"""Several processes as one: what each has is gathered from all, and gradients find their way back.

Where there is one process, as there is without torchrun, everything here is the identity.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """This process' number among all, from 0."""
    return dist.get_rank() if _several() else 0


def ranks() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _several() else 1


def gathered(tensor: Tensor) -> Tensor:
    """The tensors of all ranks one after the other, [B, …] to [ranks * B, …]; all have one shape.

    Its gradient is the sum of what every rank makes of this rank's part. So where each rank takes the loss of its own
    rows against the rows of all, and the gradients of all ranks are added up, they are those of one process with the
    whole batch, and no rank ever holds more than its rows' share of the cosines: memory grows linearly with the
    batch.
    """
    return _Gather.apply(tensor) if _several() else tensor


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


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
