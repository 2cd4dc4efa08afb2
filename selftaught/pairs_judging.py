"""Zero-shot answers beside the probe of a verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught.judging import PROBE
from selftaught.machine import pick_precision
from selftaught.metrics.efficiency import Point
from selftaught.metrics.interval import bootstrap_interval
from selftaught.pairs.model import PairModel
from selftaught.pairs.zero_shot import ZeroShot, fitting_templates
from selftaught.picture_judging import LabelledPictures


def zero_shot_of(run: Path, pictures: LabelledPictures, device: torch.device) -> dict[str, Any]:
    """How many test pictures get their label without one having been taught, and by chance.

    The labels are all that the pictures have; they are written in small letters, as captions mostly are.
    """
    model = PairModel.load(run, pick_precision(device)).to(device)
    names = sorted(set(pictures.train_labels) | set(pictures.test_labels))
    asked = ZeroShot.of(model, [name.lower().replace("_", " ") for name in names], fitting_templates(run))
    place = {name: i for i, name in enumerate(asked.labels)}
    truth = np.array([place[label.lower().replace("_", " ").strip()] for label in pictures.test_labels])
    found = bootstrap_interval((asked.shares(pictures.test).argmax(1) == truth).astype(float))
    return {
        "accuracy": found.mean,
        "low": found.low,
        "high": found.high,
        "chance": 1 / len(asked.labels),
        "labels": len(asked.labels),
        "templates": list(asked.templates),
    }


def zero_shot_line(found: dict[str, Any], curve: Sequence[Point]) -> str:
    """What :func:`zero_shot_of` found, for the terminal."""
    probes = sorted((p for p in curve if p.method == PROBE), key=lambda p: p.total_labels)
    matched = next((p for p in probes if p.metric == "accuracy" and p.mean >= found["accuracy"]), None)
    worth = (
        f"a probe needs {matched.total_labels:,} labels for as much"
        if matched
        else "no probe at these budgets has as much"
    )
    times = found["accuracy"] / found["chance"]
    return (
        f"zero-shot     {found['accuracy']:.3f} [{found['low']:.3f}, {found['high']:.3f}] without one label, "
        f"{times:.1f} times the chance of {found['chance']:.3f}; {worth}"
    )
