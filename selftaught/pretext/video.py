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


def moving_places(motion: Tensor, rng: Randomness, count: int, span: float = 1.0) -> Tensor:
    """Places of ``count`` frames of each window, in order and all different, int64 [B, count].

    They lie in a stretch of the window, drawn in proportion to how much moves in it (Misra et al. 2016, section 3.1),
    and part its motion evenly, not its time, but for a draw: where much happens they are close.

    Args:
        span: the stretch, as a share of the window; it has room for ``count`` frames at least.

    Raises:
        ValueError: if a window has fewer frames.
    """
    frames = motion.shape[1] + 1
    if not 1 < count <= frames:
        raise ValueError(f"{count} frames cannot be chosen of {frames}")
    length = min(max(round(span * frames), count), frames)
    steps = motion + motion.mean(1, keepdim=True) / 10 + 1e-9  # a little of the time: a still frame may be chosen too
    first = _drawn(steps.unfold(1, length - 1, 1).sum(-1), rng)  # [B], of the places where the stretch may begin
    within = steps.gather(1, first[:, None] + torch.arange(length - 1, device=motion.device))
    moved = torch.cat([torch.zeros_like(within[:, :1]), within.cumsum(1)], 1)
    shares = (torch.arange(count) + rng.uniform("places", count)).to(motion.device) / count
    places = torch.searchsorted(moved, shares * moved[:, -1:], right=True) - 1
    order = torch.arange(count, device=motion.device)
    places = (places - order).cummax(1).values + order  # each after the one before
    return torch.minimum(places, length - count + order) + first[:, None]


def _drawn(odds: Tensor, rng: Randomness) -> Tensor:
    """One of the columns of each row [B, K], in proportion to its number: int64 [B]."""
    edges = odds.cumsum(1)
    drawn = rng.uniform("stretch", 1).to(odds.device) * edges[:, -1:]
    return torch.searchsorted(edges, drawn, right=True).squeeze(1).clamp(max=odds.shape[1] - 1)


def moves(motion: Tensor) -> Tensor:
    """Whether anything moves in each window, bool [B]."""
    return motion.mean(1) > STILL


def orders(count: int) -> Tensor:
    """The orders of ``count`` frames, but for those that are another one backwards: int64 [count! / 2, count]."""
    return torch.tensor([order for order in permutations(range(count)) if order[0] < order[-1]])
