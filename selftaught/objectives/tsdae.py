"""Denoising sentence embeddings: write the sentence again from one vector (Wang et al. 2021, TSDAE)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import text_backbone
from selftaught.backbones.pooling import POOL
from selftaught.objective import Architecture, Batch, Objective, Pooling, Samples, Spec, Sums
from selftaught.pretext.text import delete_tokens
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class TSDAE(Objective):
    """Delete most of a sentence's tokens, make one vector of the rest, and write the sentence from that alone.

    Args:
        rate: the share of tokens deleted.
    """

    stream: ClassVar[str] = "text.damaged"
    samples: ClassVar[Samples] = "sentences"
    architecture: ClassVar[Architecture] = "any"
    pooling: ClassVar[Pooling | None] = "mean"
    corrupts: ClassVar[bool] = True
    token_losses: ClassVar[tuple[str, ...]] = ("loss",)

    rate: float = 0.6

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"the share of tokens deleted is at least 0 and below 1, not {self.rate}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``input_ids`` and ``attention_mask`` [B, T]: ``before`` and ``answers``, int64 [B, T - 1].

        ``answers`` are the sentence's tokens and ``before`` those before each; -100 where nothing is asked, for
        special tokens never are. What is left of the sentence takes its place in ``input_ids``.
        """
        assert spec.text is not None
        ids, present = samples["input_ids"], samples["attention_mask"]
        ordinary = present & ~spec.text.special[ids]
        left, mask = delete_tokens(ids, present, ordinary, self.rate, spec.text.pad_id, rng)
        asked = ordinary[:, 1:]
        return {
            **samples,
            "input_ids": left,
            "attention_mask": mask,
            "before": ids[:, :-1],
            "answers": ids[:, 1:].masked_fill(~asked, -100),
            "n": int(asked.sum()),
        }

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The decoder."""
        assert spec.text is not None
        backbone = text_backbone(backbones)
        return SentenceDecoder(backbone.embeddings(), backbone.width, spec.text.unigram)

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Tensor:
        """The vector of what is left of each sentence: [B, D]."""
        seen = {name: batch[name] for name in ("input_ids", "attention_mask")}
        return POOL["mean"](text_backbone(backbones)(seen), seen["attention_mask"])

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over the sentences' tokens; ``accuracy`` counts the exact hits."""
        asked = batch["answers"] >= 0
        answers = batch["answers"][asked]  # [N]
        logits = heads(features, batch["before"], asked).float()  # [N, V]
        return {
            "loss": F.cross_entropy(logits, answers, reduction="sum"),
            "accuracy": (logits.detach().argmax(1) == answers).sum(),
        }

    def chance(self, spec: Spec, size: int) -> float | None:
        assert spec.text is not None
        return math.log(int((~spec.text.special).sum()))


class SentenceDecoder(nn.Module):
    """One transformer layer that reads from left to right and knows of the sentence what one vector says.

    Where there is one vector to attend to, attention to it is a projection of it, added at every place. The token
    embeddings, below and above, are the encoder's.

    Args:
        embeddings: the encoder's token embeddings, [V, E]; E is the decoder's width.
        width: of the vector (D).
        unigram: how often each token occurs, [V]; the bias begins at its logarithm.
    """

    def __init__(self, embeddings: nn.Embedding, width: int, unigram: Tensor) -> None:
        super().__init__()
        size = embeddings.embedding_dim
        heads = next(n for n in range(max(size // 64, 1), 0, -1) if size % n == 0)
        self.embeddings = embeddings
        self.enter = nn.LayerNorm(size)
        self.vector = nn.Linear(width, size)
        self.layer = nn.TransformerEncoderLayer(
            size, heads, 4 * size, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.leave = nn.LayerNorm(size)
        self.bias = nn.Parameter(unigram.clamp_min(unigram[unigram > 0].min() / 2).log())

    def forward(self, vectors: Tensor, before: Tensor, asked: Tensor) -> Tensor:
        """Logits [N, V] at the N places that are ``asked`` [B, T], from vectors [B, D] and tokens ``before`` [B, T]."""
        places = sinusoids(before.shape[1], self.embeddings.embedding_dim, vectors.device)
        inputs = self.enter(self.embeddings(before)) + places + self.vector(vectors)[:, None]
        later = nn.Transformer.generate_square_subsequent_mask(before.shape[1], device=vectors.device)
        states = self.leave(self.layer(inputs, src_mask=later, is_causal=True))
        return F.linear(states[asked], self.embeddings.weight, self.bias)


def sinusoids(length: int, width: int, device: torch.device) -> Tensor:
    """What tells places apart, [length, width] (Vaswani et al. 2017, section 3.5)."""
    rates = 10_000 ** (-torch.arange(0, width, 2, device=device) / width)
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :width]
