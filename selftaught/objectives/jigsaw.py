"""Jigsaw: the tiles of a picture are mixed up; where did each belong? (Noroozi and Favaro 2016)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.vision import PictureBackbone, picture_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views, mixed_tiles
from selftaught.pretext.pictures import as_fractions, standardised
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Jigsaw(Objective):
    """Cut each picture into tiles, crop each tile a little, mix them, and tell of every tile its own place.

    The crop takes away the lines that go on from tile to tile, and changes of colour those of the lens (section 4.3):
    either would give the answer without a look at what is shown. Each tile's answer is read off the states that stand
    where it lies now, so no list of permutations is needed (Chen et al. 2023, "Jigsaw-ViT", section 3).

    Args:
        grid: tiles to a side.
        area: the smallest share of a tile that its crop keeps.
        flip, jitter, grey: see :class:`selftaught.pretext.image.Views`.
    """

    stream: ClassVar[str] = "image.mixed"
    corrupts: ClassVar[bool] = True

    grid: int = 2
    area: float = 0.6
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.3

    def __post_init__(self) -> None:
        if self.grid < 2:
            raise ValueError(f"a picture is cut into 2 x 2 tiles at least, not {self.grid} x {self.grid}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``pixels`` float [B, 3, H, W], mixed: which tile lies at each place, row by row, ``tiles`` [B, G * G]."""
        assert spec.image is not None
        pictures = Views(0.5, self.flip, self.jitter, grey=self.grey)(as_fractions(samples["pixels"]), rng)
        mixed, order = mixed_tiles(pictures, rng, self.grid, area=self.area)
        return {"pixels": standardised(mixed, spec.image), "tiles": order, "n": order.numel()}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return TileHead(picture_backbone(backbones), self.grid)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, over tiles."""
        logits, tiles = heads(features).float().flatten(0, 1), batch["tiles"].flatten()
        right = logits.detach().argmax(1) == tiles
        return {"loss": F.cross_entropy(logits, tiles, reduction="sum"), "accuracy": right.sum()}

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(self.grid**2)


class TileHead(nn.Module):
    """From the states of a picture to the logits of each tile's place, [B, G * G, G * G]."""

    def __init__(self, backbone: PictureBackbone, grid: int) -> None:
        super().__init__()
        self._first = int(backbone.reads_patches)  # the state of the whole comes before those of patches
        self._grid = grid
        self.answer = nn.Linear(2 * backbone.width, grid * grid)

    def forward(self, states: Tensor) -> Tensor:
        places = states[:, self._first :].transpose(1, 2)
        side = math.isqrt(places.shape[-1])
        tiles = F.adaptive_avg_pool2d(places.unflatten(2, (side, side)), self._grid).flatten(2).transpose(1, 2)
        whole = states.mean(1, keepdim=True).expand_as(tiles)
        return self.answer(torch.cat([tiles, whole], -1))
