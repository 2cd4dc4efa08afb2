"""``selftaught finetune`` on clips: a network and a head for classes, trained together on few labels."""

from typing import Any, ClassVar

import numpy as np

from selftaught.data.video_source import open_videos
from selftaught.data.video_store import VideoStore, prepare_videos
from selftaught.lookup import checked
from selftaught.machine import pick_device, pick_precision
from selftaught.pictures.classes import TASK
from selftaught.pictures.teaching import Teaching, refuse_text_tasks, require_classes, require_known, resolved
from selftaught.recipe import Recipe
from selftaught.run.folder import Run
from selftaught.run.model_card import CLIP_CLASSES
from selftaught.video.attention import draw_attention
from selftaught.video.classifying import ClassifyClips
from selftaught.video.illustrating import spread
from selftaught.video.lessons import ClipLesson, measured, prepare_clip_lesson
from selftaught.video.model import VideoModel

_SHOWN = 6  # clips on the page of attention


class ClipTeaching(Teaching):
    """Of clips."""

    kind: ClassVar[str] = "clips"
    samples: ClassVar[str] = "windows"
    card: ClassVar[str] = CLIP_CLASSES

    lesson: ClipLesson
    store: VideoStore
    test: VideoStore | None

    def measured(self, store: VideoStore) -> dict[str, float]:
        return measured(self.lesson.classifier, store, np.flatnonzero([bool(label) for label in store.labels]))

    def pixels(self, store: VideoStore) -> list[bytes]:
        return [store.clip(i).tobytes() for i in range(len(store))]

    def facts(self) -> dict[str, Any]:
        return {"frames a second": self.store.rate}

    def drawn(self) -> list[str]:
        """The page of attention over time."""
        store = self.test or self.store
        some = spread(np.arange(len(store)), _SHOWN)
        draw_attention(self.lesson.classifier, store, some, self.run.folder / "attention.png")
        told = "*what it says of clips, and how much each step counts*"
        return ["", "![attention over time](attention.png)", "", told]


def prepare_clip_finetuning(run: Run, recipe: Recipe) -> ClipTeaching:
    """Decode the clips, choose what was left open, and put a head above the network.

    Raises:
        SelftaughtError: for what only text has, or labels that nothing can be learned from.
    """
    data, train, kind = recipe.data, recipe.train, ClipTeaching.kind
    refuse_text_tasks(recipe, kind)
    assert recipe.model.init is not None
    device = pick_device(train.device)
    precision = train.precision or pick_precision(device)
    model = VideoModel.load(recipe.model.init, precision)
    if recipe.model.scratch:
        model = model.untrained(train.seed)
    model.picture.backbone.to(device)
    store = _labelled(data.path, run, "labelled", model, data.image, data.label)
    rows = np.flatnonzero([bool(label) for label in store.labels])
    labels = [store.labels[i] for i in rows]
    task = ClassifyClips.of(labels, **checked(ClassifyClips, TASK, recipe.objective.options))
    require_classes(labels, len(task.classes), store, kind)
    test = _labelled(data.test, run, "test", model, data.image, data.label) if data.test else None
    if test:
        require_known(task, test, data.test or "", kind)
    lesson = prepare_clip_lesson(model, task, store, rows, seed=train.seed)
    recipe = resolved(recipe, lesson, device, precision)
    return ClipTeaching(recipe, lesson, store, test, len(store.labels) - len(rows), run)


def _labelled(data: str, run: Run, folder: str, model: VideoModel, clip: str | None, label: str | None) -> VideoStore:
    """The clips as the network is given them, decoded into the run."""
    side, rate = model.picture.spec.resolution, model.spec.rate
    source = open_videos(data, clip=clip, label=label)
    return prepare_videos(source, run.folder / folder, resolution=side, rate=rate, seed=0, keep=run.has_begun)
