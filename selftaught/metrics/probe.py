"""A linear probe: how much of the labels can be read off frozen features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from selftaught.errors import SelftaughtError
from selftaught.metrics.logistic import fit_logistic


@dataclass(frozen=True)
class Probe:
    """Multinomial logistic regression on standardised features, as plain arrays."""

    mean: np.ndarray  # [D]
    scale: np.ndarray  # [D]
    weight: np.ndarray  # [D, K]
    bias: np.ndarray  # [K]
    classes: np.ndarray  # [K] of strings, ascending

    def probabilities(self, features: np.ndarray) -> tuple[list[str], np.ndarray]:
        """The classes and, for features [N, D], the probability of each [N, K]."""
        rows = (np.asarray(features, dtype=np.float32) - self.mean) / self.scale
        logits = rows @ self.weight + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return [str(name) for name in self.classes], odds / odds.sum(axis=1, keepdims=True)

    def predict(self, features: np.ndarray) -> list[str]:
        """The likeliest class of each row of features [N, D]."""
        classes, probabilities = self.probabilities(features)
        return [classes[code] for code in probabilities.argmax(axis=1)]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Numeric arrays only: the class names become UTF-8 bytes parted by NUL."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return arrays | {"classes": np.frombuffer("\0".join(self.classes).encode(), dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Probe":
        """The inverse of `to_arrays`."""
        names = np.asarray(arrays["classes"]).tobytes().decode().split("\0")
        numbers = {field.name: np.asarray(arrays[field.name]) for field in fields(cls) if field.name != "classes"}
        return cls(**numbers, classes=np.array(names))


def fit_probe(features: np.ndarray, labels: Sequence[str], seed: int) -> Probe:
    """Fits a probe to features [N, D] and their N labels, its C chosen by cross-validation on them.

    Features may have any scale, each its own: standardising takes it out. Constant ones are ignored.

    Raises:
        SelftaughtError: there are no rows, or a feature is NaN or infinite.
        ValueError: features and labels differ in number.
    """
    values = np.asarray(features, dtype=np.float64)
    if len(values) != len(labels):
        raise ValueError(f"{len(values)} rows of features but {len(labels)} labels")
    if not len(values):
        raise SelftaughtError("there is no labelled row to fit a probe on", do="give some labelled rows")
    if not np.isfinite(values).all():
        raise SelftaughtError(
            "the features hold NaN or infinite numbers",
            do="pretrain again with a lower learning rate: this network has diverged",
        )
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    varies = deviation > 1e-6 * np.abs(mean)
    # rows of length one on average, as the logistic regression expects them
    scale = np.where(varies, deviation, np.inf) * max(int(varies.sum()), 1) ** 0.5
    classes, codes = np.unique(labels, return_inverse=True)
    rows = ((values - mean) / scale).astype(np.float32)
    weight, bias = fit_logistic(rows, codes, seed)
    return Probe(mean.astype(np.float32), scale.astype(np.float32), weight, bias, classes)
