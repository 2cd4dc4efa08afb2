"""Causal language modelling: guess the next token from those before it (Radford et al. 2019, section 2)."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.heads import CausalLMHead
from selftaught.backbones.hf import text_backbone
from selftaught.objective import Architecture, Batch, Objective, Spec, Sums
from selftaught.randomness import Randomness

_FUSED_SHARE = 0.5


@dataclass(frozen=True)
class CausalLM(Objective):
    """Predict each token of a document from those before it.

    Args:
        share: the share of rows that are asked about; the others are left to another objective of a sum (the ratio of
            Charpentier and Samuel 2024, "GPT or BERT: why not both?", section 2). Not given, it is all of them, and
            half of them beside an objective that hides tokens.
    """

    architecture: ClassVar[Architecture] = "decoder"
    token_losses: ClassVar[tuple[str, ...]] = ("loss",)

    share: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"the share of rows is above 0 and at most 1, not {self.share}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``input_ids`` int64 [B, T]: ``causal`` bool [B], the rows asked about, and ``next`` int64 [B, T].

        ``next`` is the token after each, -100 where that is of another document or padding, and at a row's end.
        """
        ids = samples["input_ids"]
        rows = rng.uniform("which rows") < (1.0 if self.share is None else self.share)
        asked = rows[:, None].expand_as(ids[:, 1:])
        if "segments" in samples:
            asked = asked & (samples["segments"][:, 1:] == samples["segments"][:, :-1])
        if "attention_mask" in samples:
            asked = asked & samples["attention_mask"][:, 1:].bool()
        following = F.pad(ids[:, 1:].masked_fill(~asked, -100), (0, 1), value=-100)
        return {**samples, "causal": rows, "next": following, "n": int(asked.sum())}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own language modelling head."""
        return CausalLMHead.of(text_backbone(backbones))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over next tokens; ``accuracy`` counts the exact hits."""
        return next_token_sums(features, heads, batch["next"])

    def chance(self, spec: Spec, size: int) -> float | None:
        assert spec.text is not None
        return math.log(spec.text.vocab_size)

    def beside(self, others: tuple[Objective, ...]) -> "CausalLM":
        if self.share is None and any(other.corrupts for other in others):
            return replace(self, share=_FUSED_SHARE)
        return self


def next_token_sums(features: Tensor, head: nn.Module, following: Tensor) -> Sums:
    """``loss`` in nats and ``accuracy``, summed over the tokens of ``following`` int64 [B, T] that are not -100."""
    asked = following >= 0
    answers = following[asked]  # [N]
    logits = head(features[asked]).float()  # [N, V]
    given = logits.detach().gather(1, answers[:, None]).squeeze(1)
    return {
        "loss": F.cross_entropy(logits, answers, reduction="sum"),
        "accuracy": (logits.detach().amax(1) == given).sum(),
    }
