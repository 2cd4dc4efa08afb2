"""Deciding among classes: exactly one of them, or any number. Tasks with classes are made of one of these."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from selftaught.data.values import split_labels
from selftaught.metrics.scores import classification_scores, several_label_scores
from selftaught.objective import Sums
from selftaught.task import Answer

ByClass = dict[str, dict[str, float | None]]
_MOST_WEIGHT = 10.0


@dataclass(frozen=True)
class OneOf:
    """Exactly one of the classes: softmax and cross-entropy.

    Args:
        classes: their names; the order is that of the logits.
        weights: how much a row of each class counts; equal if not given.
        smoothing: the share of each target spread over all classes (Szegedy et al. 2016, section 7).
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()
    smoothing: float = 0.0

    problem: ClassVar[str] = "single_label_classification"

    def targets(self, labels: Sequence[str]) -> Tensor:
        """Labels as indices of the classes: int64 [B]."""
        places = {name: i for i, name in enumerate(self.classes)}
        return torch.tensor([places[label] for label in labels])

    def count(self, targets: Tensor) -> float:
        """How many targets there are; a row counts as its weight."""
        return float(self._weight(targets).sum()) if self.weights else len(targets)

    def loss(self, logits: Tensor, targets: Tensor) -> Sums:
        """Cross-entropy in nats and right answers, summed over rows by their weights, from logits float32 [B, K]."""
        each = F.cross_entropy(logits, targets, reduction="none", label_smoothing=self.smoothing)
        weight = self._weight(targets)
        return {
            "loss": (each * weight).sum(),
            "accuracy": ((logits.detach().argmax(1) == targets) * weight).sum(),
        }

    def answers(self, logits: Tensor) -> list[Answer]:
        """``label``, its ``probability``, and all ``probabilities`` by class, from logits float32 [B, K]."""
        return [
            {
                "label": self.classes[int(row.argmax())],
                "probability": float(row.max()),
                "probabilities": dict(zip(self.classes, row.tolist(), strict=True)),
            }
            for row in logits.softmax(1).cpu()
        ]

    def measure(self, labels: Sequence[str], answers: Sequence[Answer]) -> dict[str, float]:
        """Macro-F1, which a rare class weighs in as much as a frequent one, and accuracy."""
        scores = classification_scores(labels, [answer["label"] for answer in answers])
        return {"macro_f1": scores["macro_f1"], "accuracy": scores["accuracy"]}

    def counts(self, labels: Sequence[str]) -> dict[str, float]:
        """Rows of each class, the most frequent first."""
        return dict(Counter(labels).most_common())

    def by_class(self, labels: Sequence[str], answers: Sequence[Answer]) -> ByClass:
        """Rows, recall and precision of each class that occurs, the most frequent first."""
        return _by_class([(label,) for label in labels], [(answer["label"],) for answer in answers])

    def strata(self, labels: Sequence[str]) -> list[str]:
        """The labels themselves."""
        return list(labels)

    def unknown(self, labels: Sequence[str]) -> list[str]:
        """Those that are no class."""
        return sorted(set(labels) - set(self.classes))

    def _weight(self, targets: Tensor) -> Tensor:
        if not self.weights:
            return torch.ones(len(targets), device=targets.device)
        return torch.tensor(self.weights, device=targets.device)[targets]


@dataclass(frozen=True)
class AnyOf:
    """Any number of the classes, or none: a sigmoid and binary cross-entropy each; 0.5 is the threshold.

    A label names all that apply, as a JSON list or with ``|`` or ``;`` between them.

    Args:
        classes, smoothing: as of :class:`OneOf`.
        weights: how much the decision about each class counts; equal if not given.
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()
    smoothing: float = 0.0

    problem: ClassVar[str] = "multi_label_classification"

    def targets(self, labels: Sequence[str]) -> Tensor:
        """1 where a class applies: float32 [B, K]."""
        applying = [set(split_labels(label)) for label in labels]
        return torch.tensor([[float(name in names) for name in self.classes] for names in applying])

    def count(self, targets: Tensor) -> float:
        """Rows."""
        return len(targets)

    def loss(self, logits: Tensor, targets: Tensor) -> Sums:
        """Cross-entropy in nats, its mean over the classes summed over rows, and ``exact``: rows wholly right."""
        weight = torch.tensor(self.weights, device=logits.device) if self.weights else None
        soft = targets * (1 - self.smoothing) + self.smoothing / 2
        each = F.binary_cross_entropy_with_logits(logits, soft, weight, reduction="none")
        right = ((logits.detach() > 0) == (targets > 0.5)).all(1)
        return {"loss": each.mean(1).sum(), "exact": right.sum()}

    def answers(self, logits: Tensor) -> list[Answer]:
        """``labels`` above the threshold, the likeliest first, and all ``probabilities`` by class."""
        found = []
        for row in logits.sigmoid().cpu().tolist():
            shares = dict(zip(self.classes, row, strict=True))
            applying = [name for name, share in shares.items() if share > 0.5]
            found.append({"labels": sorted(applying, key=lambda name: -shares[name]), "probabilities": shares})
        return found

    def measure(self, labels: Sequence[str], answers: Sequence[Answer]) -> dict[str, float]:
        """Micro-F1 over all decisions, macro-F1 over the classes, and the share of rows that are wholly right."""
        return several_label_scores([split_labels(label) for label in labels], [a["labels"] for a in answers])

    def counts(self, labels: Sequence[str]) -> dict[str, float]:
        """Rows of each class, the most frequent first."""
        return dict(Counter(name for label in labels for name in split_labels(label)).most_common())

    def by_class(self, labels: Sequence[str], answers: Sequence[Answer]) -> ByClass:
        """Rows, recall and precision of each class that occurs, the most frequent first."""
        return _by_class([split_labels(label) for label in labels], [answer["labels"] for answer in answers])

    def strata(self, labels: Sequence[str]) -> list[str]:
        """The rarest label of each row, "" where it has none.

        Dealing rows out by their rarest label first is how Sechidis et al. (2011, "On the stratification of
        multi-label data") give every label its share; this is their first step.
        """
        rows = [split_labels(label) for label in labels]
        often = Counter(name for row in rows for name in row)
        return [min(row, key=lambda name: (often[name], name), default="") for row in rows]

    def unknown(self, labels: Sequence[str]) -> list[str]:
        """Those that are no class."""
        return sorted({name for label in labels for name in split_labels(label)} - set(self.classes))


def class_weights(labels: Sequence[str], classes: Sequence[str]) -> tuple[float, ...]:
    """Weights inverse to the classes' frequencies, at most 10; none if the frequencies are alike."""
    counts = Counter(labels)
    weights = [min(_MOST_WEIGHT, len(labels) / (len(classes) * counts[name])) for name in classes]
    return tuple(weights) if max(weights) > 1.5 * min(weights) else ()


def check_options(classes: Sequence[str], weights: Sequence[float], smoothing: float) -> None:
    """What an options file or a command line may get wrong.

    Raises:
        ValueError: for a wrong number of weights, or a smoothing that is no share.
    """
    if weights and len(weights) != len(classes):
        raise ValueError(f"there are {len(weights)} weights for {len(classes)} classes")
    if not 0 <= smoothing < 1:
        raise ValueError(f"the smoothing is a share from 0 to below 1, not {smoothing}")


def _by_class(truth: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> ByClass:
    rows = Counter(name for names in truth for name in names)
    named = Counter(name for names in said for name in names)
    right = Counter(name for t, s in zip(truth, said, strict=True) for name in set(t) & set(s))
    return {
        name: {"rows": n, "recall": right[name] / n, "precision": right[name] / named[name] if named[name] else None}
        for name, n in rows.most_common()
    }
