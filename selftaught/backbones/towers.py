"""Two towers, over pictures and over text, that end in one space: what stands above the two networks."""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import TextBackbone, text_backbone
from selftaught.backbones.pooling import mean_state
from selftaught.backbones.vision import PictureBackbone, picture_backbone
from selftaught.objective import Batch

PAIR = "pair"
LARGEST_SCALE = 100.0  # by which cosines are multiplied (Radford et al. 2021, section 2.5)
_TANH_POOLED = ("vit", "deit", "bert", "roberta", "xlm-roberta", "electra")
_NORM_POOLED = ("convnext", "convnextv2")


class Vectors(NamedTuple):
    """Of pictures and of texts, each float32 [B, D] of length one."""

    pictures: Tensor
    texts: Tensor


class FirstState(nn.Module):
    """The first state, through a layer of its own: what transformers calls the pooler of ViT and BERT."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.dense(states[:, 0]).tanh()


class NormedMean(nn.Module):
    """The mean of the states, normalised: the pooler of ConvNeXt."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.norm(states.mean(1))


class MeanState(nn.Module):
    """The mean of the states that are no padding."""

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        return states.mean(1) if mask is None else mean_state(states, mask)


class TwoTowers(nn.Module):
    """One vector a picture and one a text, in one space, and the scale of their cosines.

    Args:
        projection: numbers of a vector (D).
        scale: by which cosines are multiplied at first.
        bias: what is added to them at first; None for no bias.
    """

    def __init__(
        self, picture: PictureBackbone, text: TextBackbone, projection: int, scale: float, bias: float | None
    ) -> None:
        super().__init__()
        self.picture_pool, self.text_pool = pooler(picture.config, picture.width), pooler(text.config, text.width)
        self.visual_projection = nn.Linear(picture.width, projection, bias=False)
        self.text_projection = nn.Linear(text.width, projection, bias=False)
        for layer, width in ((self.visual_projection, picture.width), (self.text_projection, text.width)):
            nn.init.normal_(layer.weight, std=width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.logit_bias = None if bias is None else nn.Parameter(torch.tensor(bias))

    def of_pictures(self, backbone: PictureBackbone, pixels: Tensor) -> Tensor:
        """Vectors [B, D] of length one, of standardised pictures float [B, 3, H, W]."""
        return F.normalize(self.visual_projection(self.picture_pool(backbone({"pixels": pixels}))).float(), dim=-1)

    def of_texts(self, backbone: TextBackbone, batch: Batch) -> Tensor:
        """Vectors [B, D] of length one, of ``input_ids`` and ``attention_mask`` [B, T]."""
        given = {name: batch[name] for name in ("input_ids", "attention_mask")}
        pooled = self.text_pool(backbone(given), batch["attention_mask"])
        return F.normalize(self.text_projection(pooled).float(), dim=-1)

    def forward(self, backbones: nn.ModuleDict, batch: Batch) -> Vectors:
        """The vectors of a batch of pairs."""
        pictures = self.of_pictures(picture_backbone(backbones), batch["pixels"])
        return Vectors(pictures, self.of_texts(text_backbone(backbones), batch))

    @property
    def scale(self) -> Tensor:
        """By which cosines are multiplied."""
        return self.logit_scale.exp()

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep the scale from 1 to ``LARGEST_SCALE``."""
        self.logit_scale.clamp_(0, math.log(LARGEST_SCALE))


def pooler(config: Any, width: int) -> nn.Module:
    """What makes one vector of the states of a network as its architecture does it; the mean where that has nothing."""
    if config.model_type in _TANH_POOLED:
        return FirstState(width)
    return NormedMean(width, config.layer_norm_eps) if config.model_type in _NORM_POOLED else MeanState()
