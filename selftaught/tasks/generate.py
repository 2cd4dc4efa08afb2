"""Writing a text for a text: translation, summarisation, titles, the next turn of a dialogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from selftaught.backbones.generation import likeliest
from selftaught.backbones.heads import CausalLMHead
from selftaught.backbones.hf import text_backbone
from selftaught.data.examples import Columns, Examples
from selftaught.data.source_target import SourceTarget, of_one_record, read_source_target
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.metrics.copying import COPY, LEAD, NEAREST, first_sentence, nearest_targets
from selftaught.metrics.written import written_scores
from selftaught.objective import Architecture, Batch, Spec, Sums
from selftaught.objectives.causal_lm import next_token_sums
from selftaught.randomness import Randomness
from selftaught.task import Answer, Task


@dataclass(frozen=True)
class Generate(Task[SourceTarget]):
    """Write the target behind the source, token by token.

    The source, the token that ends a document, the target and that token again are one row of a decoder; the loss is
    that of the target alone (Radford et al. 2019, section 3.6; Raffel et al. 2020, section 3.2.1).

    Args:
        longest_target: characters of the longest target trained on; no more tokens are written.
        beams: continuations to follow when the target is written; 1 takes the likeliest token each time.
    """

    longest_target: int
    beams: int = 4

    architecture: ClassVar[Architecture] = "decoder"
    pipeline: ClassVar[str] = "text-generation"
    longest: ClassVar[int] = 512
    stops_by_likelihood: ClassVar[bool] = True
    most_tested: ClassVar[int] = 200
    caveat: ClassVar[str] = (
        "What it writes is likely, not true: check names and numbers against the source. It was trained to begin "
        "behind the token that ends a document."
    )

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise ValueError(f"beams must be at least 1, not {self.beams}")

    @staticmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[SourceTarget]:
        """Two columns of text, or a column of dialogues."""
        return read_source_target(path, columns, labelled=labelled)

    def asked(self, texts: Sequence[str]) -> list[SourceTarget]:
        """Each text is a source."""
        return [SourceTarget(text, (), "", 0) for text in texts]

    @classmethod
    def of(cls, examples: Sequence[SourceTarget], **options: object) -> Self:
        return cls(max(len(target) for example in examples for target in example.targets), **options)  # type: ignore[arg-type]

    def encode(
        self, examples: Sequence[SourceTarget], tokenizer: TextTokenizer, longest: int, *, labelled: bool
    ) -> Batch:
        """Rows to learn from, or rows to be continued, padded before their tokens.

        ``next`` int64 [B, T] is the token after each, -100 where that is not of the target. What does not fit of a
        source is cut at its end, so that half of the row, or what the longest target needs, is left for the target. Of
        several targets the first one is learned.

        Raises:
            SelftaughtError: if the tokenizer has no token that ends a document.
        """
        opening, between, closing = tokenizer.frame
        if not closing:
            raise SelftaughtError(
                "the model's tokenizer has no token that ends a document: nothing would tell a source from its target",
                do="begin from a run of selftaught pretrain --objective causal_lm",
            )
        room = self._room(longest)
        read = longest - room - len(opening) - len(between)
        sources = [opening + ids[:read] + between for ids in tokenizer.encode([e.source for e in examples])]
        if not labelled:
            return dict(tokenizer.padded(sources, before=True))
        targets = tokenizer.encode([example.targets[0] for example in examples])
        targets = [ids[: room - len(closing)] + closing for ids in targets]
        batch: Batch = dict(tokenizer.padded([one + other for one, other in zip(sources, targets, strict=True)]))
        batch["next"] = torch.full_like(batch["input_ids"], -100)
        for row, source, target in zip(batch["next"], sources, targets, strict=True):
            row[len(source) - 1 : len(source) + len(target) - 1] = torch.tensor(target)
        return batch

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From rows with ``next`` int64 [B, T]; each token of a target is one to guess, its end included."""
        return {**samples, "n": int((samples["next"] >= 0).sum())}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own language modelling head.

        Raises:
            SelftaughtError: if the backbone does not read from left to right.
        """
        backbone = text_backbone(backbones)
        if not backbone.is_decoder:
            raise SelftaughtError(
                "this model reads from both sides and cannot write a text",
                do="begin from a decoder, such as a run of selftaught pretrain --objective causal_lm",
            )
        return CausalLMHead.of(backbone)

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Tensor | list[list[int]]:
        """The last hidden states [B, T, D]; of rows without a target, the tokens that are written behind them."""
        backbone = text_backbone(backbones)
        if "next" in batch:
            return backbone(batch)
        assert isinstance(heads, CausalLMHead)
        room = self._room(min(self.longest, backbone.longest_row))
        end = int(batch["input_ids"][0, -1])  # what parts the source from the target ends the target too
        return likeliest(backbone, heads, batch, tokens=room, beams=self.beams, end=end)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over the tokens of the targets; ``accuracy`` counts the exact hits."""
        return next_token_sums(features, heads, batch["next"])

    def predict(self, features: list[list[int]], heads: nn.Module, batch: Batch) -> list[Answer]:
        """The ``tokens`` that were written."""
        return [{"tokens": ids} for ids in features]

    def spelled(self, answers: Sequence[Answer], tokenizer: TextTokenizer) -> list[Answer]:
        """``target``: what the tokens say."""
        return [{"target": tokenizer.backend.decode(answer["tokens"]).strip()} for answer in answers]

    def measure(self, examples: Sequence[SourceTarget], answers: Sequence[Answer]) -> dict[str, float]:
        """chrF, BLEU, ROUGE-1, -2 and -L and exact match, from 0 to 1."""
        return written_scores([answer["target"] for answer in answers], [example.targets for example in examples])

    def baselines(
        self, train: Sequence[SourceTarget], test: Sequence[SourceTarget], seed: int
    ) -> dict[str, list[Answer]]:
        """The source, its first sentence, and what was written for the nearest training source."""
        asked = [example.source for example in test]
        sources, targets = [example.source for example in train], [example.targets[0] for example in train]
        found = {
            COPY: asked,
            LEAD: list(map(first_sentence, asked)),
            NEAREST: nearest_targets(sources, targets, asked),
        }
        return {name: [{"target": text} for text in said] for name, said in found.items()}

    def kin(self, examples: Sequence[SourceTarget]) -> list[str]:
        """The sources; the turns of one dialogue, each of which the next one quotes, belong together."""
        return of_one_record(examples)

    def facts(self, examples: Sequence[SourceTarget]) -> dict[str, dict[str, float]]:
        sources = [len(example.source) for example in examples]
        targets = [len(target) for example in examples for target in example.targets]
        return {
            "sources": {"mean characters": float(np.mean(sources)), "most": float(max(sources))},
            "targets": {"mean characters": float(np.mean(targets)), "most": float(max(targets))},
        }

    def _room(self, longest: int) -> int:
        """Tokens of a row that are kept for the target and its end."""
        return min(longest // 2, self.longest_target + 1)
