"""The folder of a language model that sees pictures.

model/                       the language model, as transformers has it, unchanged
model/pictures/              the network over pictures, as transformers has it, unchanged
model/flamingo.safetensors   what was trained between the two
model/flamingo.json          its form
"""

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from selftaught.backbones.flamingo import Between, Flamingo
from selftaught.backbones.heads import save_model
from selftaught.backbones.hf import TextBackbone
from selftaught.errors import SelftaughtError
from selftaught.pictures.model import PictureModel

_FORM, _WEIGHTS, _PICTURES = "flamingo.json", "flamingo.safetensors", "pictures"


def holds_flamingo(folder: Path) -> bool:
    """Whether the language model in this model folder sees pictures."""
    return (folder / _FORM).is_file()


def save_network(folder: Path, backbone: TextBackbone, heads: nn.Module) -> None:
    """Write a network over text with its heads, and where it sees pictures what its own folder does not hold."""
    save_model(folder, backbone, heads)
    if not isinstance(backbone, Flamingo):
        return
    PictureModel(backbone.pictures.backbone, backbone.pictures.spec).save(folder / _PICTURES)
    save_file({name: w.detach().cpu().contiguous() for name, w in backbone.between().items()}, folder / _WEIGHTS)
    (folder / _FORM).write_text(json.dumps(asdict(backbone.form), indent=1), encoding="utf-8")


def load_between(folder: Path) -> tuple[PictureModel, Between, dict[str, Tensor]]:
    """What :func:`save_network` wrote beside the language model: the network over pictures, and what goes between.

    Raises:
        SelftaughtError: if a file is missing or damaged.
    """
    try:
        form = TypeAdapter(Between).validate_json((folder / _FORM).read_text(encoding="utf-8"))
        weights = load_file(folder / _WEIGHTS)
    except (OSError, ValidationError, SafetensorError) as error:
        what = f"what was trained between the language model and the pictures cannot be read: {error}"
        raise SelftaughtError(what, where=str(folder), do="restore flamingo.json and flamingo.safetensors") from error
    return PictureModel.load(folder / _PICTURES), form, weights
