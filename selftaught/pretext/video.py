"""Questions about clips as pure functions: one view of all frames, and frames chosen where something moves.

Frames are [B, T, 3, H, W], motion is [B, T - 1]; every draw is a clip's own (:mod:`selftaught.randomness`).
"""

from dataclasses import replace
from itertools import permutations

import torch
from torch import Tensor

from selftaught.objective import Batch, Spec
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import as_fractions, standardised
from selftaught.randomness import Randomness

STILL = 1e-4  # motion over a window, a step: below, there is nothing to be ordered


def one_view_of_clips(samples: Batch, spec: Spec, rng: Randomness, how: Views) -> Batch:
    """``frames`` float [B, T, 3, H, W]: all frames of a clip changed in one and the same way.

    Those of another objective that made views already are left as they are.
    """
    assert spec.image is not None
    frames = samples["frames"]
    if frames.dtype != torch.uint8:
        return samples
    return {"frames": standardised_frames(viewed(as_fractions(frames), rng, how), spec)}


def viewed(frames: Tensor, rng: Randomness, how: Views) -> Tensor:
    """Frames in [0, 1], those of a clip changed in one and the same way: a moving camera would be a question itself."""
    count = frames.shape[1]
    same = replace(rng, keys=rng.keys.repeat_interleave(count))
    return how(frames.flatten(0, 1), same).unflatten(0, (-1, count))


def standardised_frames(frames: Tensor, spec: Spec) -> Tensor:
    """See :func:`selftaught.pretext.pictures.standardised`."""
    assert spec.image is not None
    return standardised(frames.flatten(0, 1), spec.image).unflatten(0, frames.shape[:2])


def picked(frames: Tensor, places: Tensor) -> Tensor:
    """The frames at ``places`` int64 [B, K] of [B, T, ...]: [B, K, ...]."""
    return frames[torch.arange(len(frames), device=frames.device)[:, None], places.to(frames.device)]


def moving_places(motion: Tensor, rng: Randomness, count: int) -> Tensor:
    """Places of ``count`` frames of each window, in order and all different, int64 [B, count].

    They part the motion of the window evenly, not its time, but for a draw: where much happens they lie close, and
    while nothing moves there is none (Misra et al. 2016, section 3.1, choose windows of high motion for the same end).
    """
    frames = motion.shape[1] + 1
    if not 1 < count <= frames:
        raise ValueError(f"{count} frames cannot be chosen of {frames}")
    steps = motion + motion.mean(1, keepdim=True) / 10 + 1e-9  # a little of the time: a still frame may be chosen too
    moved = torch.cat([torch.zeros_like(steps[:, :1]), steps.cumsum(1)], 1)
    shares = (torch.arange(count) + rng.uniform("places", count).to(motion.device)) / count
    places = torch.searchsorted(moved, shares * moved[:, -1:], right=True) - 1
    order = torch.arange(count, device=motion.device)
    places = (places - order).cummax(1).values + order  # each after the one before
    return torch.minimum(places, frames - count + order)


def moves(motion: Tensor) -> Tensor:
    """Whether anything moves in each window, bool [B]."""
    return motion.mean(1) > STILL


def orders(count: int) -> Tensor:
    """The orders of ``count`` frames, but for those that are another one backwards: int64 [count! / 2, count]."""
    return torch.tensor([order for order in permutations(range(count)) if order[0] < order[-1]])
