"""Masked autoencoding of clips: see the same tenth of the patches in all frames, draw the rest (Tong et al. 2022)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from selftaught.backbones.patch_decoder import (
    PatchDecoder,
    as_they_were,
    hidden_patches,
    rebuilt,
    within_themselves,
)
from selftaught.backbones.video import video_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.clips import spread, tall, tubes
from selftaught.pretext.image import Views
from selftaught.pretext.video import one_view_of_clips, picked
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class VideoMAE(Objective):
    """Leave the same patches out of all frames, encode the others together, and tell the pixels of those left out.

    What is hidden is a tube through time (section 3.3), so that no patch can be copied from the frame before: where
    something went has to be understood. The visible patches of all frames are one row, and each attends to each, as in
    the paper; the network is the one of single pictures, to which only a vector for the time of a frame is added. So
    what is saved reads pictures. A patch is of one frame, where the paper has two.

    Args:
        rate: the share of patches left out.
        frames: so many of a clip, evenly over the window.
        decoder_layers: of the decoder, which is thrown away.
        decoder_width: of its vectors.
        normalised: whether each patch is told as it differs from its own mean, in its own deviations.
        area, flip: see :class:`selftaught.pretext.image.Views`; there are no changes of colour.
    """

    stream: ClassVar[str] = "video.tubes"
    corrupts: ClassVar[bool] = True
    needs_patches: ClassVar[bool] = True

    rate: float = 0.9
    frames: int = 8
    decoder_layers: int = 1
    decoder_width: int = 64
    normalised: bool = True
    area: float = 0.5
    flip: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"the masking rate is a share between 0 and 1, not {self.rate}")
        if self.frames < 2:
            raise ValueError(f"a clip has at least 2 frames, not {self.frames}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``frames`` float [B, F, 3, S, S]: which patches of each are ``visible`` [B, K], and ``hidden`` [B, M]."""
        assert spec.image is not None
        assert spec.image.patch is not None
        places = spread(samples["frames"].shape[1], self.frames, rng)
        some = {"frames": picked(samples["frames"], places)}
        posed = one_view_of_clips(some, spec, rng, Views(self.area, self.flip, jitter=0, grey=0))
        visible, hidden = tubes((spec.image.resolution // spec.image.patch) ** 2, self.rate, rng)
        return {**posed, "visible": visible, "hidden": hidden, "n": self.frames * hidden.numel()}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        assert spec.image is not None
        backbone = video_backbone(backbones)
        patches = self.frames * (spec.image.resolution // backbone.patch) ** 2
        decoder = PatchDecoder(backbone.width, self.decoder_width, self.decoder_layers, patches, backbone.patch)
        parts = nn.ModuleDict({"decoder": decoder})
        parts.register_parameter("times", nn.Parameter(torch.randn(self.frames, backbone.width) * 0.02))
        return parts

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Tensor:
        """States [B, 1 + F * K, D] of what is visible: of the clip as a whole, and of each patch of each frame."""
        picture, times = video_backbone(backbones).picture, heads.get_parameter("times")
        count, frames = batch["frames"].shape[:2]
        visible = batch["visible"].repeat_interleave(frames, 0)
        patches = picture.patches(batch["frames"].flatten(0, 1), visible).unflatten(0, (count, frames))
        return picture.through((patches + times[:, None]).flatten(1, 2))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """The squared error of a pixel, averaged over each patch and summed over those that were left out."""
        clip, drawn = self._drawn(features, heads, batch)
        wanted = hidden_patches(clip, _patch(heads))
        return {"loss": (drawn - (within_themselves(wanted) if self.normalised else wanted)).square().mean(-1).sum()}

    def pictured(self, features: Tensor, heads: nn.Module, batch: Batch, spec: Spec) -> Tensor:
        """For each frame, one above the other: itself, what was seen of it, and what was drawn."""
        clip, drawn = self._drawn(features, heads, batch)
        if self.normalised:
            drawn = as_they_were(drawn, hidden_patches(clip, _patch(heads)))
        shown = rebuilt(clip, _patch(heads), drawn, spec)  # [B, 3, 3, F * S, S]
        return shown.unflatten(3, (self.frames, -1)).permute(0, 3, 2, 1, 4, 5).flatten(3, 4)

    def _drawn(self, features: Tensor, heads: nn.Module, batch: Batch) -> tuple[Batch, Tensor]:
        """The clip as one tall picture with the numbers of its patches, and what is drawn of the hidden ones."""
        clip = tall(batch, _patch(heads))
        return clip, heads.get_submodule("decoder")(features, clip["visible"], clip["hidden"]).float()


def _patch(heads: nn.Module) -> int:
    decoder = heads.get_submodule("decoder")
    assert isinstance(decoder, PatchDecoder)
    return decoder.patch
