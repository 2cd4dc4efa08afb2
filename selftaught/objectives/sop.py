"""Sentence order prediction: which of two segments comes first? (Lan et al. 2020, "ALBERT", section 3.1)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from selftaught.backbones.heads import PairHead
from selftaught.backbones.hf import text_backbone
from selftaught.objective import Batch, Objective, Samples, Spec, Sums
from selftaught.objectives.nsp import score_pairs
from selftaught.pretext.pairs import join_segments
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class SOP(Objective):
    """Say whether two segments that follow each other stand in their order or are swapped, as half of them are.

    Both are of one document, so that its topic gives nothing away, as it does in next sentence prediction.
    """

    samples: ClassVar[Samples] = "pairs"

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From segments [B, 3, S]: rows as :func:`join_segments` makes them, and ``wrong`` int64 [B], 1 if swapped."""
        assert spec.text is not None
        ids, mask = samples["input_ids"], samples["attention_mask"]
        swapped = (rng.uniform("swapped") < 0.5).long()
        chosen = torch.stack([swapped, 1 - swapped], 1)  # [B, 2]
        rows = torch.arange(len(ids))[:, None]
        return {**join_segments(ids[rows, chosen], mask[rows, chosen], spec.text), "wrong": swapped, "n": len(ids)}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The head that next sentence prediction has too."""
        return PairHead(text_backbone(backbones))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        return score_pairs(features, heads, batch)

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(2)
