"""Rotation: by how many quarters was this picture turned? (Gidaris et al. 2018)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.vision import picture_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views, turn_quarters
from selftaught.pretext.pictures import one_view
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Rotation(Objective):
    """Turn each picture by none, one, two or three quarters, exactly, and tell which.

    Args:
        area, jitter, grey: see :class:`selftaught.pretext.image.Views`.
    """

    stream: ClassVar[str] = "image.turned"
    corrupts: ClassVar[bool] = True

    area: float = 0.5
    jitter: float = 0.4
    grey: float = 0.0

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``pixels`` float [B, 3, H, W], turned: by how many ``quarters`` [B]."""
        posed = one_view(samples, spec, rng, Views(self.area, jitter=self.jitter, grey=self.grey))
        quarters = rng.integers("quarters", 4)
        return {"pixels": turn_quarters(posed["pixels"], quarters), "quarters": quarters, "n": len(quarters)}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return nn.Linear(picture_backbone(backbones).width, 4)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats."""
        logits = heads(features.mean(1)).float()
        right = logits.detach().argmax(1) == batch["quarters"]
        return {"loss": F.cross_entropy(logits, batch["quarters"], reduction="sum"), "accuracy": right.sum()}

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(4)
