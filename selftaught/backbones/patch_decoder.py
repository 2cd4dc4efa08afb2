"""The small decoder that draws the patches of a picture that its encoder did not see (He et al. 2022, section 3)."""

import torch
from torch import Tensor, nn

from selftaught.backbones.vision import PatchLayers
from selftaught.objective import Batch, Spec
from selftaught.pretext.image import joined_patches, patches_of
from selftaught.pretext.pictures import as_seen


def hidden_patches(batch: Batch, patch: int) -> Tensor:
    """The pixels of the ``hidden`` [N, M] patches of ``pixels``, float32 [N, M, patch * patch * 3]."""
    patches = patches_of(batch["pixels"].float(), patch)
    return patches.gather(1, batch["hidden"][..., None].expand(-1, -1, patches.shape[-1]))


def with_patches(batch: Batch, patch: int, drawn: Tensor) -> Tensor:
    """The ``pixels`` with other patches where the ``hidden`` ones are: ``drawn`` [N, M, patch * patch * 3]."""
    patches = patches_of(batch["pixels"].float(), patch)
    places = batch["hidden"][..., None].expand(-1, -1, patches.shape[-1])
    return joined_patches(patches.scatter(1, places, drawn.float()), patch, batch["pixels"].shape[-1] // patch)


def within_themselves(patches: Tensor) -> Tensor:
    """Each patch as it differs from its own mean, in its own deviations (He et al. 2022, section 4)."""
    mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()


def as_they_were(drawn: Tensor, patches: Tensor) -> Tensor:
    """The inverse of :func:`within_themselves`: drawn patches with the mean and the deviation that ``patches`` have."""
    return drawn * (patches.var(-1, keepdim=True) + 1e-6).sqrt() + patches.mean(-1, keepdim=True)


def rebuilt(batch: Batch, patch: int, drawn: Tensor, spec: Spec) -> Tensor:
    """Each picture, with its hidden patches grey, and with those that were drawn: float32 [N, 3, 3, H, W] in [0, 1]."""
    assert spec.image is not None
    pixels = batch["pixels"].float()
    parts = [pixels, with_patches(batch, patch, torch.zeros_like(drawn)), with_patches(batch, patch, drawn)]
    return torch.stack([as_seen(part, spec.image) for part in parts], 1)


class PatchDecoder(nn.Module):
    """From the states of what is visible to the pixels of what is not.

    Args:
        width: of the states.
        inner: of its own vectors.
        patches: of a picture.
        patch: the side of one.
    """

    def __init__(self, width: int, inner: int, layers: int, patches: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.enter = nn.Linear(width, inner)
        self.hidden = nn.Parameter(torch.randn(inner) * 0.02)
        self.places = nn.Parameter(torch.randn(patches, inner) * 0.02)
        self.layers = PatchLayers(layers, inner)
        self.leave = nn.Linear(inner, 3 * patch * patch)

    def forward(self, states: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """From [N, 1 + K, D] to [N, M, patch * patch * 3]."""
        seen = self.enter(states)
        asked = (self.hidden + self.places[hidden]).to(seen.dtype)
        rows = torch.cat([seen[:, :1], seen[:, 1:] + self.places[visible].to(seen.dtype), asked], 1)
        return self.leave(self.layers(rows)[:, -hidden.shape[1] :])
