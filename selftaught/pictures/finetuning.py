"""``selftaught finetune`` on pictures: a network and a head for classes, trained together on few labels."""

from typing import Any, ClassVar

import numpy as np

from selftaught.backbones.vision import holds_classes
from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import PictureStore, prepare_pictures
from selftaught.lookup import checked
from selftaught.machine import pick_device, pick_precision
from selftaught.pictures.classes import TASK
from selftaught.pictures.classifying import ClassifyPictures
from selftaught.pictures.lessons import PictureLesson, inherited, prepare_lesson
from selftaught.pictures.model import PictureModel
from selftaught.pictures.teaching import Teaching, refuse_text_tasks, require_classes, require_known, resolved
from selftaught.recipe import Recipe
from selftaught.run.folder import Run
from selftaught.run.model_card import PICTURE_CLASSES


class PictureTeaching(Teaching):
    """Of pictures."""

    kind: ClassVar[str] = "pictures"
    samples: ClassVar[str] = "pictures"
    card: ClassVar[str] = PICTURE_CLASSES

    lesson: PictureLesson
    store: PictureStore
    test: PictureStore | None

    def measured(self, store: PictureStore) -> dict[str, float]:
        rows = np.flatnonzero([bool(label) for label in store.labels])
        said = self.lesson.classifier.answers(store.pixels[rows])
        return self.lesson.task.decision.measure([store.labels[i] for i in rows], said)

    def pixels(self, store: PictureStore) -> list[bytes]:
        return [row.tobytes() for row in store.pixels]

    def facts(self) -> dict[str, Any]:
        headed = holds_classes(self.lesson.model.backbone)
        return {"in transformers": f"AutoModel{'ForImageClassification' if headed else ''}"}

    def drawn(self) -> list[str]:
        return []


def prepare_picture_finetuning(run: Run, recipe: Recipe) -> PictureTeaching:
    """Decode the pictures, choose what was left open, and put a head above the network.

    Raises:
        SelftaughtError: for what only text has, or labels that nothing can be learned from.
    """
    data, train, kind = recipe.data, recipe.train, PictureTeaching.kind
    refuse_text_tasks(recipe, kind)
    assert recipe.model.init is not None
    device = pick_device(train.device)
    precision = train.precision or pick_precision(device)
    model = PictureModel.load(recipe.model.init, precision)
    if recipe.model.scratch:
        model = model.untrained(train.seed)
    model.backbone.to(device)
    store = _labelled(data.path, run, "labelled", model, data.image, data.label)
    rows = np.flatnonzero([bool(label) for label in store.labels])
    labels = [store.labels[i] for i in rows]
    options = inherited(recipe.model.init) | recipe.objective.options
    task = ClassifyPictures.of(labels, **checked(ClassifyPictures, TASK, options))
    require_classes(labels, len(task.classes), store, kind)
    test = _labelled(data.test, run, "test", model, data.image, data.label) if data.test else None
    if test:
        require_known(task, test, data.test or "", kind)
    lesson = prepare_lesson(model, task, store.pixels, store.labels, rows, seed=train.seed)
    recipe = resolved(recipe, lesson, device, precision)
    return PictureTeaching(recipe, lesson, store, test, len(store.labels) - len(rows), run)


def _labelled(
    data: str, run: Run, folder: str, model: PictureModel, image: str | None, label: str | None
) -> PictureStore:
    source = open_pictures(data, image=image, label=label)
    return prepare_pictures(source, run.folder / folder, resolution=model.spec.resolution, seed=0, keep=run.has_begun)
