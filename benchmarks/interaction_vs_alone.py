"""Does it help to hear the others? The objective ``interaction`` beside its control, on bouncing balls.

What is told changes neither the slots nor the network below, so one run can hold both: the same slots, learned once,
and two networks of one form and size that tell their next states, one of which hears itself in place of the others.
Judged are places in pixels: a linear map from a slot to the centre of its ball, fitted on slots that were seen (of half
of the test clips), is put on the slots that were told (of the other half), and its distance to where the ball truly was
is the error. A slot's ball is the one whose disc its drawing covers best in the frames that were seen. On clips whose
balls pass through each other both should be as good.

    python -m benchmarks.interaction_vs_alone --steps 1500 --seeds 3
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
from torch import Tensor, nn

from selftaught.backbones.presets import PatchSize
from selftaught.backbones.slots import SlotMotion
from selftaught.backbones.video import VIDEO, VideoBackbone
from selftaught.backbones.vision import new_picture_backbone
from selftaught.data.balls import BallClips, Balls, ball_clips
from selftaught.data.loader import Batches
from selftaught.loop import Learner, train
from selftaught.metrics.interval import paired_difference, t_interval
from selftaught.objective import Batch, PictureSpec, Spec, Sums, VideoSpec
from selftaught.objectives.interaction import Interaction, slots_of
from selftaught.optim import adamw
from selftaught.pretext.image import joined_patches
from selftaught.pretext.pictures import as_fractions
from selftaught.pretext.video import standardised_frames
from selftaught.schedule import Schedule

SIDE = 16  # pixels
TRAINED, TESTED = 2_000, 400  # clips
NETWORK = PatchSize(layers=1, width=64, head_width=32)
BATCH = 32


@dataclass(frozen=True)
class Drawn:
    """Clips of balls, as the loader takes them."""

    clips: BallClips

    def __len__(self) -> int:
        return len(self.clips.pixels)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        frames = torch.from_numpy(self.clips.pixels[indices])
        return {"frames": frames, "motion": torch.ones(len(frames), frames.shape[1] - 1)}


@dataclass(frozen=True)
class Both(Interaction):
    """The objective and its control on the same slots."""

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        parts = super().heads(backbones, spec)
        parts.add_module("alone", SlotMotion(self.size, self.past, 2 * self.inner, interaction=False))
        return parts

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        hearing = super().loss(features, heads, batch)
        alone = super().loss(features, of_arm(heads, "alone"), batch)
        return {**hearing, "alone": alone["place"], "loss": hearing["loss"] + alone["loss"]}


def of_arm(heads: Any, arm: str) -> nn.ModuleDict:
    """The heads with the network that tells the next states in this arm."""
    motion = heads["alone" if arm == "alone" else "motion"]
    return nn.ModuleDict({"attention": heads["attention"], "decoder": heads["decoder"], "motion": motion})


def specification(clips: BallClips) -> Spec:
    some = clips.pixels[:200].astype(np.float32) / 255
    mean, deviation = (torch.from_numpy(part((0, 1, 3, 4))) for part in (some.mean, some.std))
    return Spec(image=PictureSpec(SIDE, NETWORK.patch, mean, deviation), video=VideoSpec(clips.pixels.shape[1], 8.0))


def learned(objective: Interaction, clips: BallClips, seed: int, steps: int, rate: float) -> tuple[Learner, Spec]:
    """The objective after so many steps."""
    torch.manual_seed(seed)
    spec = specification(clips)
    learner = Learner({VIDEO: VideoBackbone(new_picture_backbone(NETWORK, SIDE))}, objective, spec)
    batches = Batches(Drawn(clips), objective, spec, BATCH, seed)
    reports = train(learner, batches.starting, adamw(learner, rate), Schedule(steps=steps), seed=seed)
    for report in reports:
        if report.progress.step % max(1, steps // 5) == 0:
            told = ", ".join(f"{name} {value:.4f}" for name, value in report.measures.items())
            print(f"  step {report.progress.step}, {report.progress.seconds:.0f} s: {told}", file=sys.stderr)
    return learner.eval(), spec


@torch.no_grad()
def errors(learner: Learner, arm: str, spec: Spec, clips: BallClips, ahead: int) -> dict[str, Any]:
    """Of the places that are told, in pixels, by frames ahead: of balls that met another since, and of the others."""
    objective = learner.objective
    assert isinstance(objective, Interaction)
    past = objective.past
    length = past + ahead
    frames = standardised_frames(as_fractions(torch.from_numpy(clips.pixels[:, :length])), spec)
    heads = of_arm(learner.heads, arm)
    slots = slots_of(learner.backbones[VIDEO]({"frames": frames}), heads)
    told = replace(objective, horizon=ahead).told(slots, heads)
    _, whose = heads["decoder"](slots)  # [N, T, K, P, pixels]
    own, overlap = balls_of(whose[:, :past], clips, past)
    places, half = torch.from_numpy(clips.places[:, :length]), len(frames) // 2
    seen, guessed = (of_balls(torch.cat(part, -1), own) for part in (slots, told))
    read = linear(seen[:half].flatten(0, 2), places[:half].flatten(0, 2))
    truth = places[half:]
    error = (read(guessed[half:]) - truth[:, past:]).norm(dim=-1)  # [N, ahead, balls]
    met = torch.from_numpy(clips.met)[half:, past:length].cumsum(1) > 0
    last, step = truth[:, past - 1, None], (truth[:, past - 1] - truth[:, past - 2])[:, None]
    line = last + step * torch.arange(1, ahead + 1)[:, None, None]
    return {
        "overlap": float(overlap),
        "seen": float((read(seen[half:]) - truth).norm(dim=-1).mean()),
        "all": error.mean((0, 2)).tolist(),
        "met": [float(error[:, step][met[:, step]].mean()) for step in range(ahead)],
        "free": [float(error[:, step][~met[:, step]].mean()) for step in range(ahead)],
        "straight": (line - truth[:, past:]).norm(dim=-1).mean((0, 2)).tolist(),
    }


def balls_of(whose: Tensor, clips: BallClips, past: int) -> tuple[Tensor, Tensor]:
    """Which slot is each ball's, int64 [N, balls], and how well it covers it: intersection over union, on average."""
    count, _, slots = whose.shape[:3]
    covers = joined_patches(whose.flatten(0, 2), NETWORK.patch).view(count, past, slots, SIDE, SIDE)
    middles = torch.arange(SIDE) + 0.5
    x, y = (torch.from_numpy(clips.places[:, :past, :, axis, None, None]) for axis in (0, 1))
    near = (middles - x).square() + (middles[:, None] - y).square()
    discs = (near <= torch.from_numpy(clips.radii)[:, None, :, None, None] ** 2).float()
    both = torch.einsum("ntkhw,ntjhw->nkj", covers, discs)
    shares = both / (covers.sum((1, 3, 4))[:, :, None] + discs.sum((1, 3, 4))[:, None] - both)
    own = torch.stack([torch.from_numpy(linear_sum_assignment(-share.T.numpy())[1]) for share in shares])
    return own, shares.gather(1, own[:, None]).mean()


def of_balls(states: Tensor, own: Tensor) -> Tensor:
    """The states [N, T, K, E] of the slots that hold the balls: [N, T, balls, E]."""
    return states.gather(2, own[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[-1]))


def linear(states: Tensor, places: Tensor) -> Any:
    """The linear map from states [N, E] to places [N, 2] of least squares, a little towards 0."""
    given = torch.cat([states, torch.ones(len(states), 1)], 1).double()
    weights = torch.linalg.solve(given.T @ given + 1e-2 * torch.eye(given.shape[1]), given.T @ places.double()).float()
    return lambda asked: asked @ weights[:-1] + weights[-1]


def compared(seeds: list[dict[str, Any]], kind: str, step: int) -> dict[str, Any]:
    """Errors of both arms and their difference, seed by seed; above 0 where hearing the others helps."""
    alone, hearing = ([one[arm][kind][step] for one in seeds] for arm in ("alone", "interaction"))
    told = paired_difference(alone, hearing)
    return {
        "frames_ahead": step + 1,
        "interaction": t_interval(hearing).mean,
        "alone": t_interval(alone).mean,
        "difference": {"mean": told.mean, "low": told.low, "high": told.high, "seeds": told.n},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--ahead", type=int, default=6, help="frames that are told when it is judged")
    parser.add_argument("--forms", nargs="*", default=["balls", "balls-apart"])
    asked = parser.parse_args()
    result: dict[str, Any] = {"name": "interaction_vs_alone", "unit": "pixels", "side": SIDE, "steps": asked.steps}
    for form in asked.forms:
        how = Balls(meet=form == "balls", side=SIDE)
        tested, rows = ball_clips(TESTED, 1_000_000, how), []
        for seed in range(asked.first, asked.first + asked.seeds):
            clips, began = ball_clips(TRAINED, seed, how), time.perf_counter()
            print(f"{form}, seed {seed}", file=sys.stderr)
            learner, spec = learned(Both(), clips, seed, asked.steps, asked.rate)
            row = {arm: errors(learner, arm, spec, tested, asked.ahead) for arm in ("interaction", "alone")}
            print(f"  {json.dumps(row)}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            rows.append(row)
        kinds = ("all", "met", "free")
        result[form] = {kind: [compared(rows, kind, step) for step in range(asked.ahead)] for kind in kinds}
        result[form]["seeds"] = rows
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
