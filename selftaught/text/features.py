"""Frozen features of texts, and the probe that watches them while a model is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.pooling import POOL
from selftaught.data.labels import read_labels
from selftaught.data.tokenise import TextTokenizer
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.sampling import few_label_subset, split_train_test
from selftaught.metrics.scores import classification_scores
from selftaught.objective import Batch, Pooling

LONGEST_TEXT = 256  # tokens; what is read of a text where the caller does not say
POOLS = 9
_BATCH_TOKENS = 8192


def text_features(
    backbone: TextBackbone, tokenizer: TextTokenizer, texts: Sequence[str], longest: int = LONGEST_TEXT
) -> np.ndarray:
    """Features of each text: float32 [N, 9 D].

    The mean, maximum and minimum over a text's tokens, in the embeddings, the middle layer and the last one. The
    extremes keep what one telling word says, which a mean washes out; the last layer serves the pretext more than
    what comes after, so the lower ones are kept too (docs/lab.md compares them).

    Args:
        longest: tokens of a text that are read.
    """

    def pools(batch: Batch) -> Tensor:
        mask = batch["attention_mask"].unsqueeze(-1)  # [B, T, 1]
        layers = backbone.layer_states(batch)
        return torch.cat([_pool(layers[i].float(), mask) for i in (0, len(layers) // 2, -1)], 1)

    return _of_each(texts, backbone, tokenizer, longest, POOLS * backbone.width, pools)


def sentence_vectors(
    backbone: TextBackbone,
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    pooling: Pooling,
    longest: int = LONGEST_TEXT,
) -> np.ndarray:
    """The vector of each text that the network was trained to make, of length one: float32 [N, D].

    Args:
        longest: tokens of a text that are read.
    """

    def vectors(batch: Batch) -> Tensor:
        return F.normalize(POOL[pooling](backbone(batch).float(), batch["attention_mask"]), dim=1)

    return _of_each(texts, backbone, tokenizer, longest, backbone.width, vectors)


@torch.no_grad()
def _of_each(
    texts: Sequence[str],
    backbone: TextBackbone,
    tokenizer: TextTokenizer,
    longest: int,
    width: int,
    values: Callable[[Batch], Tensor],
) -> np.ndarray:
    """``values`` of batches of the texts, in the order of the texts: float32 [N, width]."""
    was_training = backbone.training
    backbone.eval()
    device = next(backbone.parameters()).device
    rows = np.empty((len(texts), width), np.float32)
    for places in _by_length(texts):
        batch = tokenizer.batch([texts[i] for i in places], min(longest, backbone.longest_row))
        rows[places] = values({name: tensor.to(device) for name, tensor in batch.items()}).cpu().numpy()
    backbone.train(was_training)
    return rows


def _pool(states: Tensor, mask: Tensor) -> Tensor:
    """Mean, maximum and minimum over the tokens that are no padding: [B, T, D] to [B, 3 D]."""
    mean = (states * mask).sum(1) / mask.sum(1)
    highest = states.masked_fill(~mask, -torch.inf).amax(1)
    lowest = states.masked_fill(~mask, torch.inf).amin(1)
    return torch.cat([mean, highest, lowest], 1)


def _by_length(texts: Sequence[str]) -> list[list[int]]:
    """Places of texts of like length, so that little is padding."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    groups: list[list[int]] = []
    size = 0
    for place in order:
        length = min(len(texts[place]) // 2 + 2, LONGEST_TEXT)  # tokens, roughly; an upper bound for most languages
        if not groups or (len(groups[-1]) + 1) * max(size, length) > _BATCH_TOKENS:
            groups.append([])
            size = 0
        groups[-1].append(place)
        size = max(size, length)
    return groups


@dataclass(frozen=True)
class RunningProbe:
    """A small downstream score for the progress line: a pretext loss does not say whether the features are any good.

    Args:
        train, test: texts.
        train_labels, test_labels: their labels.
    """

    train: list[str]
    train_labels: list[str]
    test: list[str]
    test_labels: list[str]

    @classmethod
    def of(cls, labels: str | Path, *, label: str | None, seed: int) -> "RunningProbe":
        """At most 32 labels a class to learn from and 500 rows to be scored on."""
        examples = read_labels(labels, label=label).examples
        texts, names = [e.text for e in examples], [e.label for e in examples]
        train, test = split_train_test(texts, names, 0.5, seed)
        few = train[few_label_subset([names[i] for i in train], 32, seed)]
        return cls(
            [texts[i] for i in few],
            [names[i] for i in few],
            [texts[i] for i in test[:500]],
            [names[i] for i in test[:500]],
        )

    def score(self, features: Callable[[list[str]], np.ndarray]) -> dict[str, Any]:
        """``probe``: the accuracy of a linear probe."""
        probe = fit_probe(features(self.train), self.train_labels, seed=0)
        return {"probe": classification_scores(self.test_labels, probe.predict(features(self.test)))["accuracy"]}
