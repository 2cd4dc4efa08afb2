"""Regression: a number for a text or, as in semantic similarity, for a pair of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from selftaught.backbones.heads import ClassificationHead
from selftaught.backbones.hf import text_backbone
from selftaught.data.examples import Columns, Examples, place
from selftaught.data.text_pairs import Scored, in_twos, read_scored
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.metrics.baselines import is_chinese, tfidf
from selftaught.metrics.pair_baselines import COSINE, MEAN, RIDGE, cosine_scores, pair_features, ridge_scores
from selftaught.metrics.scores import correlation_scores
from selftaught.objective import Batch, Spec, Sums
from selftaught.randomness import Randomness
from selftaught.task import Answer, Task


@dataclass(frozen=True)
class Regress(Task[Scored]):
    """Predict a score of one text or two, which are then read together.

    The network learns the score's distance from the mean of the training scores, in standard deviations, so that any
    scale is learned alike.

    Args:
        mean, deviation: of the training scores.
        texts: how many texts an example has, 1 or 2.
    """

    mean: float
    deviation: float
    texts: int

    caveat: ClassVar[str] = (
        "The network's output is the score's distance from the mean of the training scores in standard deviations; "
        "`task.json` beside the weights holds both. `selftaught predict` gives the score itself."
    )

    @staticmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[Scored]:
        """A table, JSON or parquet with one text column or two, and a column of numbers."""
        found = read_scored(path, columns, labelled=labelled)
        if labelled and len({example.score for example in found.examples}) == 1:
            raise SelftaughtError(
                f"all {found.tally.kept} rows have one score, {found.examples[0].score:g}: there is nothing to learn",
                where=found.description,
                do="name another score column with --label",
            )
        return found

    def asked(self, texts: Sequence[str]) -> list[Scored]:
        """A text each, or each two if the model reads two."""
        return [Scored(one, 0.0, "", 0) for one in (in_twos(texts) if self.texts == 2 else zip(texts))]

    @classmethod
    def of(cls, examples: Sequence[Scored], **options: Any) -> Self:
        scores = [example.score for example in examples]
        return cls(float(np.mean(scores)), float(np.std(scores)) or 1.0, len(examples[0].texts), **options)

    def encode(self, examples: Sequence[Scored], tokenizer: TextTokenizer, longest: int, *, labelled: bool) -> Batch:
        """``input_ids``, ``attention_mask`` (of two texts ``token_type_ids``) [B, T]; ``score`` float32 [B].

        Raises:
            SelftaughtError: there are two texts where the model reads one, or one where it reads two.
        """
        if odd := next((example for example in examples if len(example.texts) != self.texts), None):
            has = "one text, and here are two" if self.texts == 1 else "two texts, and here is one"
            raise SelftaughtError(
                f"the model scores {has}",
                where=place(odd),
                do="name the columns with --text, and --second if there are two",
            )
        first, *others = zip(*(example.texts for example in examples), strict=True)
        if others:
            batch: Batch = dict(tokenizer.batch_of_pairs(first, others[0], longest))
        else:
            batch = dict(tokenizer.batch(first, longest))
        if labelled:
            scores = torch.tensor([example.score for example in examples], dtype=torch.float64)
            batch["score"] = ((scores - self.mean) / self.deviation).float()
        return batch

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From the texts and ``score`` float32 [B] in standard deviations."""
        return {**samples, "n": len(samples["score"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own sequence classification head, with one output."""
        return ClassificationHead.of(text_backbone(backbones), ("score",), "regression")

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Squared distances, in squared standard deviations of the training scores, summed over rows."""
        return {"loss": (self._outputs(features, heads, batch) - batch["score"]).square().sum()}

    def predict(self, features: Tensor, heads: nn.Module, batch: Batch) -> list[Answer]:
        """``score``, in the unit of the training scores."""
        outputs = self._outputs(features, heads, batch).double().cpu()
        return [{"score": score} for score in (self.mean + self.deviation * outputs).tolist()]

    def measure(self, examples: Sequence[Scored], answers: Sequence[Answer]) -> dict[str, float]:
        """Spearman's and Pearson's correlation; 0 where all answers are one."""
        return correlation_scores([example.score for example in examples], [answer["score"] for answer in answers])

    def baselines(self, train: Sequence[Scored], test: Sequence[Scored], seed: int) -> dict[str, list[Answer]]:
        """Ridge regression on TF-IDF, for pairs also the cosine of the two texts, and the mean score."""
        scores = [example.score for example in train]
        if self.texts == 2:
            pairs, asked = ([(e.texts[0], e.texts[1]) for e in some] for some in (train, test))
            found = {COSINE: cosine_scores(pairs, scores, asked)}
            rows, asked_rows = pair_features(pairs, asked)
        else:
            texts, asked_texts = [e.texts[0] for e in train], [e.texts[0] for e in test]
            found = {}
            rows, asked_rows = tfidf(texts, asked_texts, is_chinese([*asked_texts, *texts]))
        found[RIDGE] = ridge_scores(rows, scores, asked_rows, seed)
        found[MEAN] = [float(np.mean(scores))] * len(test)
        return {name: [{"score": score} for score in said] for name, said in found.items()}

    def facts(self, examples: Sequence[Scored]) -> dict[str, dict[str, float]]:
        scores = [example.score for example in examples]
        return {"scores": {"least": min(scores), "mean": float(np.mean(scores)), "most": max(scores)}}

    def _outputs(self, features: Tensor, heads: nn.Module, batch: Batch) -> Tensor:
        """[B], in standard deviations from the mean."""
        return heads(features, batch["attention_mask"]).float().squeeze(1)
