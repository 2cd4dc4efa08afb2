"""What a verdict on pictures and one on clips share: every method at every budget with every draw of labels."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from selftaught.judging.draws import Draw, Drawing
from selftaught.judging.verdict import CONTROL, FINETUNED, PROBE, UNTRAINED_FINETUNED, Verdict, better
from selftaught.metrics.efficiency import Point, labels_saved, verdict_sentence
from selftaught.metrics.knn import knn_predict
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.scores import classification_scores
from selftaught.pictures.teaching import Store

KNN, UNTRAINED_KNN, MAJORITY = "pretrained kNN", "untrained kNN", "majority class"
_METRIC = "accuracy"


@dataclass
class SeenJudge(ABC):
    """Scores every method at every budget with every seed.

    Args:
        drawing: of labels.
        tell: hears what is being done.
    """

    kind: ClassVar[str]
    """What is judged: pictures or clips."""

    baselines: ClassVar[tuple[str, ...]]
    """The methods that the network must beat."""

    drawing: Drawing
    tell: Callable[[str], None]
    drawn: dict[str, list[list[int]]] = field(default_factory=dict, init=False)
    _scores: dict[tuple[str, int | None], list[float]] = field(default_factory=dict, init=False)
    _sizes: dict[int | None, int] = field(default_factory=dict, init=False)

    @property
    @abstractmethod
    def train_labels(self) -> Sequence[str]:
        """A name for each that may be learned from."""

    @property
    @abstractmethod
    def test_labels(self) -> Sequence[str]:
        """A name for each that is tested on."""

    @abstractmethod
    def by_pixels(self, draws: list[Draw]) -> None:
        """Score what needs no network."""

    @abstractmethod
    def by_features(self, draws: list[Draw], untrained: int | None) -> None:
        """Score what the network's features say.

        Args:
            untrained: the seed of one that has learned nothing, which is asked instead.
        """

    @abstractmethod
    def finetuned(self, draw: Draw, *, trained: bool) -> list[str]:
        """What the network says after fine-tuning on a draw, begun from its weights or from others."""

    def run(self, *, finetune: bool) -> Verdict:
        """Score everything; ``finetune`` adds the fine-tuned networks, which take longer than all the rest."""
        began = time.perf_counter()
        draws = self.drawing.of(self.train_labels)
        for draw in draws:
            self._sizes[draw.budget] = len(draw.rows)
            self.drawn.setdefault(str(draw.budget or "all"), []).append(draw.rows)
            names, counts = np.unique(self.known(draw), return_counts=True)
            self._add(MAJORITY, draw, [str(names[counts.argmax()])] * len(self.test_labels))
        self.by_pixels(draws)
        count = len(self.train_labels) + len(self.test_labels)
        self.tell(f"features    of {count:,} {self.kind}, trained and untrained")
        self.by_features(draws, None)
        for seed in self.drawing.seeds:
            self.by_features([draw for draw in draws if draw.seed == seed], seed)
        for number, draw in enumerate(draws if finetune else []):
            place = f"fine-tuning {number + 1} of {len(draws)}"
            self.tell(f"{place}, {len(draw.rows):,} {self.kind}, pretrained and untrained")
            for method in (FINETUNED, UNTRAINED_FINETUNED):
                self._add(method, draw, self.finetuned(draw, trained=method == FINETUNED))
        return self._verdict(finetune, began)

    def judge(self, draws: list[Draw], train: np.ndarray, test: np.ndarray, probe: str, knn: str = "") -> None:
        """A linear probe, and kNN, on some features [N, D]; with all labels, the draws are one and the same."""
        known: dict[tuple[str, tuple[int, ...]], list[str]] = {}
        for draw in draws:
            for method in (probe, knn) if knn else (probe,):
                key = (method, tuple(draw.rows))
                if key not in known:
                    some, labels = train[draw.rows], self.known(draw)
                    if method == knn:
                        known[key] = knn_predict(some, labels, test)
                    else:
                        known[key] = fit_probe(some, labels, draw.seed).predict(test)
                self._add(method, draw, known[key])

    def known(self, draw: Draw) -> list[str]:
        """The labels of a draw."""
        return [self.train_labels[i] for i in draw.rows]

    def _add(self, method: str, draw: Draw, said: list[str]) -> None:
        score = classification_scores(self.test_labels, said)[_METRIC]
        self._scores.setdefault((method, draw.budget), []).append(score)

    def _verdict(self, finetune: bool, began: float) -> Verdict:
        points = [Point(b, self._sizes[b], method, _METRIC, tuple(s)) for (method, b), s in self._scores.items()]
        ours = better([PROBE] + [FINETUNED] * finetune, points)
        helped, sentence = verdict_sentence(points, ours, self.baselines, CONTROL[ours])
        return Verdict(
            task="classify",
            curve=tuple(points),
            metric=_METRIC,
            helped=helped,
            sentence=sentence,
            saved=labels_saved(points, ours, [*self.baselines, CONTROL[ours]]),
            overlap=None,
            notes=(),
            seconds=time.perf_counter() - began,
        )


def set_aside_notes(stores: Mapping[str, Store], kind: str) -> tuple[str, ...]:
    """What could not be used of the data by these names."""
    return tuple(
        f"{what}: {store.tally['kept']} {kind} kept, {store.tally['quarantined_rows']} quarantined"
        for what, store in stores.items()
        if store.tally["quarantined_rows"]
    )
