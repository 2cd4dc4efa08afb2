"""Captions: a language model that sees a picture guesses what is written about it (Alayrac et al. 2022)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from selftaught.backbones.flamingo import flamingo
from selftaught.objective import Architecture, Batch, Objective, Samples, Spec, Sums
from selftaught.objectives.causal_lm import next_token_sums
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Caption(Objective):
    """Predict each token of a caption from those before it and the picture (section 2, equation 1).

    The towers are frozen; what is between them learns. Captions with their pictures may stand in one row, as pictures
    and text are interleaved in the paper's web pages (section 2.4): the language model then reads the earlier ones too,
    which is how examples are told to it later.

    Args:
        together: captions a row, each about a picture of its own.
    """

    architecture: ClassVar[Architecture] = "decoder"
    samples: ClassVar[Samples] = "captions"

    together: int = 1

    def __post_init__(self) -> None:
        if self.together < 1:
            raise ValueError(f"together must be at least 1, not {self.together}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From rows as ``Flamingo.sight`` has them: ``next`` int64 [B, T], the token after each within its caption.

        It is -100 behind a caption's end. What opens a caption is not guessed, and sees its picture already.
        """
        ids, media = samples["input_ids"], samples["media"]
        asked = (media[:, 1:] == media[:, :-1]) & (media[:, 1:] > 0)
        following = F.pad(ids[:, 1:].masked_fill(~asked, -100), (0, 1), value=-100)
        return {**samples, "next": following, "n": int(asked.sum())}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The language model's own head, frozen as it is.

        Raises:
            SelftaughtError: if the network sees no pictures.
        """
        return flamingo(backbones).head

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over the tokens of the captions; ``accuracy`` counts the exact hits."""
        return next_token_sums(features, heads, batch["next"])

    def chance(self, spec: Spec, size: int) -> float | None:
        assert spec.text is not None
        return math.log(spec.text.vocab_size)
