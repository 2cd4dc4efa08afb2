"""Next sentence prediction: does the second segment follow the first? (Devlin et al. 2019, section 3.1)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.heads import PairHead
from selftaught.backbones.hf import text_backbone
from selftaught.objective import Batch, Objective, Samples, Spec, Sums
from selftaught.pretext.pairs import join_segments
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class NSP(Objective):
    """Say whether a segment follows another one, or comes from another document, as half of them do."""

    samples: ClassVar[Samples] = "pairs"

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From segments [B, 3, S]: rows as :func:`join_segments` makes them, and ``wrong`` int64 [B], 1 if strange."""
        assert spec.text is not None
        ids, mask = samples["input_ids"], samples["attention_mask"]
        strange = (rng.uniform("strange") < 0.5).long()
        chosen = torch.stack([torch.zeros_like(strange), 1 + strange], 1)  # [B, 2]
        rows = torch.arange(len(ids))[:, None]
        return {**join_segments(ids[rows, chosen], mask[rows, chosen], spec.text), "wrong": strange, "n": len(ids)}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The head that sentence order prediction has too."""
        return PairHead(text_backbone(backbones))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        return score_pairs(features, heads, batch)

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(2)


def score_pairs(features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
    """Cross-entropy in nats, summed over the pairs; ``accuracy`` counts the right answers."""
    logits = heads(features, batch["attention_mask"], batch["token_type_ids"]).float()  # [B, 2]
    return {
        "loss": F.cross_entropy(logits, batch["wrong"], reduction="sum"),
        "accuracy": (logits.detach().argmax(1) == batch["wrong"]).sum(),
    }
