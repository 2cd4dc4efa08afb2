"""Measuring on text that was never trained on, and the lines a loss is compared with."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from torch import Tensor

from selftaught.backbones.heads import model_head
from selftaught.data.corpus import tokenise_all
from selftaught.data.loader import Batches
from selftaught.data.samples import samples_of
from selftaught.data.store import TokenStore
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.lookup import OBJECTIVES, make
from selftaught.loop import Learner, evaluate
from selftaught.objective import Batch, Objective, Spec
from selftaught.pretrained import Pretrained, lend_heads, restore_heads
from selftaught.recipe import Recipe

ROWS = 512  # held-out rows a measurement reads at most
_BATCH = 32
_LEAST_LENGTH = 8


@dataclass(frozen=True)
class TextBaseline:
    """What can be reached without a network, in nats a token.

    Args:
        chance: ln V, every token equally likely.
        unigram: the measured tokens under the training tokens' frequencies: what a model without context reaches.
        entropy: the entropy of the training tokens' frequencies.
    """

    chance: float
    unigram: float
    entropy: float


def text_baseline(special: Tensor, trained: np.ndarray, measured: np.ndarray) -> TextBaseline:
    """The chance and unigram lines; special tokens are left out, for they are never asked about.

    Args:
        special: bool [V].
        trained, measured: how often each token occurs in the training and the measured text, [V].
    """
    ordinary = ~special.numpy()
    train = np.where(ordinary, np.maximum(trained, 0.5), 0.0)  # half a count for what was never seen
    share = train / train.sum()
    held = np.where(ordinary, measured, 0).astype(np.float64)
    return TextBaseline(
        chance=math.log(int(ordinary.sum())),
        unigram=float(-(held[ordinary] * np.log(share[ordinary])).sum() / max(held.sum(), 1)),
        entropy=float(-(share[ordinary] * np.log(share[ordinary])).sum()),
    )


def held_out_batches(
    store: TokenStore,
    objective: Objective,
    spec: Spec,
    length: int,
    seed: int,
    rows: int = ROWS,
    batch: int | None = None,
) -> Iterator[Batch] | None:
    """The same batches each time, with the same questions, of at most ``rows`` samples; None if there is too little.

    Args:
        batch: samples a batch that it is trained on; kept to where the question depends on the whole batch.
    """
    length = min(length, len(store))
    if length < _LEAST_LENGTH:
        return None
    assert spec.text is not None
    try:
        source = samples_of(store, objective.samples, length, None, spec.text)
    except SelftaughtError:  # such as pairs, of a text of one sentence
        return None
    count = min(len(source), rows)
    size = min(batch if objective.couples_batch and batch else _BATCH, count)
    return islice(Batches(source, objective, spec, size, seed).starting(0), count // size)


def held_out_measures(
    means: dict[str, float],
    baseline: TextBaseline,
    tokens: int,
    text_bytes: int,
    token_losses: tuple[str, ...] = ("loss",),
) -> dict[str, float | None]:
    """Held-out means with the comparisons that make them readable.

    ``bits_per_byte`` is comparable across tokenizers; for a masked model it is the cost of a hidden token given
    those around it, not a likelihood of the text.

    Args:
        tokens, text_bytes: of the held-out text.
        token_losses: the measures that are costs of a token; see :attr:`selftaught.objective.Objective.token_losses`.
    """
    found: dict[str, float | None] = dict(means)
    for name in token_losses:
        prefix = name.removesuffix("loss")
        bits = means[name] / math.log(2) * tokens / text_bytes if text_bytes else None
        found |= {f"{prefix}bits_per_byte": bits, f"{prefix}below_unigram": baseline.unigram - means[name]}
    lines = {"unigram_loss": baseline.unigram, "chance_loss": baseline.chance} if token_losses else {}
    return {**found, **lines}


def measure_text(
    pretrained: Pretrained, data: str, folder: Path, text: str | None, asked: str | None = None
) -> tuple[dict[str, float | None], Tally]:
    """A pretrained model's own objective on any text, tokenised below ``folder``.

    Args:
        asked: an objective to ask about instead, which its heads can answer too.

    Raises:
        SelftaughtError: if the text is shorter than eight tokens, or the model cannot answer what is asked.
    """
    recipe = pretrained.recipe or Recipe()
    goal = recipe.objective
    own = make(goal.name, OBJECTIVES, goal.options, goal.weights).untaught()
    objective = own if asked is None else make(asked, OBJECTIVES, {})
    sentences = objective.samples != "rows"
    store, size, tally = tokenise_all(data, folder, pretrained.tokenizer, text, sentences)
    counts = np.ones(pretrained.tokenizer.vocab_size) if pretrained.unigram is None else pretrained.unigram.numpy()
    spec = Spec(text=pretrained.tokenizer.spec(counts))
    assert spec.text is not None
    learner = Learner({"text": pretrained.backbone}, own, spec)
    restore_heads(learner.heads, pretrained.parts)
    if asked is not None:
        trained, learner = learner.heads, Learner({"text": pretrained.backbone}, objective, spec)
        lend_heads(learner.heads, trained)
    head = model_head(learner.heads)
    if head is not None and head.fresh:
        raise SelftaughtError(
            f"the model has no trained head for {objective.name}: its answers would be noise",
            where=str(pretrained.folder),
            do="selftaught verdict says what its features are worth",
        )
    learner.to(next(pretrained.backbone.parameters()).device)
    length = min(recipe.train.length, pretrained.backbone.longest_row)
    train = recipe.train
    batches = held_out_batches(store, objective, spec, length, train.seed, rows=len(store), batch=train.batch)
    if batches is None:
        raise SelftaughtError("the text is too short to measure anything", where=data, do="give more text")
    means = evaluate(learner, batches)
    scale = float(1 / counts[counts > 0].min())  # frequencies as counts, so that half a count means what it says
    baseline = text_baseline(spec.text.special, counts * scale, store.counts)
    unknown = pretrained.tokenizer.id_of("unk_token")
    share = 0.0 if unknown is None else float(store.counts[unknown] / len(store))
    measures = held_out_measures(means, baseline, len(store), size, objective.token_losses)
    return {**measures, "unknown_tokens": share}, tally
