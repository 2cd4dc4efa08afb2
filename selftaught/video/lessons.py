"""A task of classes as a network over clips learns it: the head, the windows, and when to stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from selftaught.backbones.video import ClipHead
from selftaught.data.loader import Batches
from selftaught.data.video_store import Clips, VideoStore
from selftaught.loop import Learner
from selftaught.pictures.lessons import set_aside
from selftaught.pictures.teaching import teach_quickly
from selftaught.randomness import derive
from selftaught.video.classifying import ClassifyClips, ClipClassifier, LabelledClips, clip_learner
from selftaught.video.model import VideoModel


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

    usual_batch: ClassVar[int] = 16  # of eight frames each

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
    learn, stop = set_aside(rows, [store.labels[i] for i in rows], task.decision, store.clip, seed)
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
    lesson = prepare_clip_lesson(model, task, store, rows, seed=seed)
    teach_quickly(lesson, trained=trained)
    return lesson.classifier
