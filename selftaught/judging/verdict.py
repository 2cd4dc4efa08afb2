"""What comes out of a judgement, whatever was judged, and the methods that stand in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selftaught.metrics.efficiency import LabelsSaved, Point

PROBE, UNTRAINED_PROBE = "pretrained probe", "untrained probe"
SPREAD, UNTRAINED_SPREAD, WORDS_SPREAD = "pretrained spreading", "untrained spreading", "spreading by words"
FINETUNED, UNTRAINED_FINETUNED = "pretrained fine-tuned", "untrained fine-tuned"

CONTROL = {PROBE: UNTRAINED_PROBE, SPREAD: UNTRAINED_SPREAD, FINETUNED: UNTRAINED_FINETUNED}


@dataclass(frozen=True)
class Verdict:
    """What came out.

    Args:
        task: its name.
        curve: all points, of all of the task's measures.
        metric: the one the sentence is about.
        overlap: test rows found in the pretraining text; None if that text was not at hand.
        nearly: other test rows that are nearly found in it.
    """

    task: str
    curve: tuple[Point, ...]
    metric: str
    helped: bool
    sentence: str
    saved: LabelsSaved
    overlap: tuple[str, ...] | None
    notes: tuple[str, ...]
    seconds: float
    nearly: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The stable shape that programs read."""
        return {
            "verb": "verdict",
            "task": self.task,
            "curve": [point.to_json() for point in self.curve],
            "metric": self.metric,
            "labels_saved": self.labels_saved,
            "labels_saved_at_least": self.helped and self.saved.at_least,
            "helped": self.helped,
            "sentence": self.sentence,
            "overlap_rows": None if self.overlap is None else len(self.overlap),
            "overlap": list(self.overlap or ())[:100],
            "nearly_rows": None if self.overlap is None else len(self.nearly),
            "nearly": list(self.nearly)[:100],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    @property
    def labels_saved(self) -> int:
        """Labels saved, counted only where the difference is more than chance."""
        return self.saved.labels if self.helped else 0

    def of_metric(self) -> list[Point]:
        """The points of the metric the sentence is about."""
        return [point for point in self.curve if point.metric == self.metric]


def better(methods: Sequence[str], points: Sequence[Point]) -> str:
    """The method with the best mean over budgets. Chosen on test scores, so the first is kept unless it is clear."""
    means = {m: float(np.mean([p.mean for p in points if p.method == m])) for m in methods}
    best = max(methods, key=means.__getitem__)
    return best if means[best] > means[methods[0]] + 0.01 else methods[0]
