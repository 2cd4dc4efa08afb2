"""``selftaught evaluate`` on clips: what a run was taught, or what its own objective asks, on others."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught.backbones.video import VIDEO, VideoBackbone
from selftaught.data.loader import Batches
from selftaught.data.tally import shown_record
from selftaught.data.video_source import open_videos
from selftaught.data.video_store import Clips, VideoStore, prepare_videos
from selftaught.errors import SelftaughtError
from selftaught.facts import shown
from selftaught.loop import Learner, evaluate
from selftaught.metrics.spread import effective_rank
from selftaught.pictures.evaluating import own_objective, restore_heads
from selftaught.run.folder import Run
from selftaught.video.classifying import ClipClassifier
from selftaught.video.model import VideoModel

_ASKED, _TIMES = 512, 8  # questions that an objective asks, and how often it asks about one window
_MOST = 1_000  # clips whose features are looked at


def evaluate_videos(
    run: str, data: str, label: str | None, folder: Path, device: torch.device, precision: str
) -> tuple[dict[str, Any], list[str]]:
    """The report and the lines for people.

    Args:
        folder: where the clips are decoded to.
    """
    model = VideoModel.load(run, precision)
    model.picture.backbone.to(device)
    source = open_videos(data, label=label)
    side, rate = model.picture.spec.resolution, model.spec.rate
    store = prepare_videos(source, folder, resolution=side, rate=rate, seed=0)
    lines = [
        f"data        {store.description}",
        f"clips       {store.tally['rows']:,} in = {store.tally['kept']:,} kept + "
        f"{store.tally['quarantined_rows']:,} quarantined",
        *(f"            {shown_record(one)}" for one in store.tally["quarantined"][:3]),
    ]
    report: dict[str, Any] = {"verb": "evaluate", "rows": store.tally, "notes": []}
    classifier = ClipClassifier.load(run, precision)
    if classifier is not None:
        return report | _of_classes(classifier.to(device), store), lines
    return report | _of_objective(run, model, store), lines


def _of_classes(classifier: ClipClassifier, store: VideoStore) -> dict[str, Any]:
    rows = np.flatnonzero([bool(label) for label in store.labels])
    labels = [store.labels[i] for i in rows]
    if not labels:
        raise SelftaughtError("these clips have no labels", where=store.description, do="give labelled ones")
    decision = classifier.task.decision
    if unknown := decision.unknown(labels):
        raise SelftaughtError(
            f"the data has labels that the model does not know: {shown(unknown, 5)}",
            where=store.description,
            do="the model's classes are in its README.md",
        )
    said = classifier.answers(store, rows)
    return {
        "task": "classify",
        "measures": decision.measure(labels, said),
        "classes": decision.by_class(labels, said),
        "unlabelled": len(store.labels) - len(labels),
    }


def _of_objective(place: str, model: VideoModel, store: VideoStore) -> dict[str, Any]:
    """The loss of a run's own objective, and how many directions the features of the clips use."""
    recipe, objective = own_objective(Run(Path(place)))
    if objective.stream.partition(".")[0] != VIDEO:
        raise SelftaughtError(
            f"{objective.name} asks about pictures, and these are videos", where=place, do="give pictures"
        )
    learner = Learner({VIDEO: VideoBackbone(model.picture.backbone)}, objective, model.whole, model.picture.precision)
    restore_heads(learner, Run(Path(place)))
    learner.to(next(model.picture.backbone.parameters()).device)
    clips = Clips.of(store, np.arange(len(store)), model.spec.frames, seed=0)
    size = min(recipe.train.batch or len(clips), len(clips))
    batches = Batches(clips, objective, model.whole, size, seed=0)
    found = evaluate(learner, (batches.at(i) for i in range(0, min(_ASKED, _TIMES * len(clips)), size)))
    features = model.features(store, np.arange(min(len(store), _MOST)))
    return {"objective": objective.name, "measures": {**found, "rank": effective_rank(features)}}
