"""Muon on the matrices of the encoder, AdamW on the rest, as one optimizer for the loop."""

from typing import Any

import torch
from torch import nn

from selftaught.loop import Learner


class MuonAndAdamW:
    """What the loop needs of an optimizer: parameter groups with a rate, a step, gradients forgotten.

    Muon (Jordan et al. 2024) is for the hidden matrices only; embeddings, the vocabulary projection, norms and biases
    get AdamW. Muon's update is scaled to AdamW's size, so that one rate serves both (Liu et al. 2025, section 2.2).
    """

    def __init__(self, learner: Learner, rate: float, weight_decay: float) -> None:
        tables = {id(m.weight) for m in learner.modules() if isinstance(m, nn.Embedding)}
        parameters = list(learner.parameters())
        hidden = [p for p in parameters if p.ndim == 2 and id(p) not in tables]
        groups = [
            {"params": [p for p in parameters if id(p) in tables], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim != 2], "weight_decay": 0.0},
        ]
        self._parts = [
            torch.optim.Muon(hidden, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True),
        ]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]

    def step(self) -> None:
        for part in self._parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self._parts:
            part.zero_grad(set_to_none)
