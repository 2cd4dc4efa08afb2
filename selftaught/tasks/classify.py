"""Classification of texts: the hidden thing is the label, or several of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from selftaught.backbones.heads import ClassificationHead
from selftaught.backbones.hf import text_backbone
from selftaught.data.examples import Columns, Examples, LabelledText
from selftaught.data.labels import as_texts, read_labels, read_unlabelled
from selftaught.data.tokenise import TextTokenizer
from selftaught.data.values import is_label_list, split_labels
from selftaught.decisions import AnyOf, OneOf, check_options, class_weights
from selftaught.metrics.baselines import (
    COMMON,
    MAJORITY,
    TFIDF,
    is_chinese,
    majority,
    most_frequent_labels,
    tfidf_logistic,
    tfidf_several,
)
from selftaught.objective import Batch, Spec, Sums
from selftaught.randomness import Randomness
from selftaught.task import Answer, Task


@dataclass(frozen=True)
class Classify(Task[LabelledText]):
    """Predict one of several classes, or all that apply.

    Args:
        classes: their names; the order is that of the logits.
        weights: how much a row of each class counts; equal if not given. Rare classes are usually given more,
            so that the loss is not won by naming the frequent one.
        smoothing: the share of each target spread over all classes (Szegedy et al. 2016, section 7).
        several: whether a text has any number of labels; so it is where all labels are JSON lists. If set, ``|``
            and ``;`` part the labels of a string as well.
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()
    smoothing: float = 0.0
    several: bool = False

    caveat: ClassVar[str] = "It answers with its own classes, whatever it is asked."

    def __post_init__(self) -> None:
        check_options(self.classes, self.weights, self.smoothing)

    @staticmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[LabelledText]:
        """A table, JSON or parquet with a text and a label column, or a folder with a subfolder for each class."""
        columns.refuse_second("classify")
        if labelled:
            return read_labels(path, text=columns.text, label=columns.label)
        return read_unlabelled(path, text=columns.text)

    def asked(self, texts: Sequence[str]) -> list[LabelledText]:
        return as_texts(texts)

    @classmethod
    def of(cls, examples: Sequence[LabelledText], **options: Any) -> Self:
        labels = [example.label for example in examples]
        several = options.setdefault("several", all(map(is_label_list, labels)))
        classes = tuple(sorted({name for label in labels for name in (split_labels(label) if several else [label])}))
        options.setdefault("weights", () if several else class_weights(labels, classes))
        return cls(classes=classes, **options)

    def encode(
        self, examples: Sequence[LabelledText], tokenizer: TextTokenizer, longest: int, *, labelled: bool
    ) -> Batch:
        """``input_ids``, ``attention_mask`` [B, T]; ``label`` int64 [B], or float32 [B, K] of several labels."""
        batch: Batch = dict(tokenizer.batch([example.text for example in examples], longest))
        return {**batch, "label": self._decision.targets(_labels(examples))} if labelled else batch

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``input_ids``, ``attention_mask`` [B, T] and ``label``."""
        return {**samples, "n": self._decision.count(samples["label"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own sequence classification head."""
        return ClassificationHead.of(text_backbone(backbones), self.classes, self._decision.problem)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats; see :mod:`selftaught.decisions`."""
        return self._decision.loss(heads(features, batch["attention_mask"]).float(), batch["label"])

    def predict(self, features: Tensor, heads: nn.Module, batch: Batch) -> list[Answer]:
        """``label``, ``probability`` and all ``probabilities`` by class; of several labels ``labels``."""
        return self._decision.answers(heads(features, batch["attention_mask"]).float())

    def measure(self, examples: Sequence[LabelledText], answers: Sequence[Answer]) -> dict[str, float]:
        """Macro-F1 and accuracy; of several labels micro-F1, macro-F1 and exact match."""
        return self._decision.measure(_labels(examples), answers)

    def baselines(
        self, train: Sequence[LabelledText], test: Sequence[LabelledText], seed: int
    ) -> dict[str, list[Answer]]:
        """TF-IDF with logistic regression, and the most frequent class; of several labels the same for each."""
        texts, asked, labels = [e.text for e in train], [e.text for e in test], _labels(train)
        chinese = is_chinese([*asked, *texts])
        if not self.several:
            said = tfidf_logistic(texts, labels, asked, chinese=chinese, seed=seed)
            guess = majority(labels, len(asked))
            return {TFIDF: [{"label": one} for one in said], MAJORITY: [{"label": one} for one in guess]}
        sets = [split_labels(label) for label in labels]
        found = tfidf_several(texts, sets, asked, chinese=chinese, seed=seed)
        found[COMMON] = most_frequent_labels(sets, len(asked))
        return {name: [{"labels": names} for names in rows] for name, rows in found.items()}

    def strata(self, examples: Sequence[LabelledText]) -> list[str]:
        return self._decision.strata(_labels(examples))

    def facts(self, examples: Sequence[LabelledText]) -> dict[str, dict[str, float]]:
        return {"classes": self._decision.counts(_labels(examples))}

    def unknown(self, examples: Sequence[LabelledText]) -> list[str]:
        return self._decision.unknown(_labels(examples))

    def by_class(
        self, examples: Sequence[LabelledText], answers: Sequence[Answer]
    ) -> dict[str, dict[str, float | None]]:
        return self._decision.by_class(_labels(examples), answers)

    @property
    def _decision(self) -> OneOf | AnyOf:
        return (AnyOf if self.several else OneOf)(self.classes, self.weights, self.smoothing)


def _labels(examples: Sequence[LabelledText]) -> list[str]:
    return [example.label for example in examples]
