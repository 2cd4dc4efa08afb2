"""Which frames of a clip are looked at, and which of their patches."""

import torch
from torch import Tensor

from selftaught.objective import Batch, Spec
from selftaught.pretext.pictures import as_fractions
from selftaught.pretext.video import standardised_frames
from selftaught.randomness import Randomness


def spread(there: int, count: int, rng: Randomness, apart: int | None = None) -> Tensor:
    """Places of ``count`` frames of a window of ``there``, equally far apart, int64 [B, count].

    Where they begin is drawn, if there is room.

    Args:
        apart: from frame to frame; as far as the window allows, if not given.

    Raises:
        ValueError: if the window has too few.
    """
    apart = apart or max(1, (there - 1) // max(1, count - 1))
    span = (count - 1) * apart + 1
    if span > there:
        raise ValueError(f"{count} frames, {apart} apart, are more than the {there} of a window")
    return rng.integers("beginning", there - span + 1)[:, None] + apart * torch.arange(count)


def mirrored(samples: Batch, spec: Spec, rng: Randomness, flip: float) -> Batch:
    """``frames`` float [B, T, 3, S, S], mirrored with this probability: all that may change where borders are walls."""
    frames, turned = as_fractions(samples["frames"]), rng.uniform("flip") < flip
    frames = torch.where(turned.to(frames.device).view(-1, 1, 1, 1, 1), frames.flip(-1), frames)
    return {"frames": standardised_frames(frames, spec)}


def tubes(patches: int, rate: float, rng: Randomness) -> tuple[Tensor, Tensor]:
    """Which patches are visible, and which hidden, in all frames of a clip: int64 [B, K] and [B, P - K], ascending."""
    order = rng.uniform("hidden", patches).argsort(1)
    kept = patches - min(max(round(rate * patches), 1), patches - 1)
    return order[:, :kept].sort(1).values, order[:, kept:].sort(1).values


def tall(batch: Batch, patch: int) -> Batch:
    """Clips as tall pictures, one frame below the other: ``pixels`` [B, 3, F * S, S], and the patches that are meant.

    ``visible`` [B, F * K] and ``hidden`` [B, F * M] number the patches of such a picture.
    """
    frames = batch["frames"]
    count, length, _, side, _ = frames.shape
    begin = (side // patch) ** 2 * torch.arange(length, device=frames.device)[:, None]
    numbers = {name: (batch[name][:, None] + begin).flatten(1) for name in ("visible", "hidden")}
    return {"pixels": frames.transpose(1, 2).reshape(count, 3, length * side, side), **numbers}
