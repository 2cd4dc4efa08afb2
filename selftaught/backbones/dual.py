"""Two towers as files: transformers' vision-text dual encoder where that can hold them, or a folder for each tower."""

import math
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel, VisionTextDualEncoderConfig, VisionTextDualEncoderModel

from selftaught.backbones.hf import DUAL, TextBackbone, backbone_from_config, from_folder, load_backbone
from selftaught.backbones.presets import PatchSize, TextSize
from selftaught.backbones.towers import FirstState, MeanState, NormedMean, TwoTowers
from selftaught.backbones.vision import (
    PictureBackbone,
    load_picture_backbone,
    new_picture_backbone,
    save_picture_model,
)
from selftaught.data.files import read_json
from selftaught.data.manifest import refuse_damaged
from selftaught.errors import SelftaughtError

VISION, TEXT = "vision", "text"  # the folders of towers that no class of transformers holds together
_ABOVE = "towers.safetensors"


def new_text_tower(size: TextSize, vocab_size: int, *, pad_id: int, longest_row: int) -> TextBackbone:
    """An untrained BERT: with its pooler, which is among the heads here, it is one that a dual encoder can hold.

    Its first state is what is pooled, and must begin to differ from text to text: see :func:`new_picture_tower`.
    """
    config = transformers.BertConfig(
        vocab_size=vocab_size,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.width // size.head_width,
        intermediate_size=4 * size.width,
        max_position_embeddings=longest_row,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=size.width**-0.5,
        pad_token_id=pad_id,
    )
    return backbone_from_config(config)


def new_picture_tower(size: PatchSize, resolution: int) -> PictureBackbone:
    """An untrained vision transformer whose first state differs from picture to picture from the beginning.

    Weights of a deviation of 0.02, which transformers begins with, let the attention of a narrow network bring next to
    nothing into the first state: all vectors are nearly one, and the loss stays at chance for long (docs/lab.md).
    """
    return new_picture_backbone(size, resolution, deviation=size.width**-0.5)


def save_towers(folder: Path, picture: PictureBackbone, text: TextBackbone, towers: TwoTowers) -> None:
    """Write ``config.json`` and ``model.safetensors`` of a ``VisionTextDualEncoderModel``.

    It takes the pooled output of each tower. Of towers that have none of their own, ``vision`` and ``text`` become a
    folder each that AutoModel loads, and what stands above them goes into ``towers.safetensors``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(towers.picture_pool, MeanState) or isinstance(towers.text_pool, MeanState):
        save_picture_model(folder / VISION, picture)
        text.encoder.save_pretrained(folder / TEXT)
        save_file({name: tensor.contiguous() for name, tensor in towers.state_dict().items()}, folder / _ABOVE)
        return
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        picture.config, text.config, projection_dim=towers.visual_projection.out_features
    )
    weights = {
        **{f"vision_model.{name}": part for name, part in picture.encoder.state_dict().items()},
        **{f"text_model.{name}": part for name, part in text.encoder.state_dict().items()},
        **_renamed(towers),
    }
    model = VisionTextDualEncoderModel(config)
    model.load_state_dict({name: part.contiguous() for name, part in weights.items()})
    model.save_pretrained(folder)


def load_towers(folder: Path, bias: float | None = None) -> tuple[PictureBackbone, TextBackbone, TwoTowers]:
    """What :func:`save_towers` wrote, or a dual encoder of ViT or ConvNeXt and BERT from elsewhere.

    Args:
        bias: see :class:`TwoTowers`; a dual encoder has none.

    Raises:
        SelftaughtError: if there are no two towers, or their files are damaged.
    """
    if (folder / _ABOVE).is_file():
        return _load_apart(folder, bias)
    refuse_damaged(folder)
    model, _ = from_folder(AutoModel, folder, attn_implementation=None)
    assert isinstance(model, VisionTextDualEncoderModel)
    found = dict(model.state_dict())
    picture, text = PictureBackbone(model.vision_model), TextBackbone(model.text_model)
    towers = TwoTowers(picture, text, model.projection_dim, math.e, bias)
    wanted = _renamed(towers)
    if missing := sorted(wanted.keys() - found.keys()):
        raise SelftaughtError(
            f"these are towers of a kind that is not known here: {missing[0]} is missing",
            where=str(folder),
            do="a dual encoder of ViT or ConvNeXt, and of BERT or RoBERTa, can be read",
        )
    with torch.no_grad():
        for name, part in wanted.items():
            part.copy_(found[name])
    return picture, text, towers


def _load_apart(folder: Path, bias: float | None) -> tuple[PictureBackbone, TextBackbone, TwoTowers]:
    picture, text = load_picture_backbone(folder / VISION), load_backbone(folder / TEXT)
    try:
        above = load_file(folder / _ABOVE)
        towers = TwoTowers(picture, text, len(above["visual_projection.weight"]), math.e, bias)
        towers.load_state_dict(above, strict=False)
    except (SafetensorError, KeyError, RuntimeError) as error:
        what = f"what stands above the towers cannot be read: {error}"
        raise SelftaughtError(what, where=str(folder / _ABOVE), do="repeat the run that made it") from error
    return picture, text, towers


def holds_towers(folder: Path) -> bool:
    """Whether a model folder is one of two towers."""
    if (folder / _ABOVE).is_file():
        return True
    try:
        facts: Any = read_json(folder / "config.json")
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("model_type") == DUAL


def _renamed(towers: TwoTowers) -> dict[str, Tensor]:
    """The weights above the towers under the names that the dual encoder has for them."""
    state = towers.state_dict(keep_vars=True)
    found = {name: state[name] for name in ("visual_projection.weight", "text_projection.weight", "logit_scale")}
    for own, theirs, pool in (
        ("picture_pool", "vision_model", towers.picture_pool),
        ("text_pool", "text_model", towers.text_pool),
    ):
        for part in ("weight", "bias"):
            if isinstance(pool, FirstState):
                found[f"{theirs}.pooler.dense.{part}"] = state[f"{own}.dense.{part}"]
            elif isinstance(pool, NormedMean):
                found[f"{theirs}.layernorm.{part}"] = state[f"{own}.norm.{part}"]
    return found
