"""Two views are to be alike, and no more: variance and covariance keep them from being all one (Bardes et al. 2022)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.vision import picture_backbone, projector
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import two_views
from selftaught.randomness import Randomness
from selftaught.ranks import gathered


@dataclass(frozen=True)
class VICReg(Objective):
    """No negatives and no large batch: each number of the vectors must vary, and no two of them say the same.

    Args:
        invariance, variance, covariance: the weights of the three parts (section 4.1).
        projection: numbers of the vectors that are compared.
        area, flip, jitter, grey, blur, solarise: see :class:`selftaught.pretext.image.Views`.
    """

    couples_batch: ClassVar[bool] = True
    stream: ClassVar[str] = "image"

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    projection: int = 512
    area: float = 0.2
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2
    blur: float = 0.0
    solarise: float = 0.0

    @property
    def views(self) -> Views:
        """How a picture is changed."""
        return Views(self.area, self.flip, self.jitter, grey=self.grey, blur=self.blur, solarise=self.solarise)

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``pixels`` uint8 [B, 3, H, W]: the first views and then the second, float [2B, 3, H, W]."""
        return {**two_views(samples, spec, rng, self.views), "n": len(samples["pixels"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return projector(picture_backbone(backbones).width, self.projection, self.projection)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Equation 6, of the batches of all ranks, counted for each picture; the three parts are told unweighted."""
        vectors = heads(features.mean(1)).float()
        with torch.autocast(vectors.device.type, enabled=False):
            first, second = (gathered(view) for view in vectors.chunk(2))
            alike = F.mse_loss(first, second)
            spread = torch.stack([_too_little(first), _too_little(second)]).sum()
            same = torch.stack([_shared(first), _shared(second)]).sum()
        total = self.invariance * alike + self.variance * spread / 2 + self.covariance * same
        count = len(vectors) // 2
        parts = {"invariance": alike, "variance": spread, "covariance": same}
        return {"loss": total * count, **{name: part.detach() * count for name, part in parts.items()}}


def _too_little(vectors: Tensor) -> Tensor:
    """By how much the deviations of the numbers fall short of one, on average (equation 1)."""
    return F.relu(1 - (vectors.var(0) + 1e-4).sqrt()).mean()


def _shared(vectors: Tensor) -> Tensor:
    """The squared covariances of different numbers, for each number (equation 4)."""
    centred = vectors - vectors.mean(0)
    covariance = centred.T @ centred / (len(vectors) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / vectors.shape[1]
