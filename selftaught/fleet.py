"""A step's rows shared among processes: each takes its part, and they add up their gradients once a step.

Each has all weights (torch's DistributedDataParallel), or each has a part of every weight, of its gradient and of the
optimizer's moments, and the whole of one layer only while it is computed (torch's fully_shard, which is ZeRO's third
stage: Rajbhandari et al. 2020, section 5). Nothing else differs.
"""

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from selftaught.backbones.frozen import Frozen
from selftaught.backbones.hf import layers_of
from selftaught.backbones.joint_norm import normed_together
from selftaught.objective import Batch, Sums
from selftaught.ranks import leads, summed, together, world

L = TypeVar("L", bound=nn.Module)

_BUCKET_MB = 100  # of gradients that are added up at once, while those of the layers below are still computed


class Fleet:
    """The processes that compute the steps of one learner.

    Args:
        learner: has the same weights in each; of those that are sharded, each has its part.
        alone: whether this process computes by itself even if there are others.
    """

    def __init__(self, learner: nn.Module, *, alone: bool = False) -> None:
        self.learner = learner
        self.size = 1 if alone else world()
        self._forward: Any = learner
        if self.size > 1:
            normed_together(learner)
            if not isinstance(learner, FSDPModule):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FutureWarning)  # torch 2.13 has another name, which 2.9 has not
                    self._forward = DistributedDataParallel(
                        learner,
                        broadcast_buffers=False,
                        bucket_cap_mb=_BUCKET_MB,
                        gradient_as_bucket_view=True,  # no second copy, in memory and in time
                    )

    def __call__(self, batch: Batch) -> Sums:
        """The learner's sums over its part of a batch."""
        return self._forward(batch)

    @contextmanager
    def at_work(self, *, last: bool) -> Iterator[None]:
        """Within this a part of the step is computed, forward and backward.

        Args:
            last: of the step: with it gradients are added up.
        """
        if self.size == 1:
            yield
            return
        waiting = self._forward.no_sync() if isinstance(self._forward, DistributedDataParallel) and not last else None
        if isinstance(self._forward, FSDPModule):
            self._forward.set_requires_gradient_sync(last)
        with together(), waiting or nullcontext():
            yield
        if last and isinstance(self._forward, FSDPModule):
            self._average_what_is_whole()

    def summed(self, numbers: Mapping[str, Any]) -> Mapping[str, Any]:
        """Each number summed over all processes."""
        return numbers if self.size == 1 else summed(numbers)

    def clip(self, limit: float) -> float:
        """Shorten the gradient to ``limit``, and return how long it was."""
        weights = list(self.learner.parameters())
        if not isinstance(self._forward, FSDPModule):
            return float(nn.utils.clip_grad_norm_(weights, limit))
        kinds = [[p for p in weights if isinstance(p, DTensor) is parted] for parted in (True, False)]
        norms = [unsharded(nn.utils.get_total_norm([p.grad for p in kind if p.grad is not None])) for kind in kinds]
        norm = torch.stack([one.float() for one in norms]).norm()
        for kind in kinds:
            nn.utils.clip_grads_with_norm_(kind, limit, norm)
        return float(norm)

    def _average_what_is_whole(self) -> None:
        """Gradients of what could not be sharded, which its wrapper leaves to us."""
        for parameter in self.learner.parameters():
            if parameter.grad is not None and not isinstance(parameter, DTensor):
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.size


def sharded(learner: L) -> L:
    """The learner, each of whose layers is shared out among all processes.

    Single numbers stay whole in each, and so do networks that are asked and never changed.
    """
    for parameter in learner.parameters():
        parameter.data = parameter.data.contiguous()
    frozen = [p for part in learner.modules() if isinstance(part, Frozen) for p in part.parameters()]
    whole = {*frozen, *(p for p in learner.parameters() if p.ndim == 0)}
    for layer in layers_of(learner):
        if any(parameter.requires_grad for parameter in layer.parameters()):
            fully_shard(layer, ignored_params=whole)
    fully_shard(learner, ignored_params=whole)
    return learner


def to_be_trained(learner: L, shard: bool | None) -> L:
    """What is trained: the learner; or, to be sharded, a copy of it where it is kept to be measured and saved."""
    if not shard or world() == 1:
        return learner
    trained = copy.deepcopy(learner) if leads() else learner
    if leads() and next(learner.parameters()).is_cuda:
        learner.to("cpu")  # until it is measured
    return sharded(trained)


@torch.no_grad()
def bring_together(learner: nn.Module, trained: nn.Module) -> None:
    """Give the learner of the rank that leads the weights of what is trained; all ranks come here."""
    if not any(isinstance(parameter, DTensor) for parameter in trained.parameters()):
        return
    if leads():
        learner.to(next(trained.parameters()).device)
    kept = learner.state_dict(keep_vars=True)
    for name, part in trained.state_dict(keep_vars=True).items():
        whole = unsharded(part.detach())
        if leads():
            kept[name].detach().copy_(whole)


@torch.no_grad()
def unsharded(tensor: Tensor) -> Tensor:
    """The whole of a tensor that may be sharded; all processes come here."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
