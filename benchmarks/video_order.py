"""Does the order of frames teach what moves? Frozen features tell motions apart, beside those of one frame alone.

    python -m benchmarks.video_order --data FOLDER [--objective frame_order] [--steps 400] [--seeds 5]

FOLDER has a subfolder for each motion, and in it clips named COLOUR_SHAPE_NUMBER. Those of some pairs of colour and
shape are the test, so that no test clip looks like one that was trained on, each shape and each colour once; other
pairs with each seed. Both pretraining and probes see the other clips only. The last line is JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught import lookup
from selftaught.backbones.presets import PICTURE_SIZES
from selftaught.backbones.video import VIDEO, VideoBackbone
from selftaught.backbones.vision import new_picture_backbone
from selftaught.data.loader import Batches
from selftaught.data.video_source import open_videos
from selftaught.data.video_store import Clips, VideoStore, prepare_videos
from selftaught.loop import Learner, evaluate, train
from selftaught.machine import pick_precision
from selftaught.metrics.probe import fit_probe
from selftaught.objective import Objective, PictureSpec, Spec, VideoSpec
from selftaught.optim import adamw
from selftaught.pictures.model import PictureModel
from selftaught.randomness import derive
from selftaught.schedule import Schedule
from selftaught.video.baselines import frame_differences
from selftaught.video.model import VideoModel

FRAMES, QUESTIONS = 16, 512  # of a window; about held-out clips


def looks(files: Sequence[str]) -> list[tuple[str, str]]:
    """Colour and shape of each clip."""
    parts = [Path(file).stem.rsplit("_", 2) for file in files]  # a colour may have two words
    return [(colour, shape) for colour, shape, _ in parts]


def split(store: VideoStore, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The clips to learn from, and those that look otherwise, int64 each."""
    seen = looks(store.files)
    colours, shapes = (sorted({look[i] for look in seen}) for i in (0, 1))
    orders = list(permutations(range(len(shapes))))
    order = orders[np.random.default_rng(0).permutation(len(orders))[seed % len(orders)]]
    held = {(colour, shapes[order[i]]) for i, colour in enumerate(colours)}
    test = np.array([look in held for look in seen])
    return np.flatnonzero(~test), np.flatnonzero(test)


def accuracy(known: np.ndarray, labels: list[str], asked: np.ndarray, truth: list[str]) -> float:
    """Of a linear probe; its one option is chosen by cross-validation on ``known``."""
    return float(np.mean(np.array(fit_probe(known, labels, 0).predict(asked)) == np.array(truth)))


def one_seed(store: VideoStore, objective: Objective, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured with one split."""
    learn, test = split(store, seed)
    labels, truth = [store.labels[i] for i in learn], [store.labels[i] for i in test]
    frames = np.concatenate([store.clip(i) for i in learn]).astype(np.float32) / 255
    torch.manual_seed(derive("weights", seed))
    picture = new_picture_backbone(PICTURE_SIZES[args.size], store.resolution)
    spec = Spec(
        image=PictureSpec(
            store.resolution,
            picture.patch if picture.reads_patches else None,
            torch.from_numpy(frames.mean((0, 2, 3))),
            torch.from_numpy(frames.std((0, 2, 3))),
        ),
        video=VideoSpec(FRAMES, store.rate),
    )
    assert spec.image is not None
    assert spec.video is not None
    precision = pick_precision(torch.device("cpu"))
    learner = Learner({VIDEO: VideoBackbone(picture)}, objective, spec, precision)
    model = VideoModel(PictureModel(picture, spec.image, precision), spec.video)
    untrained = model.untrained(seed)
    batches = Batches(Clips.of(store, learn, FRAMES, seed), objective, spec, args.batch, seed)
    began, losses = time.perf_counter(), []
    for report in train(learner, batches.starting, adamw(learner, args.rate), Schedule(steps=args.steps), seed=seed):
        losses.append(report.loss)
    took = time.perf_counter() - began
    asked = Batches(Clips.of(store, test, FRAMES, seed), objective, spec, 32, seed)
    answered = evaluate(learner, (asked.at(first) for first in range(0, QUESTIONS, 32)))

    def probe(who: VideoModel, of: str) -> float:
        return accuracy(getattr(who, of)(store, learn), labels, getattr(who, of)(store, test), truth)

    differences = [frame_differences(store, rows, FRAMES) for rows in (learn, test)]
    return {
        "order": answered,
        "loss": float(np.mean(losses[-20:])),
        "clips_a_second": args.steps * args.batch / took,
        "clip_features": probe(model, "features"),
        "single_frame": probe(model, "appearances"),
        "untrained_clip_features": probe(untrained, "features"),
        "untrained_single_frame": probe(untrained, "appearances"),
        "pixel_differences": accuracy(differences[0], labels, differences[1], truth),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--objective", default="frame_order")
    parser.add_argument("--set", action="append", default=[], help="an option of the objective, as NAME=VALUE")
    parser.add_argument("--size", default="conv-tiny")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    args = parser.parse_args()
    objective = lookup.make(args.objective, lookup.OBJECTIVES, dict(one.split("=", 1) for one in args.set), ())
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    with tempfile.TemporaryDirectory() as folder:
        source = open_videos(args.data)
        store = prepare_videos(source, Path(folder), resolution=args.resolution, rate=8.0, seed=0)
        found = []
        for seed in seeds:
            found.append(one_seed(store, objective, seed, args))
            print(json.dumps({"seed": seed, **found[-1]}), flush=True)
    names = [name for name in found[0] if isinstance(found[0][name], float)]
    means = {name: float(np.mean([one[name] for one in found])) for name in names}
    ahead = [one["clip_features"] - one["single_frame"] for one in found]
    print(
        json.dumps(
            {
                "name": "video_order",
                "objective": args.objective,
                "unit": "accuracy",
                **means,
                "order_accuracy": float(np.mean([one["order"]["accuracy"] for one in found])),
                "points_above_single_frame": 100 * float(np.mean(ahead)),
                "least_points": 100 * min(ahead),
                "seeds": len(found),
                "chance": 1 / len(set(store.labels)),
                "settings": {name: getattr(args, name) for name in ("size", "resolution", "steps", "batch", "rate")},
            }
        )
    )


if __name__ == "__main__":
    main()
