"""A task of classes as a network over pictures learns it: the head, the pictures, the pace, and when to stop."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from selftaught.data.loader import Batches
from selftaught.data.picture_store import Pictures
from selftaught.loop import Learner, train
from selftaught.metrics.sampling import split_train_test
from selftaught.objective import Spec
from selftaught.optim import adamw
from selftaught.pictures.classifying import ClassifyPictures, LabelledSamples, PictureClassifier, classifying_learner
from selftaught.pictures.model import PictureModel
from selftaught.randomness import derive
from selftaught.recipe import read_recipe
from selftaught.run import Run
from selftaught.schedule import Schedule
from selftaught.stopping import train_to_best

BATCH = 32
_VALIDATION_SHARE, _LEAST_TO_SPLIT = 0.15, 200  # as for text: fewer are worth more in training
CHECKS, PATIENCE = 12, 4
_LEAST_STEPS, _MOST_STEPS = 300, 4000


@dataclass(frozen=True)
class Pace:
    """How fast a network learns from labels.

    Args:
        rate: the peak rate.
        epochs: passes over the labels.
    """

    rate: float
    epochs: int

    def steps(self, pictures: int, batch: int) -> int:
        """Within limits that suit ten pictures and a hundred thousand."""
        return int(min(max(self.epochs * pictures / batch, _LEAST_STEPS), _MOST_STEPS))


TRAINED, UNTRAINED = Pace(rate=1e-3, epochs=40), Pace(rate=4e-3, epochs=80)
"""Of a network that has learned already, and of one that has not: each the best of those tried (docs/lab.md)."""


@dataclass(frozen=True)
class Lesson:
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
) -> Lesson:
    """The head above the network, to be trained on some of the pictures, of which some are set aside to stop by.

    Args:
        pixels: uint8 [N, 3, S, S].
        labels: of each.
        rows: places of those that may be learned from.
    """
    learn, stop = rows, rows[:0]
    if len(rows) >= _LEAST_TO_SPLIT:
        same = [hashlib.sha256(pixels[i].tobytes()).hexdigest() for i in rows]
        strata = task.decision.strata([labels[i] for i in rows])
        learn, stop = (rows[part] for part in split_train_test(same, strata, _VALIDATION_SHARE, seed))
    torch.manual_seed(derive("finetune", seed))
    learner = classifying_learner(model, task).to(next(model.backbone.parameters()).device)
    known = [labels[i] for i in learn]
    samples = LabelledSamples(Pictures(pixels, learn), task.decision.targets(known))
    return Lesson(learner, task, model, samples, stop, labels, seed)


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
    lesson, pace = prepare_lesson(model, task, pixels, labels, rows, seed=seed), pace_of(trained=trained)
    batch = min(BATCH, len(lesson.samples))
    steps = pace.steps(len(lesson.samples), batch)
    optimizer, schedule = adamw(lesson.learner, pace.rate), Schedule(steps=steps)
    train_to_best(
        lesson.learner,
        train(lesson.learner, lesson.batches(batch).starting, optimizer, schedule, seed=seed),
        every=max(steps // CHECKS, 10),
        measures=lesson.stopping_measures if len(lesson.stop) else None,
        patience=PATIENCE,
    )
    return lesson.classifier


def inherited(place: str | Path) -> dict[str, Any]:
    """The options that follow from how a run was pretrained: what was not mirrored there is not to be mirrored now."""
    recipe = Run(Path(place)).recipe
    known = read_recipe(recipe).objective.options if recipe.is_file() else {}
    return {name: known[name] for name in ("flip",) if name in known}


def pace_of(*, trained: bool) -> Pace:
    """That of a network that has learned already, or of one that has not."""
    return TRAINED if trained else UNTRAINED
