"""Replaced-token detection: say of every token whether it is the original (Clark et al. 2020, "ELECTRA", section 2)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.heads import MaskedLMHead, replaced_token_head
from selftaught.backbones.hf import TextBackbone, slim_twin, text_backbone
from selftaught.objective import Batch, Objective, Spec, Sums, TextSpec
from selftaught.objectives.mlm import MLM, hits
from selftaught.pretext.text import draw_tokens
from selftaught.randomness import Randomness


class Generator(nn.Module):
    """A small masked language model that shares the token embeddings of ``backbone`` (Clark et al. 2020, section 3.2).

    Args:
        share: of the backbone's width.
    """

    def __init__(self, backbone: TextBackbone, share: float, spec: TextSpec) -> None:
        super().__init__()
        self.network = slim_twin(backbone, share)
        self.widen = nn.Linear(self.network.width, backbone.width)
        self.head = MaskedLMHead.of(backbone, unigram=spec.unigram)
        self.register_buffer("special", spec.special, persistent=False)

    def forward(self, batch: Batch, places: Tensor) -> Tensor:
        """Logits [N, V] at ``places`` [N] of the flattened batch."""
        return self.head(self.widen(self.network(batch).flatten(0, 1)[places])).float()

    def draw(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """A token for each row of logits; special ones would give themselves away."""
        return draw_tokens(logits.detach(), ~self.get_buffer("special"), uniform)


class Passes(NamedTuple):
    """What both networks say.

    Args:
        guesses: the generator's logits at the hidden places, [N, V].
        states: the backbone's last hidden states of the text with replaced tokens, [B, T, D].
        replaced: which of its tokens are not the original, bool [B, T].
    """

    guesses: Tensor
    states: Tensor
    replaced: Tensor


@dataclass(frozen=True)
class Electra(Objective):
    """Replace some tokens by the likely guesses of a small generator, and find out which.

    The generator is a network of the backbone's kind and depth, but narrower. It answers the question of masked
    language modelling; in place of each hidden token stands one drawn from its answer. The backbone is asked about
    every token, and no gradient goes through the draw. A token that was drawn as it had been is an original.

    Args:
        rate: the share of tokens hidden from the generator.
        generator: its share of the backbone's width, rounded to whole attention heads (a quarter to a half is best,
            section 3.2; docs/lab.md has the choice for small networks).
        weight: of the backbone's loss beside the generator's, which is so much larger (appendix A).
    """

    corrupts: ClassVar[bool] = True
    token_losses: ClassVar[tuple[str, ...]] = ("generator.loss",)

    rate: float = 0.15
    generator: float = 0.5
    weight: float = 50.0

    def __post_init__(self) -> None:
        MLM(self.rate)  # refuses what is no rate
        if not 0 < self.generator <= 1:
            raise ValueError(f"the generator's share of the width is above 0 and at most 1, not {self.generator}")
        if not self.weight > 0:
            raise ValueError(f"the weight of the discriminator is above 0, not {self.weight}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``input_ids`` int64 [B, T], which stay as they are: what the generator reads as ``masked``, and of the N
        hidden tokens ``places`` in the flattened batch, ``originals`` (-100 where nothing is asked) and the numbers
        that decide the ``draws``, uniform in [0, 1).
        """
        question = MLM(self.rate).pretext(samples, spec, rng)
        places = question["positions"]
        rows = len(samples["input_ids"])
        return {
            **samples,
            "masked": question["input_ids"],
            "places": places,
            "originals": question["answers"],
            "draws": rng.uniform("draw", len(places) // rows).flatten(),
            "n": {"generator": question["n"], "discriminator": int(_real(samples).sum())},
        }

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The generator, and what turns the backbone's states into an answer for each token."""
        assert spec.text is not None
        backbone = text_backbone(backbones)
        generator = Generator(backbone, self.generator, spec.text)
        return nn.ModuleDict({"generator": generator, "discriminator": replaced_token_head(backbone)})

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Passes:
        generator = heads.get_submodule("generator")
        assert isinstance(generator, Generator)
        places, originals = batch["places"], batch["originals"]
        guesses = generator({**batch, "input_ids": batch["masked"]}, places)
        drawn, asked = generator.draw(guesses, batch["draws"]), originals >= 0
        masked = batch["masked"].flatten()
        ids = masked.scatter(0, places, torch.where(asked, drawn, masked[places]))
        replaced = torch.zeros_like(masked, dtype=torch.bool).scatter(0, places, asked & (drawn != originals))
        shape = batch["masked"].shape
        states = super().features(backbones, heads, {**batch, "input_ids": ids.view(shape)})
        return Passes(guesses, states, replaced.view(shape))

    def loss(self, features: Passes, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropies in nats, the generator's summed over hidden tokens and the backbone's over all."""
        originals, real, replaced = batch["originals"], _real(batch), features.replaced
        scores = heads.get_submodule("discriminator")(features.states).float()  # [B, T], above 0 for "replaced"
        flagged = (scores > 0) & real
        return {
            "generator": {
                "loss": F.cross_entropy(features.guesses, originals, reduction="sum", ignore_index=-100),
                "accuracy": hits(features.guesses.detach(), originals),
            },
            "discriminator": {
                "loss": F.binary_cross_entropy_with_logits(scores, replaced.float(), real.float(), reduction="sum"),
                "accuracy": ((flagged == replaced) & real).sum(),
                "replaced": replaced.sum(),
                "flagged": flagged.sum(),
                "found": (flagged & replaced).sum(),
            },
        }

    def total(self, means: Mapping[str, Any]) -> Tensor:
        """The weighted mean of both losses, which is the paper's sum but for a factor.

        With the sum the gradient is always so long that clipping makes it one of the backbone's noise (docs/lab.md).
        """
        return self._mean(means["generator"]["loss"], means["discriminator"]["loss"])

    def readings(self, means: Mapping[str, Any]) -> dict[str, Any]:
        """With the discriminator's precision and recall: calling everything an original is right most of the time."""
        shares = dict(means["discriminator"])
        flagged, found = shares.pop("flagged"), shares.pop("found")
        shares |= {"precision": _ratio(found, flagged), "recall": _ratio(found, shares["replaced"])}
        return {**means, "discriminator": shares}

    def chance(self, spec: Spec, size: int) -> float | None:
        guessing = MLM(self.rate).chance(spec, size)
        return None if guessing is None else self._mean(guessing, math.log(2))

    def _mean(self, generator: Any, discriminator: Any) -> Any:
        return (generator + self.weight * discriminator) / (1 + self.weight)


def _real(batch: Batch) -> Tensor:
    """Which tokens are no padding: bool [B, T]."""
    return batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Of a whole that is nothing, nothing."""
    return part / whole.clamp(min=1e-12)
