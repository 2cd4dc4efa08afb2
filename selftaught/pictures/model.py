"""A trained network over pictures in use: its folder, and the features it makes.

model/config.json, model.safetensors   transformers' own, for AutoModel
model/preprocessor_config.json         how a picture becomes numbers, for AutoImageProcessor
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selftaught.backbones.hf import DUAL
from selftaught.backbones.vision import (
    PICTURE_KINDS,
    PictureBackbone,
    load_picture_backbone,
    save_picture_model,
    untrained_picture_twin,
)
from selftaught.data.files import read_json
from selftaught.data.manifest import refuse_damaged
from selftaught.data.picture_decoding import decode
from selftaught.errors import SelftaughtError
from selftaught.objective import PictureSpec
from selftaught.pretext.pictures import as_fractions, standardised
from selftaught.randomness import derive
from selftaught.run.folder import folder_of_kind

_AT_ONCE = 256
_PROCESSOR = "preprocessor_config.json"
_APART = ("model/vision", "vision")  # where the tower of pictures is, if two towers are folders of their own


@dataclass(frozen=True)
class PictureModel:
    """A network and what it must be given.

    Args:
        precision: of its passes, ``bf16`` or ``fp32``.
    """

    backbone: PictureBackbone
    spec: PictureSpec
    precision: str = "fp32"

    def save(self, folder: Path) -> None:
        """Write the model folder."""
        save_picture_model(folder, self.backbone)
        self.save_processor(folder)

    def save_processor(self, folder: Path) -> None:
        """Write how a picture becomes numbers, beside a network."""
        side = self.spec.resolution
        facts = {
            "image_processor_type": "ViTImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            "size": {"height": side, "width": side},
            "resample": 2,  # bilinear
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": self.spec.mean.tolist(),
            "image_std": self.spec.deviation.tolist(),
        }
        (folder / _PROCESSOR).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, place: str | Path, precision: str = "fp32") -> "PictureModel":
        """Open a run, or its model folder.

        Raises:
            SelftaughtError: if there is no network over pictures in it, or its files are damaged.
        """
        folder = picture_folder(Path(place))
        if folder is None:
            refuse_damaged(Path(place) / "model")  # what says of which kind it is may be what is damaged
            raise SelftaughtError(
                "there is no network over pictures here",
                where=str(place),
                do="give a run of pretrain --objective simclr",
            )
        backbone = load_picture_backbone(folder)
        return cls(backbone, read_processor(folder, backbone), precision)

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """Features of pictures, uint8 [N, 3, S, S] to float32 [N, D]."""
        return features(self.backbone, self.spec, pixels, self.precision)

    def read(self, files: Iterable[Path]) -> np.ndarray:
        """Pictures as the network is given them, uint8 [N, 3, S, S]."""
        return np.stack([decode(file, self.spec.resolution) for file in files])

    def untrained(self, seed: int) -> "PictureModel":
        """The same network with weights drawn anew."""
        torch.manual_seed(derive("untrained", seed))
        return PictureModel(untrained_picture_twin(self.backbone), self.spec, self.precision)


def read_processor(folder: Path, backbone: PictureBackbone) -> PictureSpec:
    """How a picture becomes numbers for a network, as :meth:`PictureModel.save_processor` or transformers wrote it.

    Raises:
        SelftaughtError: if it cannot be read.
    """
    file = folder / _PROCESSOR
    try:
        facts = read_json(file)
        size = _side(facts["size"])
        mean, deviation = (torch.tensor(facts[name]) for name in ("image_mean", "image_std"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"how pictures are prepared for this network cannot be read: {error}"
        raise SelftaughtError(what, where=str(file), do="repeat the run that made it") from error
    return PictureSpec(size, backbone.patch if backbone.reads_patches else None, mean, deviation)


def features(backbone: PictureBackbone, spec: PictureSpec, pixels: np.ndarray, precision: str) -> np.ndarray:
    """The mean of the last states of each picture, float32 [N, D]; the network reads as in use, not as in training."""
    rows = [backbone.pooled(states.float()).cpu() for states in states_of(backbone, spec, pixels, precision)]
    return torch.cat(rows).numpy() if rows else np.zeros((0, backbone.width), np.float32)


def states_of(backbone: PictureBackbone, spec: PictureSpec, pixels: np.ndarray, precision: str) -> Iterator[Tensor]:
    """The last states [n, T, D] of pictures uint8 [N, 3, S, S], some at a time."""
    device, was_training = next(backbone.parameters()).device, backbone.training
    backbone.eval()
    try:
        for first in range(0, len(pixels), _AT_ONCE):
            some = torch.from_numpy(np.array(pixels[first : first + _AT_ONCE])).to(device)
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                states = backbone({"pixels": standardised(as_fractions(some), spec)})
            yield states
    finally:
        backbone.train(was_training)


def _side(size: Any) -> int:
    """Of the squares that a processor of transformers makes."""
    if isinstance(size, dict):
        return int(size["height"] if "height" in size else size["shortest_edge"])
    return int(size)


def holds_picture_model(place: str | Path) -> bool:
    """Whether this is a run, or a model folder, of a network over pictures."""
    return picture_folder(Path(place)) is not None


def picture_folder(place: Path) -> Path | None:
    """The model folder of a network over pictures: that of a run, or the place itself; None if it is neither.

    Two towers are one too, by the tower of pictures.
    """
    found = folder_of_kind(place, (*PICTURE_KINDS, DUAL))
    return found or next((folder for part in _APART if (folder := place / part).is_dir()), None)
