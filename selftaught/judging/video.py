"""The judgement behind ``selftaught verdict`` on clips: features beside one frame alone, pixels and the untrained."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from selftaught.data.video_source import open_videos
from selftaught.data.video_store import VideoStore, clip_digests, prepare_videos
from selftaught.judging.draws import Draw, Drawing
from selftaught.judging.seen import KNN, MAJORITY, UNTRAINED_KNN, SeenJudge, set_aside_notes
from selftaught.judging.verdict import PROBE, UNTRAINED_PROBE, Verdict
from selftaught.metrics.sampling import split_train_test
from selftaught.pictures.teaching import require_classes
from selftaught.video.baselines import frame_differences, middle_pixels
from selftaught.video.classifying import ClassifyClips
from selftaught.video.lessons import finetune_clips_quickly
from selftaught.video.model import VideoModel

APPEARANCE = "one frame probe"  # of the pretrained network: what can be told without motion
DIFFERENCES_PROBE, DIFFERENCES_KNN = "frame differences probe", "frame differences kNN"
PIXELS = "one frame's pixels probe"
BASELINES = (DIFFERENCES_PROBE, DIFFERENCES_KNN, APPEARANCE, PIXELS, MAJORITY)


@dataclass(frozen=True)
class LabelledClipSet:
    """Clips to learn from and to be tested on.

    Args:
        train, test: the clips of the stores that are learned from, and tested on, int64.
        notes: what was set aside.
    """

    learn: VideoStore
    held: VideoStore
    train: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...]

    @property
    def train_labels(self) -> list[str]:
        return [self.learn.labels[i] for i in self.train]

    @property
    def test_labels(self) -> list[str]:
        return [self.held.labels[i] for i in self.test]


def read_labelled_clips(
    data: str, test: str | None, folder: Path, model: VideoModel, seed: int, *, label: str | None
) -> LabelledClipSet:
    """Labelled clips as a network is given them; a fifth is the test where none is given.

    Raises:
        SelftaughtError: if places name no labels, or only one.
    """
    learn = _labelled(data, folder / "learn", model, label)
    held = learn if test is None else _labelled(test, folder / "test", model, label)
    sides = (np.arange(len(learn)), np.arange(len(held)))
    if test is None:
        same = [hashlib.sha256(learn.clip(i).tobytes()).hexdigest() for i in range(len(learn))]
        sides = split_train_test(same, learn.labels, 0.2, seed)
    notes = set_aside_notes({data: learn, test or data: held}, ClipJudge.kind)
    return LabelledClipSet(learn, held, *sides, notes)


def _labelled(data: str, folder: Path, model: VideoModel, label: str | None) -> VideoStore:
    side, rate = model.picture.spec.resolution, model.spec.rate
    store = prepare_videos(open_videos(data, label=label), folder, resolution=side, rate=rate, seed=0)
    require_classes(store.labels, len(set(store.labels)), store, ClipJudge.kind)
    return store


@dataclass
class ClipJudge(SeenJudge):
    """Of clips."""

    kind: ClassVar[str] = "clips"
    baselines: ClassVar[tuple[str, ...]] = BASELINES

    model: VideoModel = field(kw_only=True)
    clips: LabelledClipSet = field(kw_only=True)

    @property
    def train_labels(self) -> list[str]:
        return self.clips.train_labels

    @property
    def test_labels(self) -> list[str]:
        return self.clips.test_labels

    def by_pixels(self, draws: list[Draw]) -> None:
        self.tell("pixels      how they change, and those of one frame")
        changes = partial(frame_differences, frames=self.model.spec.frames)
        self.judge(draws, *self._both(changes), DIFFERENCES_PROBE, DIFFERENCES_KNN)
        self.judge(draws, *self._both(middle_pixels), PIXELS)

    def by_features(self, draws: list[Draw], untrained: int | None) -> None:
        if untrained is None:
            self.judge(draws, *self._both(self.model.features), PROBE, KNN)
            self.judge(draws, *self._both(self.model.appearances), APPEARANCE)
        else:
            features = self._both(self.model.untrained(untrained).features)
            self.judge(draws, *features, UNTRAINED_PROBE, UNTRAINED_KNN)

    def finetuned(self, draw: Draw, *, trained: bool) -> list[str]:
        own = self.model.picture.backbone
        model = self.model.untrained(draw.seed)
        if trained:
            model.picture.backbone.load_state_dict(own.state_dict())
        model.picture.backbone.to(next(own.parameters()).device)
        task = ClassifyClips.of(self.known(draw), several=False)  # as for the other methods
        rows = self.clips.train[draw.rows]
        found = finetune_clips_quickly(model, task, self.clips.learn, rows, seed=draw.seed, trained=trained)
        return [answer["label"] for answer in found.answers(self.clips.held, self.clips.test)]

    def _both(self, features: Callable[[VideoStore, np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return features(self.clips.learn, self.clips.train), features(self.clips.held, self.clips.test)


def judge_clips(
    model: VideoModel,
    clips: LabelledClipSet,
    seen: Path | None,
    *,
    drawing: Drawing,
    finetune: bool,
    tell: Callable[[str], None],
) -> tuple[Verdict, ClipJudge]:
    """Judge a network on labelled clips. The same rows, budgets and seeds serve every method.

    Args:
        seen: the folder of the clips it was pretrained on; None where that is not at hand.
        finetune: whether to fine-tune the network, pretrained and untrained, as well.
    """
    tell(f"labels      {clips.learn.description}: {len(clips.train)} to learn from, {len(clips.test)} to be tested on")
    overlap = _overlap(clips, seen)
    judge = ClipJudge(drawing, tell, model=model, clips=clips)
    found = judge.run(finetune=finetune)
    files = None if overlap is None else tuple(clips.held.files[i] for i in overlap)
    return replace(found, overlap=files, notes=clips.notes), judge


def _overlap(clips: LabelledClipSet, seen: Path | None) -> list[int] | None:
    """The test clips whose pixels one of the pretraining's has; None where that cannot be told."""
    known = clip_digests(seen) if seen else None
    held = clips.held
    if known is None or (held.resolution, held.rate) != known[:2]:
        return None
    return [int(i) for i in clips.test if hashlib.sha256(held.clip(int(i)).tobytes()).digest() in known[2]]
