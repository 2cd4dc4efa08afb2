"""Jigsaw as invariance: a picture and its own mixed tiles must find each other (Misra and van der Maaten 2020)."""

from dataclasses import dataclass

import torch

from selftaught.objective import Batch, Spec
from selftaught.objectives.simclr import SimCLR
from selftaught.pretext.image import mixed_tiles
from selftaught.pretext.pictures import as_fractions, standardised
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class PIRL(SimCLR):
    """What a picture shows does not depend on the order of its tiles, and is not to be told of the features.

    Each picture is changed twice, as in simclr; of the second view the tiles are cropped and mixed. The negatives are
    the batch's, where the paper keeps a memory of all pictures.

    Args:
        grid: tiles to a side.
        tile_area: the smallest share of a tile that its crop keeps.
    """

    grid: int = 2
    tile_area: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grid < 2:
            raise ValueError(f"a picture is cut into 2 x 2 tiles at least, not {self.grid} x {self.grid}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``pixels`` uint8 [B, 3, H, W]: the views, and then the mixed ones, float [2B, 3, H, W]."""
        assert spec.image is not None
        pictures = as_fractions(samples["pixels"])
        second = rng.child("second")
        mixed, _ = mixed_tiles(self.views(pictures, second), second, self.grid, area=self.tile_area)
        views = torch.cat([self.views(pictures, rng.child("first")), mixed])
        return {"pixels": standardised(views, spec.image), "n": len(views)}
