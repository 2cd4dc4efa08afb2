"""The optimizer: AdamW, with weight decay on matrices only."""

from itertools import groupby

import torch
from torch import nn


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Trainable parameters in two groups: matrices and embeddings with decay, norms and biases without."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trainable if parameter.ndim >= 2]
    plain = [parameter for parameter in trainable if parameter.ndim < 2]
    # single numbers by themselves: they are whole where all else is sharded, and one group is of one kind
    runs = [list(run) for _, run in groupby(plain, lambda parameter: parameter.ndim)]
    return [{"params": decayed, "weight_decay": weight_decay}, *({"params": run, "weight_decay": 0.0} for run in runs)]


def adamw(module: nn.Module, rate: float, *, weight_decay: float = 0.01, beta2: float = 0.98) -> torch.optim.AdamW:
    """Fused AdamW (Loshchilov & Hutter 2019), with RoBERTa's beta2 (Liu et al. 2019, section 3.1)."""
    groups = parameter_groups(module, weight_decay)
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, beta2), eps=1e-8, fused=True)
