"""Classification of texts: the hidden thing is the label."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import ClassificationHead, text_backbone
from selftaught.metrics.scores import classification_scores
from selftaught.objective import Batch, Spec, Sums, Task
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Classify(Task):
    """Predict one of several classes.

    Args:
        classes: their names; the order is that of the logits.
        weights: how much a row of each class counts; equal if not given. Rare classes are usually given more,
            so that the loss is not won by naming the frequent one.
        smoothing: the share of each target spread over all classes (Szegedy et al. 2016, section 7).
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.weights and len(self.weights) != len(self.classes):
            raise ValueError(f"there are {len(self.weights)} weights for {len(self.classes)} classes")
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"the smoothing is a share from 0 to below 1, not {self.smoothing}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``input_ids``, ``attention_mask`` [B, T], ``label`` int64 [B]; a row counts as its weight."""
        labels = samples["label"]
        return {**samples, "n": float(self._weight(labels).sum()) if self.weights else len(labels)}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own sequence classification head."""
        return ClassificationHead.of(text_backbone(backbones), self.classes)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over rows by their weights."""
        labels = batch["label"]
        logits = heads(features, batch["attention_mask"]).float()
        each = F.cross_entropy(logits, labels, reduction="none", label_smoothing=self.smoothing)
        weight = self._weight(labels)
        return {
            "loss": (each * weight).sum(),
            "accuracy": ((logits.detach().argmax(1) == labels) * weight).sum(),
        }

    def predict(self, features: Tensor, heads: nn.Module, batch: Batch) -> list[dict[str, Any]]:
        """``label``, its ``probability``, and all ``probabilities`` by class."""
        shares = heads(features, batch["attention_mask"]).float().softmax(1)
        return [
            {
                "label": self.classes[int(row.argmax())],
                "probability": float(row.max()),
                "probabilities": dict(zip(self.classes, row.tolist(), strict=True)),
            }
            for row in shares.cpu()
        ]

    def measure(self, truth: list[str], answers: list[dict[str, Any]]) -> dict[str, float]:
        """Macro-F1, which a rare class weighs in as much as a frequent one, and accuracy."""
        scores = classification_scores(truth, [answer["label"] for answer in answers])
        return {"macro_f1": scores["macro_f1"], "accuracy": scores["accuracy"]}

    def _weight(self, labels: Tensor) -> Tensor:
        if not self.weights:
            return torch.ones(len(labels), device=labels.device)
        return torch.tensor(self.weights, device=labels.device)[labels]
