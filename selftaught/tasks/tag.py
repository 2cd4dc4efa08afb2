"""Tagging of words: entities in a text, or the slots of a request."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.heads import TaggingHead
from selftaught.backbones.hf import text_backbone
from selftaught.data.examples import Columns, Examples
from selftaught.data.tag_schemes import OUTSIDE, may_follow, spans
from selftaught.data.tagged import read_tagged
from selftaught.data.tagged_text import TaggedText, cut
from selftaught.data.tokenise import TextTokenizer
from selftaught.data.word_rows import NO_WORD, word_rows
from selftaught.metrics.entities import entity_scores, scores_by_type
from selftaught.metrics.tag_baselines import ALL_OUTSIDE, WORD_TAGS, word_tags
from selftaught.objective import Batch, Spec, Sums
from selftaught.randomness import Randomness
from selftaught.task import Answer, Task
from selftaught.viterbi import best_path

_NO_TARGET = -100  # transformers' own


@dataclass(frozen=True)
class Tag(Task[TaggedText]):
    """Predict the tag of each word, in IOB2: which words make an entity, and of what type it is.

    The first token of a word carries its tag (Devlin et al. 2019, section 5.3). Each token is scored by itself; of all
    sequences of tags that IOB2 allows, the one with the best sum of scores is the answer.

    Args:
        classes: the tags; the order is that of the logits.
        characters: whether every character is a word, as in most Chinese corpora: so plain texts are cut too.
    """

    classes: tuple[str, ...]
    characters: bool

    pipeline: ClassVar[str] = "token-classification"
    cuts: ClassVar[bool] = False
    caveat: ClassVar[str] = (
        "The first token of a word carries its tag: transformers' pipeline reads it with aggregation_strategy='first'. "
        "It takes the likeliest tag of each word, `selftaught predict` the likeliest tags that fit together."
    )

    def __post_init__(self) -> None:
        begun = {tag[2:] for tag in self.classes if tag.startswith("B-")}
        sound = {OUTSIDE} | {f"{letter}-{kind}" for kind in begun for letter in "BI"}
        if not {OUTSIDE} <= set(self.classes) <= sound:
            raise ValueError(f"the tags {', '.join(self.classes)} are not those of IOB2")

    @staticmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[TaggedText]:
        """Columns as in CoNLL's files, JSON with tags or with spans, or parquet, in any scheme."""
        columns.refuse_second("tag")
        return read_tagged(path, columns, labelled=labelled)

    def asked(self, texts: Sequence[str]) -> list[TaggedText]:
        return [TaggedText(text, (), (), "", 0) for text in texts]

    @classmethod
    def of(cls, examples: Sequence[TaggedText], **options: Any) -> Self:
        types = sorted({tag[2:] for example in examples for tag in example.tags if tag != OUTSIDE})
        classes = (OUTSIDE, *(f"{letter}-{kind}" for kind in types for letter in "BI"))
        long = any(len(word) > 1 and word.isascii() for example in examples for word in example.tokens)
        return cls(classes=classes, characters=not long, **options)

    def encode(
        self, examples: Sequence[TaggedText], tokenizer: TextTokenizer, longest: int, *, labelled: bool
    ) -> Batch:
        """``input_ids``, ``attention_mask``, ``word`` [R, T] and ``example`` [R], as :func:`word_rows` has them.

        ``places`` int64 [B, W, 2] and ``characters`` int64 [B, C] are the words and the texts, -1 behind their ends;
        ``tag`` int64 [R, T] is the class of the word that begins at a token, -100 elsewhere.
        """
        texts = [replace(e, words=e.words or cut(e.text, characters=self.characters)) for e in examples]
        batch: Batch = dict(word_rows(texts, tokenizer, longest))
        batch["places"] = _padded([torch.tensor(text.words, dtype=torch.int64).view(-1, 2) for text in texts], NO_WORD)
        batch["characters"] = _padded([torch.tensor(list(map(ord, text.text))) for text in texts], NO_WORD)
        if not labelled:
            return batch
        codes = {name: i for i, name in enumerate(self.classes)}
        tags = _padded([torch.tensor([codes[tag] for tag in text.tags]) for text in texts], _NO_TARGET)
        found = tags[batch["example"][:, None], batch["word"].clamp_min(0)]
        return {**batch, "tag": found.masked_fill(batch["word"] == NO_WORD, _NO_TARGET)}

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From the texts and ``tag`` int64 [R, T]."""
        return {**samples, "n": int((samples["tag"] != _NO_TARGET).sum())}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own token classification head."""
        return TaggingHead.of(text_backbone(backbones), self.classes)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats and right tags, each by itself, summed over words."""
        asked = batch["tag"] != _NO_TARGET
        logits, targets = heads(features[asked]).float(), batch["tag"][asked]
        return {
            "loss": F.cross_entropy(logits, targets, reduction="sum"),
            "accuracy": (logits.detach().argmax(1) == targets).sum(),
        }

    def predict(self, features: Tensor, heads: nn.Module, batch: Batch) -> list[Answer]:
        """``entities`` (each its ``type``, ``text``, and where in the text it starts and ends), ``tokens``, ``tags``.

        The tokens are words. One that the tokenizer made nothing of begins no entity, but may stand within one.
        """
        begins = batch["word"] != NO_WORD
        owner = batch["example"][:, None].expand_as(begins)[begins]
        unseen = [-torch.inf if tag.startswith("B-") else 0.0 for tag in self.classes]
        scores = torch.tensor(unseen, device=features.device).repeat(*batch["places"].shape[:2], 1)
        scores[owner, batch["word"][begins]] = heads(features[begins]).float().log_softmax(-1)
        first = np.array([may_follow(OUTSIDE, tag) for tag in self.classes])
        follows = np.array([[may_follow(before, tag) for tag in self.classes] for before in self.classes])
        found = []
        for text, some in zip(_texts(batch), scores.cpu().numpy(), strict=True):
            path = best_path(some[: len(text.words)], first, follows)
            found.append(_answer(replace(text, tags=tuple(self.classes[i] for i in path))))
        return found

    def shown(self, answer: Answer) -> list[str]:
        """The entities, and the words with the tags of those in them."""
        entities = "; ".join(f"{one['type']}: {one['text']}" for one in answer["entities"])
        words = zip(answer["tokens"], answer["tags"], strict=True)
        return [entities or "-", " ".join(word if tag == OUTSIDE else f"{word}/{tag}" for word, tag in words)]

    def measure(self, examples: Sequence[TaggedText], answers: Sequence[Answer]) -> dict[str, float]:
        """F1, precision and recall of entities."""
        return entity_scores([example.tags for example in examples], [answer["tags"] for answer in answers])

    def baselines(self, train: Sequence[TaggedText], test: Sequence[TaggedText], seed: int) -> dict[str, list[Answer]]:
        """The most frequent tag of each word, and no entity at all."""
        said = word_tags([e.tokens for e in train], [e.tags for e in train], [e.tokens for e in test], OUTSIDE)
        none = [[OUTSIDE] * len(example.words) for example in test]
        return {WORD_TAGS: [{"tags": tags} for tags in said], ALL_OUTSIDE: [{"tags": tags} for tags in none]}

    def facts(self, examples: Sequence[TaggedText]) -> dict[str, dict[str, float]]:
        counts = Counter(kind for example in examples for kind, _, _ in spans(example.tags))
        return {"entities": dict(counts.most_common())}

    def unknown(self, examples: Sequence[TaggedText]) -> list[str]:
        found = {tag for example in examples for tag in example.tags}
        return sorted({tag[2:] for tag in found - set(self.classes)})

    def by_class(self, examples: Sequence[TaggedText], answers: Sequence[Answer]) -> dict[str, dict[str, float | None]]:
        return scores_by_type([example.tags for example in examples], [answer["tags"] for answer in answers])


def _padded(parts: list[Tensor], with_what: int) -> Tensor:
    return nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=with_what)


def _texts(batch: Batch) -> list[TaggedText]:
    """The texts of a batch, cut into words."""
    texts = ["".join(map(chr, row[row >= 0].tolist())) for row in batch["characters"].cpu()]
    places = [row[row[:, 0] >= 0].tolist() for row in batch["places"].cpu()]
    return [TaggedText(text, tuple(map(tuple, words)), (), "", 0) for text, words in zip(texts, places, strict=True)]


def _answer(text: TaggedText) -> Answer:
    entities = []
    for kind, first, end in spans(text.tags):
        start, stop = text.words[first][0], text.words[end - 1][1]
        entities.append({"type": kind, "text": text.text[start:stop], "start": start, "end": stop})
    return {"entities": entities, "tokens": text.tokens, "tags": list(text.tags)}
