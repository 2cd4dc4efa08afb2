"""Batch normalisation over the batch of all ranks, so that several processes learn what one with their rows would."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from selftaught.ranks import added, ranks


class JointNorm(_BatchNorm):
    """Batch normalisation (Ioffe & Szegedy 2015) over the batch of all ranks; torch's own does that on GPUs only."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"rows of numbers are normalised, not {input.dim()} dimensions")

    def forward(self, input: Tensor) -> Tensor:
        """As :class:`torch.nn.BatchNorm1d` and its kin have it, [B, C, …] to the same."""
        if ranks() == 1 or not self.training:
            return super().forward(input)
        rows, over = input.float(), [d for d in range(input.dim()) if d != 1]
        shape = [-1 if d == 1 else 1 for d in range(input.dim())]
        count = added(rows.new_tensor([rows.numel() / rows.shape[1]]))
        mean = added(rows.sum(over)) / count
        centred = rows - mean.view(shape)
        variance = added(centred.square().sum(over)) / count
        if self.running_mean is not None and self.running_var is not None:
            assert self.momentum is not None
            assert self.num_batches_tracked is not None
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        normed = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normed = normed * self.weight.view(shape) + self.bias.view(shape)
        return normed.to(input.dtype)


def normed_together(module: nn.Module) -> nn.Module:
    """The module, where every batch normalisation is now over the batch of all ranks; weights and buffers stay."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, JointNorm):
                joint = JointNorm(
                    child.num_features, child.eps, child.momentum, affine=False, track_running_stats=False
                )
                joint.affine, joint.track_running_stats = child.affine, child.track_running_stats
                joint._parameters, joint._buffers = child._parameters, child._buffers
                setattr(parent, name, joint.train(child.training))
    return module
