"""Inpainting: a whole region is missing, draw it from what is around it (Pathak et al. 2016, "Context Encoders")."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from selftaught.backbones.patch_decoder import PatchDecoder, hidden_patches, rebuilt
from selftaught.backbones.vision import picture_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import one_view
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Inpaint(Objective):
    """Leave out a square of patches, encode the others, and tell the pixels of the square by a small decoder.

    Args:
        side: of the square, as a share of the picture's; its place is drawn.
        decoder_layers: of the decoder, which is thrown away.
        decoder_width: of its vectors.
        area, flip: see :class:`selftaught.pretext.image.Views`; there are no changes of colour.
    """

    stream: ClassVar[str] = "image.holed"
    corrupts: ClassVar[bool] = True
    needs_patches: ClassVar[bool] = True

    side: float = 0.5
    decoder_layers: int = 2
    decoder_width: int = 128
    area: float = 0.2
    flip: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.side < 1:
            raise ValueError(f"the side is a share between 0 and 1, not {self.side}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``pixels`` float [B, 3, H, W]: which patches are ``visible`` [B, K], and which ``hidden`` [B, M]."""
        assert spec.image is not None
        assert spec.image.patch is not None
        across = spec.image.resolution // spec.image.patch
        square = min(max(round(self.side * across), 1), across - 1)
        top, left = (rng.integers(name, across - square + 1) for name in ("top", "left"))
        down, right = torch.arange(across).repeat_interleave(across), torch.arange(across).repeat(across)
        inside = (down >= top[:, None]) & (down < top[:, None] + square)
        inside &= (right >= left[:, None]) & (right < left[:, None] + square)
        order = inside.to(torch.int8).argsort(dim=1, stable=True)
        kept = across * across - square * square
        posed = one_view(samples, spec, rng, Views(self.area, self.flip, jitter=0, grey=0))
        hidden = order[:, kept:]
        return {**posed, "visible": order[:, :kept], "hidden": hidden, "n": hidden.numel()}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        assert spec.image is not None
        backbone = picture_backbone(backbones)
        patches = (spec.image.resolution // backbone.patch) ** 2
        return PatchDecoder(backbone.width, self.decoder_width, self.decoder_layers, patches, backbone.patch)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """The squared error of a pixel, in deviations of the training pictures, averaged over each missing patch."""
        assert isinstance(heads, PatchDecoder)
        drawn = heads(features, batch["visible"], batch["hidden"]).float()
        return {"loss": (drawn - hidden_patches(batch, heads.patch)).square().mean(-1).sum()}

    def pictured(self, features: Tensor, heads: nn.Module, batch: Batch, spec: Spec) -> Tensor:
        """The picture, what was seen of it, and what was drawn."""
        assert isinstance(heads, PatchDecoder)
        drawn = heads(features, batch["visible"], batch["hidden"]).float()
        return rebuilt(batch, heads.patch, drawn, spec)
