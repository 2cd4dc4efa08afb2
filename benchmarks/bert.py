"""The problem that both sides of :mod:`benchmarks.mlm_vs_trainer` solve: one BERT, one tokenizer, the same rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import BertConfig

from selftaught.data.corpus import Corpus, prepare
from selftaught.data.pack import PackedRows
from selftaught.objective import Batch, Spec
from selftaught.objectives.mlm import MLM
from selftaught.text.held_out import held_out_batches, text_baseline

BATCH, LENGTH, SEED = 32, 128, 0
LAYERS, WIDTH, HEADS, INNER, VOCABULARY = 4, 256, 4, 1024, 16_384


@dataclass(frozen=True)
class Problem:
    """A prepared corpus, and the questions about its held-out part that both sides are asked."""

    corpus: Corpus
    spec: Spec
    questions: list[Batch]

    @classmethod
    def of(cls, data: Path, folder: Path) -> "Problem":
        corpus = prepare(data, folder, seed=SEED, vocab_size=VOCABULARY)
        corpus.tokenizer.save(folder, LENGTH)
        spec = Spec(text=corpus.tokenizer.spec(corpus.train.counts))
        questions = held_out_batches(corpus.held_out, MLM(), spec, LENGTH, SEED)
        assert questions is not None, "there is too little text to hold any of it out"
        return cls(corpus, spec, list(questions))

    def config(self, dropout: float) -> BertConfig:
        """The same architecture for both; only dropout differs."""
        return BertConfig(
            vocab_size=self.corpus.tokenizer.vocab_size,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            intermediate_size=INNER,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            pad_token_id=self.corpus.tokenizer.id_of("pad_token"),
        )

    @property
    def unigram(self) -> float:
        """Nats a token that a model without context reaches on the held-out text."""
        assert self.spec.text is not None
        return text_baseline(self.spec.text.special, self.corpus.train.counts, self.corpus.held_out.counts).unigram

    def rows(self, seed: int | None) -> PackedRows:
        return PackedRows(self.corpus.train, LENGTH, seed)

    def all_rows(self) -> np.ndarray:
        """Every row of the training text, int64 [N, T]."""
        rows = self.rows(seed=None)
        count = np.arange(len(rows))
        return rows.take(count, np.zeros_like(count))["input_ids"].numpy()

    @torch.no_grad()
    def loss(self, encoder: Any, head: Any) -> float:
        """Nats a hidden token over the questions, in float32.

        Args:
            encoder: from a batch to hidden states [B, T, D].
            head: from hidden states [K, D] to logits [K, V].
        """
        total = count = 0.0
        for batch in self.questions:
            hidden: Tensor = encoder(batch).flatten(0, 1)[batch["positions"]]
            total += float(F.cross_entropy(head(hidden), batch["answers"], reduction="sum", ignore_index=-100))
            count += batch["n"]
        return total / count
