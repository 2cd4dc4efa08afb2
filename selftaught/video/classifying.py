"""Telling classes of clips: the objective whose hidden thing is a label, and a fine-tuned network in use.

model/clip_task.json   the classes, beside the network; the head's weights are the run's
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from selftaught.backbones.video import VIDEO, ClipHead, VideoBackbone, video_backbone
from selftaught.data.video_store import Clips, VideoStore
from selftaught.loop import Learner
from selftaught.objective import Batch, Spec, Sums
from selftaught.pictures.classes import ClassifySeen, head_parts, load_taught, save_classes
from selftaught.pictures.model import picture_folder
from selftaught.pretext.image import Views
from selftaught.pretext.video import one_view_of_clips
from selftaught.randomness import Randomness
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.task import Answer
from selftaught.video.model import VideoModel

FILE = "clip_task.json"


@dataclass(frozen=True)
class ClassifyClips(ClassifySeen):
    """Predict one of several classes of a clip, or all that apply.

    Args:
        classes, weights, smoothing, several: see :class:`ClassifySeen`.
        seen: frames of a window that are looked at, evenly.
        area, flip, jitter: how a clip is changed while it is learned from, all its frames alike, see
            :class:`selftaught.pretext.image.Views`. It is not mirrored: to the left is not to the right.
    """

    stream: ClassVar[str] = VIDEO

    seen: int = 8
    area: float = 0.6
    flip: float = 0.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if self.seen < 2:
            raise ValueError(f"2 frames at least are looked at, not {self.seen}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``frames`` uint8 [B, T, 3, H, W] and ``label``: a view of some frames of each, float."""
        frames = samples["frames"]
        some = {"frames": frames[:, self.places(frames.shape[1])]}
        posed = one_view_of_clips(some, spec, rng, Views(self.area, flip=self.flip, jitter=self.jitter, grey=0))
        return {**posed, "label": samples["label"], "n": self.decision.count(samples["label"])}

    def places(self, window: int) -> Tensor:
        """The frames of a window that are looked at, int64 [F]."""
        return torch.linspace(0, window - 1, min(self.seen, window)).round().long()

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return ClipHead(video_backbone(backbones).width, len(self.classes))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats; see :mod:`selftaught.decisions`."""
        return self.decision.loss(heads(features.mean(2)).float(), batch["label"])


@dataclass(frozen=True)
class LabelledClips:
    """Windows of clips with the labels of their clips as a source of samples.

    Args:
        targets: of each window, int64 [W], or float32 [W, K] of several labels.
    """

    clips: Clips
    targets: Tensor

    def __len__(self) -> int:
        return len(self.clips)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """``frames`` uint8 [B, T, 3, S, S], ``motion`` and ``label``."""
        return {**self.clips.take(indices, epochs), "label": self.targets[torch.from_numpy(indices)]}


def clip_learner(model: VideoModel, task: ClassifyClips) -> Learner:
    """The network with a head for the classes."""
    backbone = VideoBackbone(model.picture.backbone)
    return Learner({VIDEO: backbone}, task, model.whole, model.picture.precision)


@dataclass(frozen=True)
class ClipClassifier:
    """A fine-tuned network: what it was given, and its answers."""

    model: VideoModel
    task: ClassifyClips
    head: ClipHead

    def to(self, device: torch.device) -> Self:
        """Itself, moved there."""
        self.model.picture.backbone.to(device)
        self.head.to(device)
        return self

    @torch.no_grad()
    def answers(self, store: VideoStore, clips: Sequence[int] | np.ndarray) -> list[Answer]:
        """Of clips of a store, by the mean over windows; see :meth:`selftaught.decisions.OneOf.answers`."""
        rows = [self.head(self._seen(vectors)).float().mean(0) for vectors in self.model.vectors(store, clips)]
        return self.task.decision.answers(torch.stack(rows)) if rows else []

    @torch.no_grad()
    def attention(self, store: VideoStore, clips: Sequence[int] | np.ndarray) -> np.ndarray:
        """How much each step of the first window of clips counts, float32 [C, F - 1]."""
        rows = [self.head.attention(self._seen(vectors[:1]))[0] for vectors in self.model.vectors(store, clips)]
        return torch.stack(rows).cpu().numpy()

    def _seen(self, vectors: np.ndarray) -> Tensor:
        places = self.task.places(vectors.shape[1]).numpy()
        return torch.from_numpy(vectors[:, places]).to(next(self.head.parameters()).device)

    def save(self, run: Run) -> None:
        """Write the model folder, and the head beside it."""
        with written_aside(run.model) as folder:
            self.model.save(folder)
            save_classes(folder / FILE, self.task)
        run.save_parts(head_parts(self.head))

    @classmethod
    def load(cls, place: str | Path, precision: str = "fp32") -> "ClipClassifier | None":
        """The fine-tuned network of a run; None if it was not taught classes of clips.

        Raises:
            SelftaughtError: if its files are damaged.
        """
        folder = picture_folder(Path(place))
        if folder is None or not (file := folder / FILE).is_file():
            return None
        model = VideoModel.load(place, precision)
        task, head = load_taught(
            file,
            ClassifyClips,
            lambda classes: ClipHead(model.picture.backbone.width, classes),
            lambda: load_file(folder.parent / "heads.safetensors"),
        )
        return cls(model, task, head.eval())


def is_taught_clips(place: str | Path) -> bool:
    """Whether this is a run that was taught classes of clips."""
    folder = picture_folder(Path(place))
    return folder is not None and (folder / FILE).is_file()
