"""Measuring on text that was never trained on, and the lines a loss is compared with."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from selftaught.data.corpus import Corpus
from selftaught.data.loader import Batches
from selftaught.data.pack import PackedRows
from selftaught.objective import Batch, Objective, Spec

ROWS = 512  # held-out rows a measurement reads at most
_BATCH = 32
_LEAST_LENGTH = 8


@dataclass(frozen=True)
class TextBaseline:
    """What can be reached without a network, in nats a token.

    Args:
        chance: ln V, every token equally likely.
        unigram: held-out tokens under the training tokens' frequencies; with the entropy of the held-out
            tokens themselves where that is lower, it is what a model without context can reach.
        entropy: the entropy of the training tokens' frequencies.
    """

    chance: float
    unigram: float
    entropy: float


def text_baseline(corpus: Corpus) -> TextBaseline:
    """The chance and unigram lines of a corpus; tokens are counted without special ones."""
    special = corpus.tokenizer.spec().special.numpy()
    train = np.where(special, 0, corpus.train.counts).astype(np.float64)
    held = np.where(special, 0, corpus.held_out.counts).astype(np.float64)
    share = np.maximum(train, 0.5) / np.maximum(train, 0.5)[~special].sum()
    seen = train[train > 0] / train.sum()
    return TextBaseline(
        chance=math.log(int((~special).sum())),
        unigram=float(-(held * np.log(share)).sum() / max(held.sum(), 1)),
        entropy=float(-(seen * np.log(seen)).sum()),
    )


def held_out_batches(
    corpus: Corpus, objective: Objective, spec: Spec, length: int, seed: int
) -> Iterator[Batch] | None:
    """The same batches each time, with the same questions; None if there is too little held-out text."""
    length = min(length, len(corpus.held_out))
    if length < _LEAST_LENGTH:
        return None
    rows = PackedRows(corpus.held_out, length, seed=None)
    count = min(len(rows), ROWS)
    batch = min(_BATCH, count)
    return islice(Batches(rows, objective, spec, batch, seed).starting(0), count // batch)


def bits_per_byte(loss: float, corpus: Corpus) -> float | None:
    """A loss in nats a token as bits a byte of text, which is comparable across tokenizers.

    For a masked model it is the cost of a hidden token given those around it, not a likelihood of the text.
    """
    if not corpus.held_out_bytes:
        return None
    return loss / math.log(2) * len(corpus.held_out) / corpus.held_out_bytes


def held_out_measures(means: dict[str, float], corpus: Corpus, baseline: TextBaseline) -> dict[str, Any]:
    """Held-out means with the comparisons that make them readable."""
    return {
        **means,
        "bits_per_byte": bits_per_byte(means["loss"], corpus),
        "unigram_loss": baseline.unigram,
        "chance_loss": baseline.chance,
        "below_unigram": baseline.unigram - means["loss"],
    }
