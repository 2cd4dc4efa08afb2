"""Masked autoencoding of pictures: see a quarter of the patches, draw the others (He et al. 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from selftaught.backbones.patch_decoder import (
    PatchDecoder,
    as_they_were,
    hidden_patches,
    rebuilt,
    within_themselves,
)
from selftaught.backbones.vision import picture_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import one_view
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class MAE(Objective):
    """Leave most patches out, encode the others, and tell the pixels of those left out by a small decoder.

    Args:
        rate: the share of patches left out.
        decoder_layers: of the decoder, which is thrown away.
        decoder_width: of its vectors.
        normalised: whether each patch is told as it differs from its own mean, in its own deviations (section 4).
        area, flip: see :class:`selftaught.pretext.image.Views`; there are no changes of colour.
    """

    stream: ClassVar[str] = "image"
    corrupts: ClassVar[bool] = True
    needs_patches: ClassVar[bool] = True

    rate: float = 0.75
    decoder_layers: int = 2
    decoder_width: int = 128
    normalised: bool = True
    area: float = 0.2
    flip: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"the masking rate is a share between 0 and 1, not {self.rate}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``pixels`` float [N, 3, H, W]: which of its patches are ``visible`` [N, K], and which ``hidden`` [N, M].

        What another objective made of the pictures, such as two views of each, is taken as it is.
        """
        assert spec.image is not None
        assert spec.image.patch is not None
        posed = one_view(samples, spec, rng, Views(self.area, self.flip, jitter=0, grey=0))
        patches = (spec.image.resolution // spec.image.patch) ** 2
        copies = len(posed["pixels"]) // len(rng.keys)
        order = rng.uniform("hidden", copies, patches).transpose(0, 1).flatten(0, 1).argsort(1)
        kept = patches - min(max(round(self.rate * patches), 1), patches - 1)
        visible, hidden = order[:, :kept].sort(1).values, order[:, kept:].sort(1).values
        return {**posed, "visible": visible, "hidden": hidden, "n": hidden.numel()}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        assert spec.image is not None
        backbone = picture_backbone(backbones)
        patches = (spec.image.resolution // backbone.patch) ** 2
        return PatchDecoder(backbone.width, self.decoder_width, self.decoder_layers, patches, backbone.patch)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """The squared error of a pixel, averaged over each patch and summed over those that were left out."""
        assert isinstance(heads, PatchDecoder)
        drawn = heads(features, batch["visible"], batch["hidden"]).float()
        return {"loss": (drawn - self.targets(batch, heads.patch)).square().mean(-1).sum()}

    def pictured(self, features: Tensor, heads: nn.Module, batch: Batch, spec: Spec) -> Tensor:
        """The picture, what was seen of it, and what was drawn, given the mean and the contrast that each patch has."""
        assert isinstance(heads, PatchDecoder)
        drawn = heads(features, batch["visible"], batch["hidden"]).float()
        if self.normalised:
            drawn = as_they_were(drawn, hidden_patches(batch, heads.patch))
        return rebuilt(batch, heads.patch, drawn, spec)

    def targets(self, batch: Batch, patch: int) -> Tensor:
        """What is to be told of the hidden patches, [N, M, patch * patch * 3]."""
        wanted = hidden_patches(batch, patch)
        return within_themselves(wanted) if self.normalised else wanted
