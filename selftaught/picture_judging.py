"""The judgement behind ``selftaught verdict`` on pictures: features beside raw pixels and the network untrained."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import PictureStore, prepare_pictures
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
from selftaught.pictures.classifying import ClassifyPictures
from selftaught.pictures.lessons import finetune_pictures_quickly
from selftaught.pictures.model import PictureModel
from selftaught.randomness import derive

KNN, UNTRAINED_KNN = "pretrained kNN", "untrained kNN"
PIXEL_PROBE, PIXEL_KNN, MAJORITY = "raw pixels probe", "raw pixels kNN", "majority class"
BASELINES = (PIXEL_PROBE, PIXEL_KNN, MAJORITY)
_PIXEL_SIDE = 32  # raw pixels are compared at no more than this
_METRIC = "accuracy"


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures to learn from and to be tested on.

    Args:
        train, test: uint8 [N, 3, S, S].
        train_labels, test_labels: a name for each.
        test_files: where the test pictures come from.
        description: what was read.
        notes: what was set aside.
    """

    train: np.ndarray
    train_labels: list[str]
    test: np.ndarray
    test_labels: list[str]
    test_files: list[str]
    description: str
    notes: tuple[str, ...]


def read_labelled(
    data: str, test: str | None, folder: Path, resolution: int, seed: int, *, label: str | None
) -> LabelledPictures:
    """Labelled pictures at the resolution of a network; a fifth is the test where none is given.

    Raises:
        SelftaughtError: if places name no labels, or only one.
    """
    learn = _labelled(data, folder / "learn", resolution, label)
    if test is not None:
        held = _labelled(test, folder / "test", resolution, label)
        sides = (np.arange(len(learn.labels)), np.arange(len(held.labels)))
    else:
        held, same = learn, [hashlib.sha256(row.tobytes()).hexdigest() for row in learn.pixels]
        sides = split_train_test(same, learn.labels, 0.2, seed)
    notes = [
        f"{what}: {store.tally['kept']} pictures kept, {store.tally['quarantined_rows']} quarantined"
        for what, store in {data: learn, test or data: held}.items()
        if store.tally["quarantined_rows"]
    ]
    (train_rows, test_rows) = sides
    return LabelledPictures(
        learn.pixels[train_rows],
        [learn.labels[i] for i in train_rows],
        held.pixels[test_rows],
        [held.labels[i] for i in test_rows],
        [held.files[i] for i in test_rows],
        learn.description,
        tuple(notes),
    )


def _labelled(data: str, folder: Path, resolution: int, label: str | None) -> PictureStore:
    store = prepare_pictures(open_pictures(data, label=label), folder, resolution=resolution, seed=0)
    if len(set(store.labels)) < 2:
        raise SelftaughtError(
            "these pictures have no labels" if not any(store.labels) else "all these pictures have one label",
            where=store.description,
            do="put the pictures of each class into a folder of its name, or give a table of paths and labels",
        )
    return store


@dataclass
class PictureJudge:
    """Scores every method at every budget with every seed.

    Args:
        budgets: labels a class; None for all.
        seeds: how many draws of labels, and untrained networks.
        options: of the task, for fine-tuning.
        tell: hears what is being done.
    """

    model: PictureModel
    pictures: LabelledPictures
    budgets: Sequence[int | None]
    seeds: int
    seed: int
    tell: Callable[[str], None]
    options: Mapping[str, Any]
    drawn: dict[str, list[list[int]]] = field(default_factory=dict)
    _scores: dict[tuple[str, int | None], list[float]] = field(default_factory=dict)
    _sizes: dict[int | None, int] = field(default_factory=dict)
    _known: dict[tuple[object, ...], float] = field(default_factory=dict)

    def run(self, *, finetune: bool) -> None:
        """Score everything; ``finetune`` adds the fine-tuned networks, which take longer than all the rest."""
        draws = self._draws()
        self.tell("pixels      probe and kNN on raw pixels")
        train, test = (_pixels(part) for part in (self.pictures.train, self.pictures.test))
        for draw in draws:
            labels = [self.pictures.train_labels[i] for i in draw.rows]
            names, counts = np.unique(labels, return_counts=True)
            self._add(MAJORITY, draw, [str(names[counts.argmax()])] * len(test))
        self._judge((PIXEL_PROBE, PIXEL_KNN), draws, train, test, "pixels")
        self.tell(f"features    of {len(train) + len(test):,} pictures, trained and untrained")
        self._judge((PROBE, KNN), draws, *self._features(self.model), "own")
        for seed in self._seeds():
            same, untrained = [draw for draw in draws if draw.seed == seed], self.model.untrained(seed)
            self._judge((UNTRAINED_PROBE, UNTRAINED_KNN), same, *self._features(untrained), seed)
        for number, draw in enumerate(draws if finetune else []):
            self.tell(
                f"fine-tuning {number + 1} of {len(draws)}, {len(draw.rows):,} pictures, pretrained and untrained"
            )
            for method in (FINETUNED, UNTRAINED_FINETUNED):
                self._add(method, draw, self._finetuned(draw, trained=method == FINETUNED))

    def _finetuned(self, draw: Draw, *, trained: bool) -> list[str]:
        """What the network says of the test pictures after fine-tuning, begun from its weights or from others."""
        labels, rows = self.pictures.train_labels, np.array(draw.rows)
        model = self.model.untrained(draw.seed)
        if trained:
            model.backbone.load_state_dict(self.model.backbone.state_dict())
        model.backbone.to(next(self.model.backbone.parameters()).device)
        options = {**self.options, "several": False}  # as for the other methods
        task = ClassifyPictures.of([labels[i] for i in rows], **options)
        pixels = self.pictures.train
        found = finetune_pictures_quickly(model, task, pixels, labels, rows, seed=draw.seed, trained=trained)
        return [answer["label"] for answer in found.answers(self.pictures.test)]

    def _features(self, model: PictureModel) -> tuple[np.ndarray, np.ndarray]:
        return model.features(self.pictures.train), model.features(self.pictures.test)

    def curve(self) -> list[Point]:
        """The accuracies."""
        return [Point(b, self._sizes[b], method, _METRIC, tuple(s)) for (method, b), s in self._scores.items()]

    def _seeds(self) -> list[int]:
        return [derive("verdict", self.seed, i) % 2**31 for i in range(self.seeds)]

    def _draws(self) -> list[Draw]:
        draws = few_label_draws(self.pictures.train_labels, self.budgets, self._seeds())
        for draw in draws:
            self._sizes[draw.budget] = len(draw.rows)
            self.drawn.setdefault(str(draw.budget or "all"), []).append(draw.rows)
        return draws

    def _judge(
        self, methods: tuple[str, str], draws: list[Draw], train: np.ndarray, test: np.ndarray, whose: object
    ) -> None:
        """A linear probe and kNN on some features; with all labels, the draws are one and the same."""
        for draw in draws:
            labels = [self.pictures.train_labels[i] for i in draw.rows]
            for method in methods:
                key = (method, whose, tuple(draw.rows) if draw.budget is None else draw.seed, draw.budget)
                if key not in self._known:
                    some = train[draw.rows]
                    if method in (PIXEL_KNN, KNN, UNTRAINED_KNN):
                        said = knn_predict(some, labels, test)
                    else:
                        said = fit_probe(some, labels, draw.seed).predict(test)
                    self._known[key] = self._accuracy(said)
                self._scores.setdefault((method, draw.budget), []).append(self._known[key])

    def _add(self, method: str, draw: Draw, said: list[str]) -> None:
        self._scores.setdefault((method, draw.budget), []).append(self._accuracy(said))

    def _accuracy(self, said: list[str]) -> float:
        return classification_scores(self.pictures.test_labels, said)[_METRIC]


def _pixels(pictures: np.ndarray) -> np.ndarray:
    """Raw pixels in [-0.5, 0.5] as features, float32 [N, D]; large pictures by the means of squares of them."""
    step = max(1, pictures.shape[-1] // _PIXEL_SIDE)
    count, channels, side, _ = pictures.shape
    small = pictures.reshape(count, channels, side // step, step, side // step, step).mean((3, 5), dtype=np.float32)
    return small.reshape(count, -1) / 255 - 0.5


def judge_pictures(
    model: PictureModel,
    pictures: LabelledPictures,
    seen: Path | None,
    *,
    budgets: Sequence[int | None],
    seeds: int,
    seed: int,
    finetune: bool,
    tell: Callable[[str], None],
    options: Mapping[str, Any],
) -> tuple[Verdict, PictureJudge]:
    """Judge a network on labelled pictures. The same rows, budgets and seeds serve every method.

    Args:
        finetune: whether to fine-tune the network, pretrained and untrained, as well.
        options: of the task that it is fine-tuned on.
        seen: the array of the pictures it was pretrained on; None where that is not at hand.
    """
    began = time.perf_counter()
    sizes = f"{len(pictures.train)} to learn from, {len(pictures.test)} to be tested on"
    tell(f"labels      {pictures.description}: {sizes}")
    overlap = _overlap(pictures.test, seen)
    judge = PictureJudge(model, pictures, budgets, seeds, seed, tell, options)
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
        overlap=None if overlap is None else tuple(pictures.test_files[i] for i in np.flatnonzero(overlap)),
        notes=pictures.notes,
        seconds=time.perf_counter() - began,
    ), judge


def _overlap(test: np.ndarray, seen: Path | None) -> np.ndarray | None:
    """Which test pictures have the pixels of one of the pretraining's."""
    if seen is None or not seen.is_file():
        return None
    known = np.load(seen, mmap_mode="r")
    if known.shape[1:] != test.shape[1:]:
        return None
    digests = {hashlib.sha256(row.tobytes()).digest() for row in known}
    return np.array([hashlib.sha256(row.tobytes()).digest() in digests for row in test], bool)
