"""``selftaught evaluate`` on pictures: what a run was taught, or what its own objective asks, on others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught import lookup
from selftaught.backbones.vision import IMAGE
from selftaught.data.loader import Batches
from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import Pictures, PictureStore, prepare_pictures
from selftaught.data.tally import shown_record
from selftaught.errors import SelftaughtError
from selftaught.facts import shown
from selftaught.loop import Learner, evaluate
from selftaught.objective import Objective, Spec
from selftaught.pictures.classifying import PictureClassifier
from selftaught.pictures.measuring import feature_measures
from selftaught.pictures.model import PictureModel
from selftaught.pictures.preparing import picture_backbones, teacher_of
from selftaught.randomness import derive
from selftaught.recipe import Recipe, read_recipe
from selftaught.run.folder import Run

MOST = 2_000  # pictures that an objective is asked about
_HEADS = "heads."


def picture_head_parts(heads: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights of an objective's heads as a run keeps them, by name."""
    return {_HEADS + name: tensor.detach().cpu().contiguous() for name, tensor in heads.state_dict().items()}


@dataclass(frozen=True)
class PictureRun:
    """A pretraining run, with the objective that it learned and the heads that answer it."""

    model: PictureModel
    recipe: Recipe
    objective: Objective
    learner: Learner

    @classmethod
    def load(cls, place: str | Path, precision: str = "fp32") -> "PictureRun":
        """Open a run.

        Raises:
            SelftaughtError: if it is no run of pretrain on pictures, or its files are damaged.
        """
        model = PictureModel.load(place, precision)
        recipe, objective = own_objective(Run(Path(place)))
        if objective.stream.partition(".")[0] != IMAGE:
            what = f"{objective.name} asks about videos, and these are pictures"
            raise SelftaughtError(what, where=str(place), do="give videos; selftaught verdict judges it on pictures")
        backbones = picture_backbones(model.backbone, teacher_of(recipe, objective))
        learner = Learner(backbones, objective, Spec(image=model.spec), precision)
        restore_heads(learner, Run(Path(place)))
        return cls(model, recipe, objective, learner)

    def losses(self, pixels: np.ndarray, seed: int = 0) -> dict[str, float]:
        """The mean of each of the objective's measures over pictures uint8 [N, 3, S, S], in batches as in training."""
        size = min(self.recipe.train.batch or len(pixels), len(pixels))
        batches = Batches(Pictures(pixels, np.arange(len(pixels))), self.objective, self.learner_spec, size, seed)
        return evaluate(self.learner, (batches.at(first) for first in range(0, len(pixels) - size + 1, size)))

    @property
    def learner_spec(self) -> Spec:
        return Spec(image=self.model.spec)


def own_objective(run: Run) -> tuple[Recipe, Objective]:
    """What a run was pretrained by.

    Raises:
        SelftaughtError: if that is not known.
    """
    if not run.recipe.exists() or not run.load_parts():
        raise SelftaughtError(
            "the heads that answered this network's objective are not at hand",
            where=str(run.folder),
            do="give the folder of a run of pretrain; of any network selftaught verdict tells what it is worth",
        )
    recipe = read_recipe(run.recipe)
    goal = recipe.objective
    return recipe, lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights)


def restore_heads(learner: Learner, run: Run) -> None:
    """Give a learner the heads that a run kept.

    Raises:
        SelftaughtError: if they are another objective's.
    """
    parts = run.load_parts()
    try:
        learner.heads.load_state_dict({name.removeprefix(_HEADS): part for name, part in parts.items()})
    except RuntimeError as error:
        what = "the heads of this run are not those of its objective"
        raise SelftaughtError(what, where=str(run.folder / "heads.safetensors"), do="repeat the run") from error


def evaluate_pictures(
    run: str, data: str, label: str | None, folder: Path, device: torch.device, precision: str
) -> tuple[dict[str, Any], list[str]]:
    """The report and the lines for people.

    Args:
        folder: where the pictures are decoded to.
    """
    model = PictureModel.load(run, precision)
    store = prepare_pictures(open_pictures(data, label=label), folder, resolution=model.spec.resolution, seed=0)
    lines = [
        f"data        {store.description}",
        f"pictures    {store.tally['rows']:,} in = {store.tally['kept']:,} kept + "
        f"{store.tally['quarantined_rows']:,} quarantined",
        *(f"            {shown_record(one)}" for one in store.tally["quarantined"][:3]),
    ]
    classifier = PictureClassifier.load(run, precision)
    report: dict[str, Any] = {"verb": "evaluate", "rows": store.tally, "notes": []}
    if classifier is not None:
        return report | _of_classes(classifier.to(device), store), lines
    found = PictureRun.load(run, precision)
    found.learner.to(device)
    return report | {"objective": found.objective.name, "measures": _of_objective(found, store)}, lines


def _of_classes(classifier: PictureClassifier, store: PictureStore) -> dict[str, Any]:
    rows = np.flatnonzero([bool(label) for label in store.labels])
    labels = [store.labels[i] for i in rows]
    if not labels:
        raise SelftaughtError("these pictures have no labels", where=store.description, do="give labelled ones")
    decision = classifier.task.decision
    if unknown := decision.unknown(labels):
        raise SelftaughtError(
            f"the data has labels that the model does not know: {shown(unknown, 5)}",
            where=store.description,
            do="the model's classes are in its README.md",
        )
    said = classifier.answers(store.pixels[rows])
    return {
        "task": "classify",
        "measures": decision.measure(labels, said),
        "classes": decision.by_class(labels, said),
        "unlabelled": len(store.labels) - len(labels),
    }


def _of_objective(found: PictureRun, store: PictureStore) -> dict[str, float]:
    """Of some of the pictures the loss, and what their features say; half of those with labels are learned from."""
    order = np.random.default_rng(derive("evaluate", 0)).permutation(len(store.pixels))
    some = order[:MOST]
    pixels: np.ndarray = store.pixels[some]
    labels: Sequence[str] = [store.labels[i] for i in some]
    half = len(some) // 2 if len(set(labels)) > 1 else 0
    measures = feature_measures(found.model, pixels[:half], labels[:half], pixels[half:], labels[half:], seed=0)
    return {**found.losses(pixels), **measures}
