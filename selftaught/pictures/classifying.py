"""Telling classes of pictures: the objective whose hidden thing is a label, and a fine-tuned network in use."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from selftaught.backbones.vision import (
    IMAGE,
    holds_classes,
    load_picture_head,
    picture_backbone,
    save_picture_classifier,
)
from selftaught.data.picture_store import Pictures
from selftaught.loop import Learner
from selftaught.objective import Batch, Spec, Sums
from selftaught.pictures.classes import ClassifySeen, head_parts, load_taught, save_classes
from selftaught.pictures.model import PictureModel, picture_folder, states_of
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import one_view
from selftaught.randomness import Randomness
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.task import Answer

FILE = "task.json"


@dataclass(frozen=True)
class ClassifyPictures(ClassifySeen):
    """Predict one of several classes of a picture, or all that apply.

    Args:
        classes, weights, smoothing, several: see :class:`ClassifySeen`.
        area, flip, jitter: how a picture is changed while it is learned from, see
            :class:`selftaught.pretext.image.Views`; in use it is not.
    """

    stream: ClassVar[str] = IMAGE

    area: float = 0.5
    flip: float = 0.5
    jitter: float = 0.2

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``pixels`` uint8 [B, 3, H, W] and ``label``: a view of each, float."""
        how = Views(self.area, flip=self.flip, jitter=self.jitter, grey=0)
        return {**samples, **one_view(samples, spec, rng, how), "n": self.decision.count(samples["label"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return nn.Linear(picture_backbone(backbones).width, len(self.classes))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats; see :mod:`selftaught.decisions`."""
        return self.decision.loss(heads(features.mean(1)).float(), batch["label"])


@dataclass(frozen=True)
class LabelledSamples:
    """Pictures with their labels as a source of samples.

    Args:
        targets: of each picture, int64 [N], or float32 [N, K] of several labels.
    """

    pictures: Pictures
    targets: Tensor

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """``pixels`` uint8 [B, 3, S, S] and ``label``."""
        return {**self.pictures.take(indices, epochs), "label": self.targets[torch.from_numpy(indices)]}


def classifying_learner(model: PictureModel, task: ClassifyPictures) -> Learner:
    """The network with a head for the classes."""
    return Learner({IMAGE: model.backbone}, task, Spec(image=model.spec), model.precision)


@dataclass(frozen=True)
class PictureClassifier:
    """A fine-tuned network: what it was given, and its answers."""

    model: PictureModel
    task: ClassifyPictures
    head: nn.Linear

    def to(self, device: torch.device) -> Self:
        """Itself, moved there."""
        self.model.backbone.to(device)
        self.head.to(device)
        return self

    @torch.no_grad()
    def answers(self, pixels: np.ndarray) -> list[Answer]:
        """Of pictures uint8 [N, 3, S, S]; see :meth:`selftaught.decisions.OneOf.answers`."""
        found: list[Answer] = []
        for states in states_of(self.model.backbone, self.model.spec, pixels, self.model.precision):
            found += self.task.decision.answers(self.head(states.mean(1).float()))
        return found

    def save(self, run: Run) -> None:
        """Write the model folder, which holds the head where transformers knows heads that read the same."""
        backbone = self.model.backbone
        with written_aside(run.model) as folder:
            if holds_classes(backbone):
                save_picture_classifier(folder, backbone, self.head, self.task.classes, several=self.task.several)
                self.model.save_processor(folder)
            else:
                self.model.save(folder)
            save_classes(folder / FILE, self.task)
        if not holds_classes(backbone):
            run.save_parts(head_parts(self.head))

    @classmethod
    def load(cls, place: str | Path, precision: str = "fp32") -> "PictureClassifier | None":
        """The fine-tuned network of a run; None if it was only pretrained.

        Raises:
            SelftaughtError: if its files are damaged.
        """
        model, folder = PictureModel.load(place, precision), picture_folder(Path(place))
        assert folder is not None
        file, beside = folder / FILE, folder.parent / "heads.safetensors"
        if not file.is_file():
            return None
        task, head = load_taught(
            file,
            ClassifyPictures,
            lambda classes: nn.Linear(model.backbone.width, classes),
            lambda: load_picture_head(folder) or load_file(beside),
        )
        return cls(model, task, head)
