"""Classification of pairs of texts: entailment, paraphrase, whether one answers the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from selftaught.backbones.heads import ClassificationHead
from selftaught.backbones.hf import text_backbone
from selftaught.data.examples import Columns, Examples
from selftaught.data.text_pairs import LabelledPair, in_twos, read_pairs
from selftaught.data.tokenise import TextTokenizer
from selftaught.decisions import OneOf, check_options, class_weights
from selftaught.errors import SelftaughtError
from selftaught.metrics.baselines import MAJORITY, majority
from selftaught.metrics.pair_baselines import PAIR_LOGISTIC, pair_logistic
from selftaught.metrics.scores import one_class_f1
from selftaught.objective import Batch, Spec, Sums
from selftaught.randomness import Randomness
from selftaught.task import Answer, Task


@dataclass(frozen=True)
class Pair(Task[LabelledPair]):
    """Predict the class of what is between two texts, which are read together (Devlin et al. 2019, section 3.2).

    Args:
        classes: their names; the order is that of the logits.
        weights, smoothing: as for classify.
        positive: the class whose F1 is told; of two classes it is the one that is not denied ("1" of 0 and 1,
            "entailment" of entailment and not_entailment) if not given.
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()
    smoothing: float = 0.0
    positive: str = ""

    caveat: ClassVar[str] = "It answers with one of its classes, whatever it is asked; the order of the texts matters."

    def __post_init__(self) -> None:
        check_options(self.classes, self.weights, self.smoothing)
        if self.positive and self.positive not in self.classes:
            raise ValueError(f"the positive class {self.positive!r} is none of {', '.join(self.classes)}")

    @staticmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[LabelledPair]:
        """A table, JSON or parquet with two text columns and a label column."""
        found = read_pairs(path, columns, labelled=labelled)
        if labelled and len(set(_labels(found.examples))) == 1:
            raise SelftaughtError(
                f"all {found.tally.kept} rows have one label, {found.examples[0].label!r}: there is nothing to learn",
                where=found.description,
                do="name another label column with --label",
            )
        return found

    def asked(self, texts: Sequence[str]) -> list[LabelledPair]:
        """Each two texts are a pair."""
        return [LabelledPair(*pair, "", "", 0) for pair in in_twos(texts)]

    @classmethod
    def of(cls, examples: Sequence[LabelledPair], **options: Any) -> Self:
        labels = _labels(examples)
        classes = tuple(sorted(set(labels)))
        options.setdefault("weights", class_weights(labels, classes))
        options.setdefault("positive", _positive(classes))
        return cls(classes=classes, **options)

    def encode(
        self, examples: Sequence[LabelledPair], tokenizer: TextTokenizer, longest: int, *, labelled: bool
    ) -> Batch:
        """``input_ids``, ``attention_mask``, ``token_type_ids`` [B, T]; ``label`` int64 [B]."""
        first, second = [e.first for e in examples], [e.second for e in examples]
        batch: Batch = dict(tokenizer.batch_of_pairs(first, second, longest))
        return {**batch, "label": self._decision.targets(_labels(examples))} if labelled else batch

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From the texts and ``label`` int64 [B]."""
        return {**samples, "n": self._decision.count(samples["label"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own sequence classification head."""
        return ClassificationHead.of(text_backbone(backbones), self.classes, self._decision.problem)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over rows by their weights."""
        return self._decision.loss(heads(features, batch["attention_mask"]).float(), batch["label"])

    def predict(self, features: Tensor, heads: nn.Module, batch: Batch) -> list[Answer]:
        """``label``, its ``probability``, and all ``probabilities`` by class."""
        return self._decision.answers(heads(features, batch["attention_mask"]).float())

    def measure(self, examples: Sequence[LabelledPair], answers: Sequence[Answer]) -> dict[str, float]:
        """Macro-F1 and accuracy, and of two classes the F1 of the positive one."""
        truth = _labels(examples)
        measures = self._decision.measure(truth, answers)
        if self.positive:
            measures["f1"] = one_class_f1(truth, [answer["label"] for answer in answers], self.positive)
        return measures

    def baselines(
        self, train: Sequence[LabelledPair], test: Sequence[LabelledPair], seed: int
    ) -> dict[str, list[Answer]]:
        """Logistic regression on the words that both texts have and that one has, and the most frequent class."""
        pairs, asked = ([(e.first, e.second) for e in some] for some in (train, test))
        said, guess = pair_logistic(pairs, _labels(train), asked, seed), majority(_labels(train), len(test))
        return {PAIR_LOGISTIC: [{"label": one} for one in said], MAJORITY: [{"label": one} for one in guess]}

    def strata(self, examples: Sequence[LabelledPair]) -> list[str]:
        return _labels(examples)

    def facts(self, examples: Sequence[LabelledPair]) -> dict[str, dict[str, float]]:
        return {"classes": self._decision.counts(_labels(examples))}

    def unknown(self, examples: Sequence[LabelledPair]) -> list[str]:
        return self._decision.unknown(_labels(examples))

    def by_class(
        self, examples: Sequence[LabelledPair], answers: Sequence[Answer]
    ) -> dict[str, dict[str, float | None]]:
        return self._decision.by_class(_labels(examples), answers)

    @property
    def _decision(self) -> OneOf:
        return OneOf(self.classes, self.weights, self.smoothing)


def _labels(examples: Sequence[LabelledPair]) -> list[str]:
    return [example.label for example in examples]


def _positive(classes: Sequence[str]) -> str:
    """Of two classes the last one in the alphabet, unless it says "not"."""
    if len(classes) != 2:
        return ""
    first, last = classes
    return first if last.lower().startswith(("not", "non", "un", "不", "非")) else last
