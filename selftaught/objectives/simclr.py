"""Contrastive learning of pictures: two views of one must find each other (Chen et al. 2020, sections 2 and 4)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.vision import picture_backbone, projector
from selftaught.metrics.spread import alignment, uniformity
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import two_views
from selftaught.randomness import Randomness
from selftaught.ranks import gathered, rank, ranks


@dataclass(frozen=True)
class SimCLR(Objective):
    """Change each picture twice, and tell each view's other view from all views of other pictures.

    Args:
        temperature: by which cosines are divided.
        projection: numbers of the vectors that are compared; they are made by a head that is thrown away.
        area, flip, jitter, grey, blur, solarise: see :class:`selftaught.pretext.image.Views`.
    """

    couples_batch: ClassVar[bool] = True
    stream: ClassVar[str] = "image"

    temperature: float = 0.1
    projection: int = 128
    area: float = 0.2
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2
    blur: float = 0.0
    solarise: float = 0.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"the temperature is above 0, not {self.temperature}")

    @property
    def views(self) -> Views:
        """How a picture is changed."""
        return Views(self.area, self.flip, self.jitter, grey=self.grey, blur=self.blur, solarise=self.solarise)

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``pixels`` uint8 [B, 3, H, W]: the first views and then the second, float [2B, 3, H, W]."""
        return {**two_views(samples, spec, rng, self.views), "n": 2 * len(samples["pixels"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        width = picture_backbone(backbones).width
        return projector(width, width, self.projection)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """NT-Xent in nats (equation 1), over both views of each picture, from states [2B, T, D].

        Sums over the views of this rank, each against those of all ranks.
        """
        vectors = F.normalize(heads(features.mean(1)).float(), dim=-1)
        with torch.autocast(vectors.device.type, enabled=False):
            cosines = vectors @ gathered(vectors).T  # [2B, ranks * 2B]
        count = len(vectors)
        views = torch.arange(count, device=vectors.device)
        itself, partner = (views + rank() * count, views.roll(count // 2) + rank() * count)
        logits = (cosines / self.temperature).index_put((views, itself), cosines.new_tensor(-torch.inf))
        cosines, others = cosines.detach(), torch.ones_like(cosines, dtype=torch.bool)
        others[views, itself] = others[views, partner] = False
        return {
            "loss": F.cross_entropy(logits, partner, reduction="sum"),
            "accuracy": (logits.detach().argmax(1) == partner).sum(),
            "alignment": alignment(cosines[views, partner]).sum(),
            "uniformity": uniformity(cosines[others]) * count,
        }

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(2 * size * ranks() - 1)
