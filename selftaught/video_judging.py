"""The judgement behind ``selftaught verdict`` on clips: features beside one frame alone, pixels and the untrained."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from selftaught.data.video_source import open_videos
from selftaught.data.video_store import VideoStore, clip_digests, prepare_videos
from selftaught.errors import SelftaughtError
from selftaught.judging import (
    CONTROL,
    FINETUNED,
    PROBE,
    UNTRAINED_FINETUNED,
    UNTRAINED_PROBE,
    Draw,
    Verdict,
    better,
    few_label_draws,
)
from selftaught.metrics.efficiency import Point, labels_saved, verdict_sentence
from selftaught.metrics.knn import knn_predict
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.sampling import split_train_test
from selftaught.metrics.scores import classification_scores
from selftaught.randomness import derive
from selftaught.video.baselines import frame_differences, middle_pixels
from selftaught.video.classifying import ClassifyClips
from selftaught.video.lessons import finetune_clips_quickly
from selftaught.video.model import VideoModel

KNN, UNTRAINED_KNN = "pretrained kNN", "untrained kNN"
APPEARANCE = "one frame probe"  # of the pretrained network: what can be told without motion
DIFFERENCES_PROBE, DIFFERENCES_KNN = "frame differences probe", "frame differences kNN"
PIXELS, MAJORITY = "one frame's pixels probe", "majority class"
BASELINES = (DIFFERENCES_PROBE, DIFFERENCES_KNN, APPEARANCE, PIXELS, MAJORITY)
_METRIC = "accuracy"


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
    notes = [
        f"{what}: {store.tally['kept']} clips kept, {store.tally['quarantined_rows']} quarantined"
        for what, store in {data: learn, test or data: held}.items()
        if store.tally["quarantined_rows"]
    ]
    return LabelledClipSet(learn, held, *sides, tuple(notes))


def _labelled(data: str, folder: Path, model: VideoModel, label: str | None) -> VideoStore:
    side, rate = model.picture.spec.resolution, model.spec.rate
    store = prepare_videos(open_videos(data, label=label), folder, resolution=side, rate=rate, seed=0)
    if len(set(store.labels)) < 2:
        raise SelftaughtError(
            "these clips have no labels" if not any(store.labels) else "all these clips have one label",
            where=store.description,
            do="put the clips of each class into a folder of its name, or give a table of paths and labels",
        )
    return store


@dataclass
class ClipJudge:
    """Scores every method at every budget with every seed.

    Args:
        budgets: labels a class; None for all.
        seeds: how many draws of labels, and untrained networks.
        tell: hears what is being done.
    """

    model: VideoModel
    clips: LabelledClipSet
    budgets: Sequence[int | None]
    seeds: int
    seed: int
    tell: Callable[[str], None]
    drawn: dict[str, list[list[int]]] = field(default_factory=dict)
    _scores: dict[tuple[str, int | None], list[float]] = field(default_factory=dict)
    _sizes: dict[int | None, int] = field(default_factory=dict)

    def run(self, *, finetune: bool) -> None:
        """Score everything; ``finetune`` adds the fine-tuned networks, which take longer than all the rest."""
        draws, frames = self._draws(), self.model.spec.frames
        self.tell("pixels      how they change, and those of one frame")
        for draw in draws:
            names, counts = np.unique(self._known(draw), return_counts=True)
            self._add(MAJORITY, draw, [str(names[counts.argmax()])] * len(self.clips.test))
        self._judge(
            draws, lambda store, rows: frame_differences(store, rows, frames), DIFFERENCES_PROBE, DIFFERENCES_KNN
        )
        self._judge(draws, middle_pixels, PIXELS)
        self.tell(f"features    of {len(self.clips.train) + len(self.clips.test):,} clips, trained and untrained")
        self._judge(draws, self.model.features, PROBE, KNN)
        self._judge(draws, self.model.appearances, APPEARANCE)
        for seed in self._seeds():
            same, untrained = [draw for draw in draws if draw.seed == seed], self.model.untrained(seed)
            self._judge(same, untrained.features, UNTRAINED_PROBE, UNTRAINED_KNN)
        for number, draw in enumerate(draws if finetune else []):
            self.tell(f"fine-tuning {number + 1} of {len(draws)}, {len(draw.rows):,} clips, pretrained and untrained")
            for method in (FINETUNED, UNTRAINED_FINETUNED):
                self._add(method, draw, self._finetuned(draw, trained=method == FINETUNED))

    def curve(self) -> list[Point]:
        """The accuracies."""
        return [Point(b, self._sizes[b], method, _METRIC, tuple(s)) for (method, b), s in self._scores.items()]

    def _finetuned(self, draw: Draw, *, trained: bool) -> list[str]:
        """What the network says of the test clips after fine-tuning, begun from its weights or from others."""
        own = self.model.picture.backbone
        model = self.model.untrained(draw.seed)
        if trained:
            model.picture.backbone.load_state_dict(own.state_dict())
        model.picture.backbone.to(next(own.parameters()).device)
        task = ClassifyClips.of(self._known(draw), several=False)  # as for the other methods
        rows = self.clips.train[draw.rows]
        found = finetune_clips_quickly(model, task, self.clips.learn, rows, seed=draw.seed, trained=trained)
        return [answer["label"] for answer in found.answers(self.clips.held, self.clips.test)]

    def _seeds(self) -> list[int]:
        return [derive("verdict", self.seed, i) % 2**31 for i in range(self.seeds)]

    def _draws(self) -> list[Draw]:
        draws = few_label_draws(self.clips.train_labels, self.budgets, self._seeds())
        for draw in draws:
            self._sizes[draw.budget] = len(draw.rows)
            self.drawn.setdefault(str(draw.budget or "all"), []).append(draw.rows)
        return draws

    def _known(self, draw: Draw) -> list[str]:
        labels = self.clips.train_labels
        return [labels[i] for i in draw.rows]

    def _judge(
        self, draws: list[Draw], features: Callable[[VideoStore, np.ndarray], np.ndarray], probe: str, knn: str = ""
    ) -> None:
        """A linear probe, and kNN, on some features; with all labels, the draws are one and the same."""
        train, test = features(self.clips.learn, self.clips.train), features(self.clips.held, self.clips.test)
        known: dict[tuple[str, tuple[int, ...]], list[str]] = {}
        for draw in draws:
            for method in (probe, knn) if knn else (probe,):
                key = (method, tuple(draw.rows))
                if key not in known:
                    some, labels = train[draw.rows], self._known(draw)
                    is_probe = method == probe
                    known[key] = (
                        fit_probe(some, labels, draw.seed).predict(test)
                        if is_probe
                        else knn_predict(some, labels, test)
                    )
                self._add(method, draw, known[key])

    def _add(self, method: str, draw: Draw, said: list[str]) -> None:
        score = classification_scores(self.clips.test_labels, said)[_METRIC]
        self._scores.setdefault((method, draw.budget), []).append(score)


def judge_clips(
    model: VideoModel,
    clips: LabelledClipSet,
    seen: Path | None,
    *,
    budgets: Sequence[int | None],
    seeds: int,
    seed: int,
    finetune: bool,
    tell: Callable[[str], None],
) -> tuple[Verdict, ClipJudge]:
    """Judge a network on labelled clips. The same rows, budgets and seeds serve every method.

    Args:
        seen: the folder of the clips it was pretrained on; None where that is not at hand.
        finetune: whether to fine-tune the network, pretrained and untrained, as well.
    """
    began = time.perf_counter()
    tell(f"labels      {clips.learn.description}: {len(clips.train)} to learn from, {len(clips.test)} to be tested on")
    overlap = _overlap(clips, seen)
    judge = ClipJudge(model, clips, budgets, seeds, seed, tell)
    judge.run(finetune=finetune)
    points = judge.curve()
    ours = better([PROBE] + [FINETUNED] * finetune, points)
    helped, sentence = verdict_sentence(points, ours, BASELINES, CONTROL[ours])
    return Verdict(
        task="classify",
        curve=tuple(points),
        metric=_METRIC,
        helped=helped,
        sentence=sentence,
        saved=labels_saved(points, ours, [*BASELINES, CONTROL[ours]]),
        overlap=None if overlap is None else tuple(clips.held.files[i] for i in overlap),
        notes=clips.notes,
        seconds=time.perf_counter() - began,
    ), judge


def _overlap(clips: LabelledClipSet, seen: Path | None) -> list[int] | None:
    """The test clips whose pixels one of the pretraining's has; None where that cannot be told."""
    known = clip_digests(seen) if seen else None
    held = clips.held
    if known is None or (held.resolution, held.rate) != known[:2]:
        return None
    return [int(i) for i in clips.test if hashlib.sha256(held.clip(int(i)).tobytes()).digest() in known[2]]
