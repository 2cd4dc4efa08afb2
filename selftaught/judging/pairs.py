"""Zero-shot answers beside the probe of a verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from selftaught.judging.pictures import LabelledPictures
from selftaught.judging.verdict import PROBE
from selftaught.machine import pick_precision
from selftaught.metrics.efficiency import Point
from selftaught.pairs.model import PairModel
from selftaught.pairs.zero_shot import fitting_templates, zero_shot_scores, zero_shot_told


def zero_shot_of(run: Path, pictures: LabelledPictures, device: torch.device) -> dict[str, Any]:
    """How many test pictures get their label without one having been taught; the labels are all that there are."""
    model = PairModel.load(run, pick_precision(device)).to(device)
    every = {*pictures.train_labels, *pictures.test_labels}
    return zero_shot_scores(model, fitting_templates(run), pictures.test, pictures.test_labels, every)


def zero_shot_line(found: dict[str, Any], curve: Sequence[Point]) -> str:
    """What :func:`zero_shot_of` found, for the terminal, and how many labels a probe needs for as much."""
    probes = sorted((p for p in curve if p.method == PROBE), key=lambda p: p.total_labels)
    matched = next((p for p in probes if p.metric == "accuracy" and p.mean >= found["accuracy"]), None)
    worth = (
        f"a probe needs {matched.total_labels:,} labels for as much"
        if matched
        else "no probe at these budgets has as much"
    )
    return f"zero-shot     {zero_shot_told(found)}; {worth}"
