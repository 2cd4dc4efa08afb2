"""What a run on pictures needs, made from its recipe."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from selftaught import lookup
from selftaught.backbones.presets import PICTURE_SIZES, PatchSize
from selftaught.backbones.vision import (
    IMAGE,
    PictureBackbone,
    PictureTeacher,
    new_picture_backbone,
    picture_backbone,
)
from selftaught.data.loader import Batches
from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import PictureStore, prepare_pictures
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner, refuse_to_split
from selftaught.machine import pick_device, pick_precision
from selftaught.objective import Batch, Objective, PictureSpec, Spec
from selftaught.pictures.illustrating import Illustrator
from selftaught.pictures.model import PictureModel
from selftaught.randomness import derive
from selftaught.recipe import Recipe
from selftaught.run.folder import Run

DEFAULT_SECONDS = 120.0
_BATCH = 128  # in the same time better than 256, which is fewer steps, and than 64 (docs/lab.md)
_RATES = {False: 4e-3, True: 1e-3}  # of AdamW at that batch: of convolutions, and of networks of patches
_TRAINED = 0.1  # of it, for a network that has learned already
_LOOKED_AT = 2_000  # pictures whose mean and deviation are taken for all
_SIDES = (32, 64)  # the working resolutions that are chosen by themselves


@dataclass(frozen=True)
class PicturePretraining:
    """Everything a run on pictures needs, made from its recipe.

    Args:
        log: the file that names all pictures that were set aside.
    """

    recipe: Recipe
    objective: Objective
    store: PictureStore
    spec: Spec
    learner: Learner
    batches: Batches
    log: Path

    @property
    def plan(self) -> "PicturePretraining":
        """Itself: there is nothing to measure before the start."""
        return self

    @property
    def backbone(self) -> PictureBackbone:
        return picture_backbone(self.learner.backbones)

    @property
    def model(self) -> PictureModel:
        """The network as it is now, and what it must be given."""
        assert self.spec.image is not None
        return PictureModel(self.backbone, self.spec.image, self.learner.precision)

    def held_out_batch(self) -> Batch | None:
        """The question that is posed of some held-out pictures; None where there are too few."""
        held = self.store.part(held_out=True)
        if len(held) < min(self.batches.size, 2):
            return None
        size = min(self.batches.size, len(held))
        return Batches(held, self.objective, self.spec, size, self.recipe.train.seed).at(0)

    def illustrator(self, run: Run) -> Illustrator:
        """What draws pages for a person to look at, into the run."""
        return Illustrator(run.folder, self.learner, self.spec, self.model, self.store, self.recipe.train.seed)

    @property
    def size(self) -> str:
        """The size of the network, or where it came from."""
        return self.recipe.model.size or f"as {self.recipe.model.init}"

    @property
    def parameters(self) -> int:
        """Of the network, without the objective's heads."""
        return sum(p.numel() for p in self.backbone.parameters())

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train, store = self.recipe.train, self.store
        budget = f"{train.seconds:.0f} s" if train.seconds else f"{train.steps:,} steps"
        copies = f"; {store.copies:,} have the pixels of another" if store.copies else ""
        return [
            f"read        {store.description}",
            f"pictures    {tally_sentence(store.tally, self.log)}{copies}",
            f"data        {len(self.batches.source):,} to train on, {int(store.held_out.sum()):,} held out, at "
            f"{store.resolution} x {store.resolution} pixels",
            f"plan        {self.recipe.objective.name}, {self.size}, {self.parameters / 1e6:.2f} M "
            f"parameters, {budget}, batches of {train.batch}, peak rate {train.rate:g} ({train.device}, "
            f"{train.precision})",
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            "objective": self.objective.name,
            "size": self.size,
            "parameters": self.parameters,
            "pictures": len(self.batches.source),
            "held_out": int(self.store.held_out.sum()),
            "resolution": self.store.resolution,
            "train": self.recipe.train.model_dump(),
        }


def prepare_picture_pretraining(run: Run, recipe: Recipe) -> PicturePretraining:
    """Decode the pictures, choose what was left open, and build the network.

    Raises:
        SelftaughtError: for what only text has, or pictures that cannot be used.
    """
    goal, train = recipe.objective, recipe.train
    objective = lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights)
    refuse_text(recipe, objective, "pictures")
    refuse_to_split(objective, train.accumulate, "pictures")
    device, init = pick_device(train.device), begun_from(recipe, objective)
    teacher = teacher_of(recipe, objective)
    given = init or teacher  # whose pictures are brought to what it is used to
    source = open_pictures(recipe.data.path, image=recipe.data.image, label=recipe.data.label)
    size = None if init else recipe.model.size or ("vit-tiny" if objective.needs_patches else "conv-tiny")
    resolution = given.spec.resolution if given else recipe.data.resolution or working_resolution(source.typical_side())
    store = prepare_pictures(
        source, run.folder / "pictures", resolution=resolution, seed=train.seed, keep=run.has_begun
    )
    pictures = store.part(held_out=False)
    batch = min(train.batch or _BATCH, len(pictures))
    train = train.settled(
        samples=len(pictures),
        batch=_BATCH,
        rate=peak_rate(batch, size, init),
        seconds=DEFAULT_SECONDS,
        device=str(device),
        precision=pick_precision(device),
    )
    assert train.precision is not None
    recipe = recipe.model_copy(
        update={
            "train": train,
            "model": recipe.model.model_copy(update={"size": size}),
            "data": recipe.data.model_copy(update={"resolution": resolution}),
        }
    )
    torch.manual_seed(derive("weights", train.seed))
    backbone = init.backbone if init else new_picture_backbone(PICTURE_SIZES[size or ""], resolution)
    patch = backbone.patch if backbone.reads_patches else None
    assumed = replace(given.spec, patch=patch) if given else picture_spec(store.pixels, pictures.rows, patch)
    spec = Spec(image=assumed)
    learner = Learner(picture_backbones(backbone, teacher), objective, spec, train.precision).to(device)
    batches = Batches(pictures, objective, spec, batch, train.seed, train.workers)
    return PicturePretraining(recipe, objective, store, spec, learner, batches, run.folder / "pictures" / QUARANTINE)


def peak_rate(batch: int, size: str | None, init: PictureModel | None) -> float:
    """The peak rate."""
    patches = init.backbone.reads_patches if init else isinstance(PICTURE_SIZES[size or ""], PatchSize)
    return _RATES[patches] * min(1.0, batch / _BATCH) * (_TRAINED if init else 1.0)


def refuse_text(recipe: Recipe, objective: Objective, what: str) -> None:
    """Refuse what only text has, and sizes that the objective cannot use.

    Args:
        what: it learns from.

    Raises:
        SelftaughtError: if there is any.
    """
    goal, size = recipe.objective.name, recipe.model.size
    given = {"--text": recipe.data.text, "model.tokenizer": recipe.model.tokenizer}
    for name, value in given.items():
        if value:
            raise SelftaughtError(f"{name} is for text, and {goal} learns from {what}", do="leave it out")
    if size and size not in PICTURE_SIZES:
        raise SelftaughtError(f"there is no size {size!r} for pictures", do="the sizes are " + ", ".join(PICTURE_SIZES))
    if size and objective.needs_patches and not isinstance(PICTURE_SIZES[size], PatchSize):
        patched = [name for name, kind in PICTURE_SIZES.items() if isinstance(kind, PatchSize)]
        what = f"{goal} reads pictures patch by patch, which {size} does not"
        raise SelftaughtError(what, do="take " + ", ".join(patched))


def begun_from(recipe: Recipe, objective: Objective) -> PictureModel | None:
    """The network to go on from, if one is given; pictures are then brought to what it is used to."""
    if recipe.model.init is None:
        return None
    model, asked = PictureModel.load(recipe.model.init), recipe.data.resolution
    if objective.needs_patches and not model.backbone.reads_patches:
        raise SelftaughtError(
            f"{objective.name} reads pictures patch by patch, which this network does not",
            where=recipe.model.init,
            do="begin from a vision transformer",
        )
    if asked not in (None, model.spec.resolution):
        raise SelftaughtError(
            f"this network reads pictures of {model.spec.resolution} pixels a side, not of {asked}",
            where=recipe.model.init,
            do="leave data.resolution out",
        )
    return model


def picture_backbones(backbone: PictureBackbone, teacher: PictureModel | None) -> dict[str, nn.Module]:
    """What a learner is made of: the network, and the one that it learns from, if any."""
    return {IMAGE: backbone, **({"teacher": PictureTeacher(teacher.backbone)} if teacher else {})}


def teacher_of(recipe: Recipe, objective: Objective) -> PictureModel | None:
    """The network to learn from, if the objective does.

    Raises:
        SelftaughtError: if there is none.
    """
    if not objective.taught:
        return None
    if recipe.model.teacher is None:
        raise SelftaughtError(f"{objective.name} learns from a teacher", do="selftaught distill RUN DATA has one")
    return PictureModel.load(recipe.model.teacher)


def working_resolution(side: int) -> int:
    """What is worked with: no more than is there, and no more than a processor can do in minutes."""
    return next((known for known in _SIDES if side <= known), _SIDES[-1])


def picture_spec(pixels: np.ndarray, rows: np.ndarray, patch: int | None) -> PictureSpec:
    """Mean and deviation of each channel, from some of the training pictures.

    Args:
        pixels: of all pictures, uint8 [N, 3, S, S].
        rows: places of those that are trained on.
        patch: see :class:`PictureSpec`.
    """
    some = pixels[np.sort(np.random.default_rng(0).permutation(rows)[:_LOOKED_AT])].astype(np.float32) / 255
    mean, deviation = some.mean((0, 2, 3)), some.std((0, 2, 3))
    return PictureSpec(pixels.shape[-1], patch, torch.from_numpy(mean), torch.from_numpy(deviation.clip(min=1e-3)))
