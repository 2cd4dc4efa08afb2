"""Each picture finds its caption, and each caption its picture (Radford et al. 2021, section 2.3)."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import text_backbone
from selftaught.backbones.towers import PAIR, TwoTowers, Vectors
from selftaught.backbones.vision import picture_backbone
from selftaught.metrics.spread import alignment, uniformity
from selftaught.objective import Architecture, Batch, Objective, Spec, Sums, TextSpec
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import one_view
from selftaught.randomness import Randomness
from selftaught.ranks import gathered, rank, ranks

_SIGMOID_SCALE, _SIGMOID_BIAS = 10.0, -10.0  # Zhai et al. 2023, section 3.2: nearly all pairs are wrong ones


@dataclass(frozen=True)
class Clip(Objective):
    """Tell each picture's caption from those of all others in the batch, and each caption's picture.

    Pictures with one caption, and captions of one picture, are no wrong answers to each other. Needs batches as large
    as there is memory for; the sigmoid loss asks of each picture and caption whether they belong together, and makes do
    with small ones (Zhai et al. 2023).

    Args:
        kind: ``softmax`` or ``sigmoid``.
        temperature: by which cosines are divided at first; it is learned, and kept at 0.01 or more.
        projection: numbers of the vectors that are compared.
        area: the smallest share of the picture that a crop keeps.
        flip: the probability of a mirror image; 0, for a caption may say left or right, or spell.
        jitter: of brightness, contrast, saturation and hue; little, for a caption may name colours.
        grey: the probability of grey.
        forget: the share of a caption's tokens that the text network is not shown, so that it knows the words apart.
    """

    couples_batch: ClassVar[bool] = True
    stream: ClassVar[str] = PAIR
    architecture: ClassVar[Architecture] = "any"

    kind: Literal["softmax", "sigmoid"] = "softmax"
    temperature: float = 0.07
    projection: int = 128
    area: float = 0.6
    flip: float = 0.0
    jitter: float = 0.1
    grey: float = 0.0
    forget: float = 0.0

    def __post_init__(self) -> None:
        if not 1 / 100 <= self.temperature <= 1:
            raise ValueError(f"the temperature is from 0.01 to 1, not {self.temperature}")
        if self.kind not in ("softmax", "sigmoid"):
            raise ValueError(f"the kind of loss is softmax or sigmoid, not {self.kind!r}")
        if not 0 <= self.forget < 1:
            raise ValueError(f"forget is a share of the tokens, 0 or more and below 1, not {self.forget}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``pixels`` uint8 [B, 3, H, W] changed views, and captions [B, T] of which some tokens may be hidden."""
        how = Views(self.area, flip=self.flip, jitter=self.jitter, grey=self.grey)
        view, mask = one_view(samples, spec, rng, how), samples["attention_mask"]
        if self.forget and spec.text is not None:
            mask = _forgotten(samples, spec.text, rng, self.forget)
        return {**samples, **view, "attention_mask": mask, "n": len(samples["pixels"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        sigmoid = self.kind == "sigmoid"
        return TwoTowers(
            picture_backbone(backbones),
            text_backbone(backbones),
            self.projection,
            scale=_SIGMOID_SCALE if sigmoid else 1 / self.temperature,
            bias=_SIGMOID_BIAS if sigmoid else None,
        )

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Vectors:
        """The vectors of pictures and captions."""
        assert isinstance(heads, TwoTowers)
        return heads(backbones, batch)

    def loss(self, features: Vectors, heads: nn.Module, batch: Batch) -> Sums:
        """Sums over the pairs of this rank, each against all pairs of all ranks, in nats.

        Of ``softmax`` the mean of both directions; of ``sigmoid`` over all captions of a picture. ``caption`` and
        ``picture`` int64 [B] number the different ones.
        """
        assert isinstance(heads, TwoTowers)
        pictures, texts = features
        with torch.autocast(pictures.device.type, enabled=False):
            to_texts, to_pictures = pictures @ gathered(texts).T, texts @ gathered(pictures).T  # [B, ranks * B]
        count = len(pictures)
        own = torch.arange(count, device=pictures.device) + rank() * count
        right = F.one_hot(own, count * ranks()).bool()
        alike = _same(batch["caption"]) | _same(batch["picture"])
        twins, wrong = alike & ~right, ~(alike | right)
        to_texts, to_pictures = heads.scale * to_texts, heads.scale * to_pictures
        if self.kind == "sigmoid":
            assert heads.logit_bias is not None
            signs = torch.where(right, 1.0, -1.0)
            each = F.logsigmoid(signs * (to_texts + heads.logit_bias)).masked_fill(twins, 0.0)
            loss = -each.sum()
        else:
            logits = [one.masked_fill(twins, -torch.inf) for one in (to_texts, to_pictures)]
            loss = torch.stack([F.cross_entropy(one, own, reduction="sum") for one in logits]).mean()
        found = [one.detach().masked_fill(twins, -torch.inf).argmax(1) == own for one in (to_texts, to_pictures)]
        return {
            "loss": loss,
            "accuracy": (found[0].sum() + found[1].sum()) / 2,
            **_spread(features, wrong[:, rank() * count : (rank() + 1) * count]),
            "scale": heads.scale.detach() * count,
        }

    def after_step(self, backbones: nn.ModuleDict, heads: nn.Module) -> None:
        assert isinstance(heads, TwoTowers)
        heads.clamp()

    def chance(self, spec: Spec, size: int) -> float | None:
        """ln of the batch; of the sigmoid loss, the entropy of saying of every pair how seldom one is right."""
        every = size * ranks()
        if self.kind == "softmax" or every == 1:
            return math.log(every)
        return math.log(every) + (every - 1) * math.log(every / (every - 1))


def _forgotten(samples: Batch, spec: TextSpec, rng: Randomness, share: float) -> Tensor:
    """``attention_mask`` bool [B, T] without some tokens; a caption of which nothing would be left stays whole."""
    ids, mask = samples["input_ids"], samples["attention_mask"]
    words = mask & ~spec.special[ids]
    kept = words & (rng.uniform("forget", ids.shape[1]) >= share)
    return (mask & ~words) | torch.where(kept.any(1, keepdim=True), kept, words)


def _same(own: Tensor) -> Tensor:
    """Where this rank's numbers are those of another pair, of all ranks: bool [B, ranks * B]."""
    return own[:, None] == gathered(own)[None, :]


def _spread(features: Vectors, wrong: Tensor) -> Sums:
    """How near pairs are, and how evenly the vectors of pictures, or those of texts if they are worse, lie."""
    pictures, texts = (part.detach() for part in features)
    each = [uniformity((one @ one.T)[wrong]) for one in (pictures, texts)]
    return {
        "alignment": alignment((pictures * texts).sum(1)).sum(),
        "uniformity": torch.maximum(*each) * len(pictures),
    }
