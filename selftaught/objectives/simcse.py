"""Contrastive sentence embeddings without labels: dropout makes the two views (Gao et al. 2021, section 3)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import dropping, text_backbone
from selftaught.backbones.pooling import POOL
from selftaught.metrics.spread import alignment, uniformity
from selftaught.objective import Architecture, Batch, Objective, Pooling, Samples, Spec, Sums
from selftaught.randomness import Randomness, fingerprints
from selftaught.ranks import gathered, rank, ranks


@dataclass(frozen=True)
class SimCSE(Objective):
    """Read each sentence twice, with other units dropped, and find its second vector among those of the batch.

    Args:
        temperature: by which cosines are divided; the smaller, the more the nearest wrong sentences count.
        dropout: the share of units dropped, in this objective's pass only.
    """

    couples_batch: ClassVar[bool] = True
    stream: ClassVar[str] = "text.twice"
    samples: ClassVar[Samples] = "sentences"
    architecture: ClassVar[Architecture] = "any"
    pooling: ClassVar[Pooling | None] = "mean"

    temperature: float = 0.05
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"the temperature is above 0, not {self.temperature}")
        if not 0 < self.dropout < 1:
            raise ValueError(f"the dropout is a share between 0 and 1, not {self.dropout}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``input_ids`` and ``attention_mask`` [B, T]: ``seed``, which decides what is dropped, and ``sentence``.

        Rows with one number in ``sentence`` [B] hold one sentence, and are no wrong answers to each other.
        """
        sentence = fingerprints(samples["input_ids"], samples["attention_mask"])
        seed = int(rng.integers("views", 2**31)[0])
        return {**samples, "sentence": sentence, "seed": seed, "n": len(sentence)}

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Tensor:
        """The vectors of both views, of length one: [2, B, D]."""
        twice = {name: torch.cat([batch[name]] * 2) for name in ("input_ids", "attention_mask")}
        backbone = text_backbone(backbones)
        with dropping(backbone, self.dropout, batch["seed"]):
            hidden = backbone(twice).float()
        return F.normalize(POOL["mean"](hidden, twice["attention_mask"]), dim=-1).unflatten(0, (2, -1))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """NT-Xent in nats, from this rank's first views to all second ones; the measures are about the same cosines.

        ``uniformity`` is a matter of all of them, and counted for each sentence.
        """
        first, second = features
        with torch.autocast(first.device.type, enabled=False):  # in bfloat16 a cosine near 1 is off by a part in 256
            cosines = first @ gathered(second).T  # [B, ranks * B]
        same = batch["sentence"][:, None] == gathered(batch["sentence"])[None, :]
        rows = torch.arange(len(first), device=first.device)
        own, twins = rows + rank() * len(first), same.clone()
        twins[rows, own] = False
        logits = (cosines / self.temperature).masked_fill(twins, -torch.inf)
        cosines = cosines.detach()
        return {
            "loss": F.cross_entropy(logits, own, reduction="sum"),
            "accuracy": (logits.detach().argmax(1) == own).sum(),
            "alignment": alignment(cosines[rows, own]).sum(),
            "uniformity": uniformity(cosines[~same]) * len(first),
        }

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(size * ranks())
