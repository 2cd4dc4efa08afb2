"""Networks over pictures: transformers' ViT, which can read some patches and not others, and those of convolutions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForImageClassification, VisionTextDualEncoderModel

from selftaught.backbones.frozen import Frozen, frozen_teacher
from selftaught.backbones.hf import fastest_attention, from_folder, with_options
from selftaught.backbones.presets import ConvSize, PatchSize
from selftaught.data.manifest import refuse_damaged
from selftaught.objective import Batch

IMAGE = "image"
PICTURE_KINDS = ("vit", "regnet", "resnet", "convnext", "convnextv2")
_CLASSIFY_THE_MEAN = (
    "regnet",
    "resnet",
)  # as ours do; transformers' others read the first state, or a norm of the mean
_HEAD = "classifier.1."


class PictureBackbone(nn.Module):
    """A network over pictures without any head.

    Args:
        encoder: a transformers base model, ``vit`` or one of convolutions.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        if encoder.config.model_type == "vit":
            encoder.pooler = None  # a pooler is a head; left here it would get no gradient
        else:
            encoder.pooler = nn.Identity()  # where there is one, it gives the mean, which is taken from the states
            encoder.to(memory_format=torch.channels_last)  # convolutions are half again as fast
            for part in encoder.modules():
                if isinstance(part, nn.ReLU):
                    part.inplace = True  # what stands before it, a norm or a sum, does not need its own result
        self.encoder: Any = encoder

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.encoder.config

    @property
    def reads_patches(self) -> bool:
        """Whether it reads patches, each by itself, so that some can be left out."""
        return bool(self.config.model_type == "vit")

    @property
    def width(self) -> int:
        """Of a state (D)."""
        return self.config.hidden_size if self.reads_patches else self.config.hidden_sizes[-1]

    @property
    def patch(self) -> int:
        """The side of a patch, in pixels."""
        return self.config.patch_size

    def forward(self, batch: Batch) -> Tensor:
        """States [N, T, D] of ``pixels`` float [N, 3, H, W].

        Of a network of patches the first state is that of the picture as a whole, the others those of its patches: all,
        or those at ``visible`` int64 [N, K]. What is not visible is not computed (He et al. 2022, section 3). Of
        convolutions the states are the places of the last layer.
        """
        pixels = batch["pixels"]
        if not self.reads_patches:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            return self.encoder(pixels).last_hidden_state.flatten(2).transpose(1, 2)
        visible = batch.get("visible")
        if visible is None:
            self._attend(pixels, 1 + (pixels.shape[-1] // self.patch) ** 2)
            return self.encoder(pixel_values=pixels).last_hidden_state
        return self.through(self.patches(pixels, visible))

    def patches(self, pixels: Tensor, visible: Tensor) -> Tensor:
        """What the first layer is given of the ``visible`` [N, K] patches of ``pixels``, places included: [N, K, D]."""
        inside = self.encoder.embeddings
        patches = inside.patch_embeddings(pixels) + inside.position_embeddings[:, 1:]
        return patches.gather(1, visible[..., None].expand(-1, -1, patches.shape[-1]))

    def through(self, patches: Tensor) -> Tensor:
        """States [N, 1 + K, D] of rows [N, K, D] of what :meth:`patches` gives; the first is of the whole."""
        inside = self.encoder.embeddings
        whole = (inside.cls_token + inside.position_embeddings[:, :1]).expand(len(patches), -1, -1)
        states = torch.cat([whole, patches], 1)
        self._attend(states, states.shape[1])
        for layer in self.encoder.layers:
            states = layer(states, None)
        return self.encoder.layernorm(states)

    def _attend(self, like: Tensor, length: int) -> None:
        """Choose the kind of attention that is fastest for rows of this length."""
        attention = fastest_attention(like, length)
        if self.config._attn_implementation != attention:
            self.encoder.set_attn_implementation(attention)

    def pooled(self, states: Tensor) -> Tensor:
        """One vector a picture [N, D]: the mean of its states."""
        return states.mean(1)


class PatchLayers(nn.Module):
    """Layers of a vision transformer alone, from rows [N, T, D] to rows of the same shape.

    Args:
        head_width: size of an attention head.
    """

    def __init__(self, layers: int, width: int, head_width: int = 32) -> None:
        super().__init__()
        self._config = transformers.ViTConfig(
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=max(1, width // head_width),
            intermediate_size=4 * width,
            image_size=8,
            patch_size=8,
        )
        whole = transformers.ViTModel(self._config, add_pooling_layer=False)
        self.layers, self.norm = whole.layers, whole.layernorm

    def forward(self, rows: Tensor) -> Tensor:
        self._config._attn_implementation = fastest_attention(rows, rows.shape[1])
        for layer in self.layers:
            rows = layer(rows, None)
        return self.norm(rows)


def picture_backbone(backbones: nn.ModuleDict) -> PictureBackbone:
    """The picture network among a learner's backbones."""
    found = backbones[IMAGE]
    assert isinstance(found, PictureBackbone)
    return found


class PictureTeacher(Frozen):
    """A network over pictures to learn from."""

    def __init__(self, backbone: PictureBackbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.freeze()

    @torch.no_grad()
    def forward(self, batch: Batch) -> Tensor:
        """Its features of ``pixels``, [N, D]."""
        self.eval()
        return self.backbone.pooled(self.backbone(batch))


def picture_teacher(backbones: nn.ModuleDict) -> PictureTeacher:
    """See :func:`selftaught.backbones.frozen.frozen_teacher`."""
    return frozen_teacher(backbones, PictureTeacher)


def new_picture_backbone(size: PatchSize | ConvSize, resolution: int, deviation: float = 0.02) -> PictureBackbone:
    """An untrained network of a size for pictures of a resolution.

    Args:
        deviation: of the weights of a vision transformer.
    """
    if isinstance(size, PatchSize):
        patch = size.patch if resolution <= 64 else 2 * size.patch if resolution <= 128 else 16
        config: Any = transformers.ViTConfig(
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.width // size.head_width,
            intermediate_size=4 * size.width,
            image_size=resolution,
            patch_size=patch,
            initializer_range=deviation,
        )
    else:
        config = transformers.RegNetConfig(
            embedding_size=size.widths[0],
            hidden_sizes=list(size.widths),
            depths=list(size.depths),
            groups_width=size.group,
            layer_type="x",
            downsample_in_first_stage=resolution > 64,
        )
    return from_config(config)


def from_config(config: Any) -> PictureBackbone:
    """An untrained network as its configuration says."""
    return PictureBackbone(AutoModel.from_config(config))


def load_picture_backbone(folder: Path) -> PictureBackbone:
    """The network in a transformers folder."""
    refuse_damaged(folder)
    model, _ = from_folder(AutoModel, folder, attn_implementation=None)
    return PictureBackbone(model.vision_model if isinstance(model, VisionTextDualEncoderModel) else model)


def untrained_picture_twin(backbone: PictureBackbone) -> PictureBackbone:
    """The same network with weights as they would have been before any training."""
    return from_config(with_options(backbone.config))


def save_picture_model(folder: Path, backbone: PictureBackbone) -> None:
    """Write ``config.json`` and ``model.safetensors`` as transformers has them, but for a pooler: it is untrained."""
    weights = {name: weight.contiguous() for name, weight in backbone.encoder.state_dict().items()}
    config = with_options(backbone.config, num_labels=2, problem_type=None)  # one that was taught classes forgets them
    AutoModel.from_config(config).save_pretrained(folder, state_dict=weights)


def holds_classes(backbone: PictureBackbone) -> bool:
    """Whether transformers' network for classes of this kind answers as ours: by a linear layer on the mean state."""
    return backbone.config.model_type in _CLASSIFY_THE_MEAN


def save_picture_classifier(
    folder: Path, backbone: PictureBackbone, head: nn.Linear, classes: Sequence[str], *, several: bool
) -> None:
    """The same with the classes, for ``AutoModelForImageClassification``; of a network that :func:`holds_classes`.

    Args:
        several: whether a picture has any number of them.
    """
    names = dict(enumerate(classes))
    config = with_options(
        backbone.config,
        id2label=names,
        label2id={name: number for number, name in names.items()},
        problem_type="multi_label_classification" if several else "single_label_classification",
    )
    model = AutoModelForImageClassification.from_config(config)
    parts = {model.base_model_prefix + "." + name: part for name, part in backbone.encoder.state_dict().items()}
    parts |= {_HEAD + name: part for name, part in head.state_dict().items()}
    model.save_pretrained(folder, state_dict={name: part.contiguous() for name, part in parts.items()})


def load_picture_head(folder: Path) -> dict[str, Tensor]:
    """The weights of the head that :func:`save_picture_classifier` wrote; none if there is no head."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        names = [name for name in list(file.keys()) if name.startswith(_HEAD)]
        return {name.removeprefix(_HEAD): file.get_tensor(name) for name in names}


def moving_average(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Bring each weight of the teacher a step nearer to the student's."""
    with torch.no_grad():
        for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
            slow.lerp_(fast, 1 - momentum)


def projector(width: int, inner: int, out: int, make: Callable[[int], nn.Module] = nn.BatchNorm1d) -> nn.Sequential:
    """The head of a contrastive objective: one hidden layer (Chen et al. 2020, section 4.2)."""
    return nn.Sequential(nn.Linear(width, inner, bias=False), make(inner), nn.ReLU(), nn.Linear(inner, out))
