"""The judgement behind ``selftaught verdict`` on pictures: features beside raw pixels and the network untrained."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import PictureStore, prepare_pictures
from selftaught.judging.draws import Draw, Drawing
from selftaught.judging.seen import KNN, MAJORITY, UNTRAINED_KNN, SeenJudge, set_aside_notes
from selftaught.judging.verdict import PROBE, UNTRAINED_PROBE, Verdict
from selftaught.metrics.near_pictures import TOLD_APART, nearly_among, thumbnails
from selftaught.metrics.sampling import split_train_test
from selftaught.pictures.classifying import ClassifyPictures
from selftaught.pictures.lessons import finetune_pictures_quickly
from selftaught.pictures.model import PictureModel
from selftaught.pictures.teaching import require_classes

PIXEL_PROBE, PIXEL_KNN = "raw pixels probe", "raw pixels kNN"
BASELINES = (PIXEL_PROBE, PIXEL_KNN, MAJORITY)
_PIXEL_SIDE = 32  # raw pixels are compared at no more than this


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
    notes = set_aside_notes({data: learn, test or data: held}, PictureJudge.kind)
    (train_rows, test_rows) = sides
    return LabelledPictures(
        learn.pixels[train_rows],
        [learn.labels[i] for i in train_rows],
        held.pixels[test_rows],
        [held.labels[i] for i in test_rows],
        [held.files[i] for i in test_rows],
        learn.description,
        notes,
    )


def _labelled(data: str, folder: Path, resolution: int, label: str | None) -> PictureStore:
    store = prepare_pictures(open_pictures(data, label=label), folder, resolution=resolution, seed=0)
    require_classes(store.labels, len(set(store.labels)), store, PictureJudge.kind)
    return store


@dataclass
class PictureJudge(SeenJudge):
    """Of pictures.

    Args:
        options: of the task, for fine-tuning.
    """

    kind: ClassVar[str] = "pictures"
    baselines: ClassVar[tuple[str, ...]] = BASELINES

    model: PictureModel = field(kw_only=True)
    pictures: LabelledPictures = field(kw_only=True)
    options: Mapping[str, Any] = field(kw_only=True)

    @property
    def train_labels(self) -> list[str]:
        return self.pictures.train_labels

    @property
    def test_labels(self) -> list[str]:
        return self.pictures.test_labels

    def by_pixels(self, draws: list[Draw]) -> None:
        self.tell("pixels      probe and kNN on raw pixels")
        train, test = (_pixels(part) for part in (self.pictures.train, self.pictures.test))
        self.judge(draws, train, test, PIXEL_PROBE, PIXEL_KNN)

    def by_features(self, draws: list[Draw], untrained: int | None) -> None:
        model = self.model if untrained is None else self.model.untrained(untrained)
        methods = (PROBE, KNN) if untrained is None else (UNTRAINED_PROBE, UNTRAINED_KNN)
        self.judge(draws, model.features(self.pictures.train), model.features(self.pictures.test), *methods)

    def finetuned(self, draw: Draw, *, trained: bool) -> list[str]:
        model = self.model.untrained(draw.seed)
        if trained:
            model.backbone.load_state_dict(self.model.backbone.state_dict())
        model.backbone.to(next(self.model.backbone.parameters()).device)
        options = {**self.options, "several": False}  # as for the other methods
        task, labels = ClassifyPictures.of(self.known(draw), **options), self.train_labels
        pixels, rows = self.pictures.train, np.array(draw.rows)
        found = finetune_pictures_quickly(model, task, pixels, labels, rows, seed=draw.seed, trained=trained)
        return [answer["label"] for answer in found.answers(self.pictures.test)]


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
    drawing: Drawing,
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
    sizes = f"{len(pictures.train)} to learn from, {len(pictures.test)} to be tested on"
    tell(f"labels      {pictures.description}: {sizes}")
    overlap, nearly = _overlap(pictures.test, seen)
    judge = PictureJudge(drawing, tell, model=model, pictures=pictures, options=options)
    found = judge.run(finetune=finetune)
    files = None if overlap is None else tuple(pictures.test_files[i] for i in np.flatnonzero(overlap))
    near = tuple(pictures.test_files[i] for i in np.flatnonzero(nearly))
    return replace(found, overlap=files, nearly=near, notes=pictures.notes), judge


def _overlap(test: np.ndarray, seen: Path | None) -> tuple[np.ndarray | None, np.ndarray]:
    """Which test pictures have the pixels of one of the pretraining's, and which others nearly are one: bool [N]."""
    neither = np.zeros(len(test), bool)
    if seen is None or not seen.is_file():
        return None, neither
    known = np.load(seen, mmap_mode="r")
    if known.shape[1:] != test.shape[1:]:
        return None, neither
    digests = {hashlib.sha256(row.tobytes()).digest() for row in known}
    same = np.array([hashlib.sha256(row.tobytes()).digest() in digests for row in test], bool)
    if test.shape[-1] < TOLD_APART:
        return same, neither
    return same, (nearly_among(thumbnails(test), thumbnails(known)) >= 0) & ~same
