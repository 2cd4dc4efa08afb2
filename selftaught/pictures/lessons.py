"""A task of classes as a network over pictures learns it: the head, the pictures, and when to stop."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from selftaught.data.loader import Batches
from selftaught.data.picture_store import Pictures
from selftaught.decisions import AnyOf, OneOf
from selftaught.loop import Learner
from selftaught.metrics.sampling import split_train_test
from selftaught.objective import Spec
from selftaught.pictures.classifying import ClassifyPictures, LabelledSamples, PictureClassifier, classifying_learner
from selftaught.pictures.model import PictureModel
from selftaught.pictures.teaching import teach_quickly
from selftaught.randomness import derive
from selftaught.recipe import read_recipe
from selftaught.run.folder import Run

_VALIDATION_SHARE, _LEAST_TO_SPLIT = 0.15, 200  # as for text: fewer are worth more in training


@dataclass(frozen=True)
class PictureLesson:
    """A task to be learned: the learner, the pictures to learn from, and those to stop by.

    Args:
        stop: places of the pictures that are not trained on, int64 [N]; none if there are too few.
        labels: of all pictures of the array that both are from.
    """

    learner: Learner
    task: ClassifyPictures
    model: PictureModel
    samples: LabelledSamples
    stop: np.ndarray
    labels: Sequence[str]
    seed: int

    usual_batch: ClassVar[int] = 32

    @property
    def classifier(self) -> PictureClassifier:
        """The network with its head, as it answers."""
        assert isinstance(self.learner.heads, nn.Linear)
        return PictureClassifier(self.model, self.task, self.learner.heads)

    def batches(self, size: int, workers: int = 0) -> Batches:
        return Batches(self.samples, self.task, Spec(image=self.model.spec), size, self.seed, workers)

    def stopping_measures(self) -> dict[str, float]:
        """All measures on the pictures to stop by; the first is what decides."""
        said = self.classifier.answers(self.samples.pictures.pixels[self.stop])
        return self.task.decision.measure([self.labels[i] for i in self.stop], said)


def prepare_lesson(
    model: PictureModel,
    task: ClassifyPictures,
    pixels: np.ndarray,
    labels: Sequence[str],
    rows: np.ndarray,
    *,
    seed: int,
) -> PictureLesson:
    """The head above the network, to be trained on some of the pictures, of which some are set aside to stop by.

    Args:
        pixels: uint8 [N, 3, S, S].
        labels: of each.
        rows: places of those that may be learned from.
    """
    learn, stop = set_aside(rows, [labels[i] for i in rows], task.decision, lambda i: pixels[i], seed)
    torch.manual_seed(derive("finetune", seed))
    learner = classifying_learner(model, task).to(next(model.backbone.parameters()).device)
    known = [labels[i] for i in learn]
    samples = LabelledSamples(Pictures(pixels, learn), task.decision.targets(known))
    return PictureLesson(learner, task, model, samples, stop, labels, seed)


def finetune_pictures_quickly(
    model: PictureModel,
    task: ClassifyPictures,
    pixels: np.ndarray,
    labels: Sequence[str],
    rows: np.ndarray,
    *,
    seed: int,
    trained: bool,
) -> PictureClassifier:
    """Fine-tune in memory, without a run folder: what the verdict does many times. See :func:`prepare_lesson`.

    Args:
        trained: whether the network has learned already.
    """
    lesson = prepare_lesson(model, task, pixels, labels, rows, seed=seed)
    teach_quickly(lesson, trained=trained)
    return lesson.classifier


def set_aside(
    rows: np.ndarray, labels: Sequence[str], decision: OneOf | AnyOf, pixels: Callable[[int], np.ndarray], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to stop by, copies on one side; none to stop by where there are too few.

    Args:
        labels: of the rows.
        pixels: of a row.
    """
    if len(rows) < _LEAST_TO_SPLIT:
        return rows, rows[:0]
    same = [hashlib.sha256(pixels(int(i)).tobytes()).hexdigest() for i in rows]
    learn, stop = split_train_test(same, decision.strata(labels), _VALIDATION_SHARE, seed)
    return rows[learn], rows[stop]


def inherited(place: str | Path) -> dict[str, Any]:
    """The options that follow from how a run was pretrained: what was not mirrored there is not to be mirrored now."""
    recipe = Run(Path(place)).recipe
    known = read_recipe(recipe).objective.options if recipe.is_file() else {}
    return {name: known[name] for name in ("flip",) if name in known}
