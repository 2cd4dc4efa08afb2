"""Masked language modelling: guess the hidden tokens from both sides (Devlin et al. 2019, section 3.1)."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.heads import CausalLMHead, MaskedLMHead
from selftaught.backbones.hf import text_backbone
from selftaught.objective import Architecture, Batch, Objective, Spec, Sums
from selftaught.pretext.text import choose_tokens, choose_words, replace_tokens, words_of
from selftaught.pretext.words import join_chinese_words
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class MLM(Objective):
    """Hide a share of the tokens, anew each epoch, and predict them.

    The same number of tokens is hidden in each row, so shapes are static, and only the hidden positions reach
    the vocabulary projection.

    Args:
        rate: the share of tokens hidden.
        whole_words: hide all tokens of a word together.
        shifted: answer at the position before the hidden token, with the head of a decoder: so one network learns to
            fill in and to continue (Charpentier and Samuel 2024, "GPT or BERT: why not both?", section 2). Beside an
            objective that wants a decoder this is so by itself.
    """

    corrupts: ClassVar[bool] = True
    token_losses: ClassVar[tuple[str, ...]] = ("loss",)

    rate: float = 0.15
    whole_words: bool = False
    shifted: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"the masking rate is a share between 0 and 1, not {self.rate}")

    @property
    def architecture(self) -> Architecture:  # type: ignore[override]
        return "decoder" if self.shifted else "encoder"

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``input_ids`` int64 [B, T]: ``positions`` [B*K] in the flattened batch, and ``answers`` [B*K].

        A position that asks nothing (its row is too short) has the answer -100. Rows that are read from left to right
        (``causal`` bool [B]) are another objective's and are left alone.
        """
        assert spec.text is not None
        ids = samples["input_ids"]
        maskable = ~spec.text.special[ids]
        if "attention_mask" in samples:
            maskable &= samples["attention_mask"]
        if self.shifted:
            samples = {"causal": torch.zeros(len(ids), dtype=torch.bool), **samples}
            maskable &= ~samples["causal"][:, None]
            maskable[:, 0] = False  # nothing stands before it
        count = max(1, round(self.rate * ids.shape[1]))
        if self.whole_words:
            starts = join_chinese_words(ids, spec.text.starts_word[ids], spec.text.surfaces)
            positions, chosen = choose_words(maskable, words_of(starts), count, rng)
        else:
            positions, chosen = choose_tokens(maskable, count, rng)
        chosen &= _quota(maskable, self.rate, count)
        flat = positions + torch.arange(len(ids))[:, None] * ids.shape[1]
        answers = ids.gather(1, positions).masked_fill(~chosen, -100)
        return {
            **samples,
            "input_ids": replace_tokens(ids, positions, chosen, spec.text, rng),
            "positions": (flat.flatten() - int(self.shifted)).clamp(min=0),
            "answers": answers.flatten(),
            "n": int(chosen.sum()),
        }

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own language modelling head, its projection tied to the token embeddings."""
        assert spec.text is not None
        if self.shifted:
            return CausalLMHead.of(text_backbone(backbones))
        return MaskedLMHead.of(text_backbone(backbones), unigram=spec.text.unigram)

    def chance(self, spec: Spec, size: int) -> float | None:
        assert spec.text is not None
        return math.log(int((~spec.text.special).sum()))

    def beside(self, others: tuple[Objective, ...]) -> "MLM":
        return replace(self, shifted=True) if any(other.architecture == "decoder" for other in others) else self

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over hidden tokens; ``correct`` counts the exact hits."""
        hidden = features.flatten(0, 1)[batch["positions"]]  # [B*K, D]
        logits = heads(hidden).float()  # [B*K, V]
        answers = batch["answers"]
        return {
            "loss": F.cross_entropy(logits, answers, reduction="sum", ignore_index=-100),
            "accuracy": hits(logits.detach(), answers),
        }


def hits(logits: Tensor, answers: Tensor) -> Tensor:
    """How many answers have the highest logit. Finding the maximum is eight times as fast as finding its place."""
    given = logits.gather(1, answers.clamp(min=0)[:, None]).squeeze(1)
    return ((logits.amax(1) == given) & (answers >= 0)).sum()


def _quota(maskable: Tensor, rate: float, count: int) -> Tensor:
    """The first ``round(rate * maskable tokens)`` of ``count`` choices, at least one of them: bool [B, count]."""
    quota = (maskable.sum(1) * rate).round().clamp(min=1)
    return torch.arange(count) < quota[:, None]
