"""A task of classes as a network over clips learns it: the head, the windows, and when to stop."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from selftaught.backbones.video import ClipHead
from selftaught.data.loader import Batches
from selftaught.data.video_store import Clips, VideoStore
from selftaught.loop import Learner, train
from selftaught.metrics.sampling import split_train_test
from selftaught.optim import adamw
from selftaught.pictures.lessons import CHECKS, PATIENCE, pace_of
from selftaught.randomness import derive
from selftaught.schedule import Schedule
from selftaught.stopping import train_to_best
from selftaught.video.classifying import ClassifyClips, ClipClassifier, LabelledClips, clip_learner
from selftaught.video.model import VideoModel

BATCH = 16  # clips, of eight frames each
_VALIDATION_SHARE, _LEAST_TO_SPLIT = 0.15, 200  # as for pictures: fewer are worth more in training


@dataclass(frozen=True)
class ClipLesson:
    """A task to be learned: the learner, the windows to learn from, and the clips to stop by.

    Args:
        stop: clips that are not trained on, int64 [N]; none if there are too few.
    """

    learner: Learner
    task: ClassifyClips
    model: VideoModel
    samples: LabelledClips
    stop: np.ndarray
    store: VideoStore
    seed: int

    @property
    def classifier(self) -> ClipClassifier:
        """The network with its head, as it answers."""
        assert isinstance(self.learner.heads, ClipHead)
        return ClipClassifier(self.model, self.task, self.learner.heads)

    def batches(self, size: int, workers: int = 0) -> Batches:
        return Batches(self.samples, self.task, self.model.whole, size, self.seed, workers)

    def stopping_measures(self) -> dict[str, float]:
        """All measures on the clips to stop by; the first is what decides."""
        return measured(self.classifier, self.store, self.stop)


def measured(classifier: ClipClassifier, store: VideoStore, clips: Sequence[int] | np.ndarray) -> dict[str, float]:
    """The task's measures on labelled clips of a store."""
    return classifier.task.decision.measure([store.labels[i] for i in clips], classifier.answers(store, clips))


def prepare_clip_lesson(
    model: VideoModel, task: ClassifyClips, store: VideoStore, rows: np.ndarray, *, seed: int
) -> ClipLesson:
    """The head above the network, to be trained on the clips ``rows``, of which some are set aside to stop by."""
    learn, stop = rows, rows[:0]
    if len(rows) >= _LEAST_TO_SPLIT:
        same = [hashlib.sha256(store.clip(int(i)).tobytes()).hexdigest() for i in rows]
        strata = task.decision.strata([store.labels[i] for i in rows])
        learn, stop = (rows[part] for part in split_train_test(same, strata, _VALIDATION_SHARE, seed))
    torch.manual_seed(derive("finetune", seed))
    learner = clip_learner(model, task).to(next(model.picture.backbone.parameters()).device)
    clips = Clips.of(store, learn, model.spec.frames, seed)
    samples = LabelledClips(clips, task.decision.targets([store.labels[i] for i in clips.clips]))
    return ClipLesson(learner, task, model, samples, stop, store, seed)


def finetune_clips_quickly(
    model: VideoModel, task: ClassifyClips, store: VideoStore, rows: np.ndarray, *, seed: int, trained: bool
) -> ClipClassifier:
    """Fine-tune in memory, without a run folder: what the verdict does many times.

    Args:
        trained: whether the network has learned already.
    """
    lesson, pace = prepare_clip_lesson(model, task, store, rows, seed=seed), pace_of(trained=trained)
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
    lesson.learner.eval()
    return lesson.classifier
