"""Rotation: by how many quarters was this picture turned? (Gidaris et al. 2018)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.vision import picture_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views, turn_quarters
from selftaught.pretext.pictures import as_fractions, one_view, standardised
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Rotation(Objective):
    """Turn each picture by none, one, two or three quarters, exactly, and tell which.

    Some pictures look the same from several sides. To learn their turns is to learn noise, so that a picture counts the
    less the less its turn can be told, by the generalised cross-entropy (Zhang and Sabuncu 2018, section 3.2).

    Args:
        doubt: how much less: 0 not at all, which is plain cross-entropy; 1 fully, which is the mean error.
        area, flip, jitter, grey: see :class:`selftaught.pretext.image.Views`.
    """

    stream: ClassVar[str] = "image.turned"
    corrupts: ClassVar[bool] = True

    doubt: float = 0.3
    area: float = 0.5
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.doubt <= 1:
            raise ValueError(f"the doubt is a number from 0 to 1, not {self.doubt}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``pixels`` float [B, 3, H, W], turned: by how many ``quarters`` [B]."""
        posed = one_view(samples, spec, rng, Views(self.area, self.flip, self.jitter, grey=self.grey))
        quarters = rng.integers("quarters", 4)
        return {"pixels": turn_quarters(posed["pixels"], quarters), "quarters": quarters, "n": len(quarters)}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return nn.Linear(picture_backbone(backbones).width, 4)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """The generalised cross-entropy (1 - p^q) / q, in nats where q is 0, with plain ``cross_entropy`` beside it."""
        logits = heads(features.mean(1)).float()
        right = logits.detach().argmax(1) == batch["quarters"]
        plain = F.cross_entropy(logits, batch["quarters"], reduction="none")
        return {
            "loss": self._doubted(plain).sum(),
            "accuracy": right.sum(),
            "cross_entropy": plain.detach().sum(),
        }

    def certainty(self, backbones: nn.ModuleDict, heads: nn.Module, samples: Batch, spec: Spec) -> Tensor:
        """The probability of the truth, its mean over all four turns of a picture.

        A picture that looks the same after half a turn cannot be above 0.5, nor one that does after any above 0.25.
        """
        assert spec.image is not None
        pictures = standardised(as_fractions(samples["pixels"]), spec.image)
        shares = []
        for quarters in range(4):
            states = picture_backbone(backbones)({"pixels": torch.rot90(pictures, quarters, (2, 3))})
            shares.append(heads(states.mean(1)).float().softmax(1)[:, quarters])
        return torch.stack(shares).mean(0)

    def chance(self, spec: Spec, size: int) -> float | None:
        return float(self._doubted(torch.tensor(math.log(4))))

    def _doubted(self, plain: Tensor) -> Tensor:
        """From the cross-entropies."""
        return (1 - (-self.doubt * plain).exp()) / self.doubt if self.doubt else plain
