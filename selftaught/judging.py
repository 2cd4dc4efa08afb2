"""The judgement behind ``selftaught verdict``: the label-efficiency curve of a model beside honest baselines."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught.backbones.hf import untrained_twin
from selftaught.data.examples import Example, Labels
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.features import LONGEST_TEXT, text_features
from selftaught.finetuning import answers, finetune_quickly, finetuning_rate
from selftaught.metrics.baselines import is_chinese, majority, tfidf_logistic
from selftaught.metrics.efficiency import LabelsSaved, Point, labels_saved, verdict_sentence
from selftaught.metrics.overlap import OverlapFinder
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.sampling import few_label_subset, split_train_test
from selftaught.metrics.scores import classification_scores
from selftaught.pretrained import Pretrained, open_pretrained, trainings
from selftaught.randomness import derive

BUDGETS: tuple[int | None, ...] = (8, 32, 128, None)
SEEDS = 5
TEST_SHARE = 0.3
MOST_TEST_ROWS = 5000
FEW_TEST_ROWS = 200

PROBE, UNTRAINED_PROBE = "pretrained probe", "untrained probe"
FINETUNED, UNTRAINED_FINETUNED = "pretrained fine-tuned", "untrained fine-tuned"
TFIDF, MAJORITY = "TF-IDF + logistic regression", "majority class"


@dataclass(frozen=True)
class Split:
    """Labelled rows, parted once: the test rows are the same for every method, budget and seed.

    Args:
        notes: what was left out, in words.
    """

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    notes: tuple[str, ...] = ()


def split_labels(labels: Labels, test: Labels | None, seed: int) -> Split:
    """Part the labels, or take a test file of its own; rows of both are then left out of the training side.

    Raises:
        SelftaughtError: if a side has nothing, or the test file has a label that was never trained on.
    """
    if test is not None:
        return _with_test_file(labels, test)
    examples = labels.examples
    train, held = split_train_test([e.text for e in examples], [e.label for e in examples], TEST_SHARE, seed)
    held, notes = _thinned(held, seed)
    return Split(tuple(examples[i] for i in train), tuple(examples[i] for i in held), notes)


def _with_test_file(labels: Labels, test: Labels) -> Split:
    known, held_texts = set(labels.counts), {_plain(e.text) for e in test.examples}
    if strange := sorted(set(test.counts) - known):
        raise SelftaughtError(
            f"the test file has labels that the training file has not: {', '.join(strange[:5])}",
            do="check that both name the same column, with --label",
        )
    train = tuple(e for e in labels.examples if _plain(e.text) not in held_texts)
    if not train:
        raise SelftaughtError("every labelled row is also a test row", do="give a test file with other rows")
    dropped = len(labels.examples) - len(train)
    notes = (f"{dropped} training rows whose text is also in the test file were left out",) if dropped else ()
    rows, more = _thinned(np.arange(len(test.examples)), 0)
    return Split(train, tuple(test.examples[i] for i in rows), notes + more)


def _thinned(rows: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[str, ...]]:
    if len(rows) <= MOST_TEST_ROWS:
        return rows, ()
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_TEST_ROWS])
    return chosen, (f"of {len(rows)} test rows {MOST_TEST_ROWS} were drawn at random",)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def overlapping_rows(pretrained: Pretrained, test: Sequence[Example]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Which test rows stand word for word in the pretraining text, bool [N], and which of that text was not read.

    The text is that of the run and of all it began from; None where none of it is at hand.
    """
    recipes, unknown = trainings(pretrained)
    finder, looked_at, unseen = OverlapFinder([e.text for e in test]), 0, [unknown] if unknown else []
    for recipe in recipes:
        try:
            source = open_text(recipe.data.path, text=recipe.data.text)
        except SelftaughtError:  # moved or deleted since
            unseen.append(recipe.data.path)
            continue
        looked_at += 1
        for _, rows in groupby(source.rows(Tally()), key=lambda row: row.document):
            finder.feed("".join(row.text for row in rows))
    if not looked_at:
        return None, ()
    return finder.result(), tuple(f"overlap with what {what} holds or was trained on is unknown" for what in unseen)


@dataclass
class Judge:
    """Scores every method at every budget with every seed.

    Args:
        pretrained: the model.
        split: the labelled rows.
        budgets: labels a class; None for all.
        seeds: how many draws of labels, and untrained networks.
        seed: the first of them.
        precision, device: for the networks.
        tell: hears what is being done.
    """

    pretrained: Pretrained
    split: Split
    budgets: Sequence[int | None]
    seeds: int
    seed: int
    precision: str
    device: torch.device
    tell: Callable[[str], None]
    drawn: dict[str, list[list[str]]] = field(default_factory=dict)
    _scores: dict[tuple[str, int | None], list[dict[str, float]]] = field(default_factory=dict)
    _sizes: dict[int | None, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._texts = [e.text for e in self.split.train]
        self._labels = [e.label for e in self.split.train]
        self._test_texts = [e.text for e in self.split.test]
        self._test_labels = [e.label for e in self.split.test]
        self._chinese = is_chinese(self._texts)
        self.pretrained.backbone.to(self.device)

    @property
    def is_balanced(self) -> bool:
        """Whether accuracy says what macro-F1 does: no class of the test rows is thrice another."""
        counts = np.unique(self._test_labels, return_counts=True)[1]
        return bool(counts.max() < 3 * counts.min())

    def run(self, *, finetune: bool) -> None:
        """Score everything; ``finetune`` adds the fine-tuned networks, which take longer than all the rest."""
        draws = self._draws()
        self.tell(f"baselines   {TFIDF}, {MAJORITY}")
        for budget, seed, rows in draws:
            self._baselines(budget, seed, rows)
        needed = sorted({i for _, _, rows in draws for i in rows})
        place = {row: i for i, row in enumerate(needed)}
        self.tell(f"probe       features of {len(needed) + len(self._test_texts):,} texts, trained and untrained")
        features = self._features(self.pretrained.backbone, needed)
        for budget, seed, rows in draws:
            self._probe(PROBE, budget, seed, rows, features, place)
        for seed in self._seeds():
            features = self._features(self._untrained(seed), needed)
            for budget, drawn_with, rows in draws:
                if drawn_with == seed:
                    self._probe(UNTRAINED_PROBE, budget, seed, rows, features, place)
        if finetune:
            for number, (budget, seed, rows) in enumerate(draws):
                self.tell(f"fine-tuning {number + 1} of {len(draws)}, {len(rows)} labels, pretrained and untrained")
                self._finetune(FINETUNED, budget, seed, rows)
                self._finetune(UNTRAINED_FINETUNED, budget, seed, rows)

    def curve(self, metric: str) -> list[Point]:
        """The points of one metric, ``accuracy`` or ``macro_f1``."""
        return [
            Point(budget, self._sizes[budget], method, metric, tuple(s[metric] for s in scores))
            for (method, budget), scores in self._scores.items()
        ]

    def _seeds(self) -> list[int]:
        return [derive("verdict", self.seed, i) % 2**31 for i in range(self.seeds)]

    def _draws(self) -> list[tuple[int | None, int, list[int]]]:
        """Budgets that differ, each with its draws of rows; a budget no class can fill any more means all labels."""
        most = max(np.unique(self._labels, return_counts=True)[1])
        budgets = [b for b in self.budgets if b is not None and b < most] + ([None] if None in self.budgets else [])
        draws = []
        for budget in budgets or [None]:
            for seed in self._seeds():
                rows = few_label_subset(self._labels, budget, seed).tolist()
                self._sizes[budget] = len(rows)
                draws.append((budget, seed, rows))
                names = [f"{self.split.train[i].file}:{self.split.train[i].line}" for i in rows]
                self.drawn.setdefault(str(budget or "all"), []).append(names)
        return draws

    def _add(self, method: str, budget: int | None, predicted: Sequence[str]) -> None:
        scores = classification_scores(self._test_labels, list(predicted))
        self._scores.setdefault((method, budget), []).append(scores)

    def _baselines(self, budget: int | None, seed: int, rows: list[int]) -> None:
        texts, labels = [self._texts[i] for i in rows], [self._labels[i] for i in rows]
        said = tfidf_logistic(texts, labels, self._test_texts, chinese=self._chinese, seed=seed)
        self._add(TFIDF, budget, said)
        self._add(MAJORITY, budget, majority(labels, len(self._test_texts)))

    def _features(self, backbone: Any, rows: list[int]) -> np.ndarray:
        """Features of the training rows that are needed, then of the test rows."""
        texts = [self._texts[i] for i in rows] + self._test_texts
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return text_features(backbone, self.pretrained.tokenizer, texts)

    def _probe(
        self,
        method: str,
        budget: int | None,
        seed: int,
        rows: list[int],
        features: np.ndarray,
        place: dict[int, int],
    ) -> None:
        test = features[len(place) :]
        probe = fit_probe(features[[place[i] for i in rows]], [self._labels[i] for i in rows], seed)
        self._add(method, budget, probe.predict(test))

    def _untrained(self, seed: int) -> Any:
        torch.manual_seed(derive("untrained", seed))
        return untrained_twin(self.pretrained.backbone).to(self.device)

    def _finetune(self, method: str, budget: int | None, seed: int, rows: list[int]) -> None:
        trained = method == FINETUNED
        backbone = open_pretrained(self.pretrained.folder).backbone if trained else self._untrained(seed)
        learner = finetune_quickly(
            backbone.to(self.device),
            self.pretrained.tokenizer,
            [self._texts[i] for i in rows],
            [self._labels[i] for i in rows],
            seed=seed,
            rate=finetuning_rate(backbone, ours=self.pretrained.run is not None or not trained),
            precision=self.precision,
            longest=min(LONGEST_TEXT, backbone.longest_row),
        )
        said = answers(learner, self.pretrained.tokenizer, self._test_texts, min(LONGEST_TEXT, backbone.longest_row))
        self._add(method, budget, [answer["label"] for answer in said])


@dataclass(frozen=True)
class Verdict:
    """What came out.

    Args:
        curve: all points, of both metrics.
        metric: the one the sentence is about.
        overlap: test rows found in the pretraining text; None if that text was not at hand.
    """

    curve: tuple[Point, ...]
    metric: str
    helped: bool
    sentence: str
    saved: LabelsSaved
    overlap: tuple[str, ...] | None
    notes: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The stable shape that programs read."""
        return {
            "verb": "verdict",
            "curve": [point.to_json() for point in self.curve],
            "metric": self.metric,
            "labels_saved": self.labels_saved,
            "labels_saved_at_least": self.helped and self.saved.at_least,
            "helped": self.helped,
            "sentence": self.sentence,
            "overlap_rows": None if self.overlap is None else len(self.overlap),
            "overlap": list(self.overlap or ())[:100],
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


def judge(
    pretrained: Pretrained,
    labels: Labels,
    test: Labels | None,
    *,
    budgets: Sequence[int | None],
    seeds: int,
    seed: int,
    finetune: bool,
    precision: str,
    device: torch.device,
    tell: Callable[[str], None],
) -> tuple[Verdict, Judge]:
    """Judge a model on labelled rows. The same rows, budgets and seeds serve every method."""
    began = time.perf_counter()
    split = split_labels(labels, test, seed)
    tell(f"labels      {labels.description}: {len(split.train)} to learn from, {len(split.test)} to be tested on")
    overlap, not_looked_at = overlapping_rows(pretrained, split.test)
    judge = Judge(pretrained, split, budgets, seeds, seed, precision, device, tell)
    judge.run(finetune=finetune)
    metric = "accuracy" if judge.is_balanced else "macro_f1"
    points = judge.curve(metric)
    ours = _better([PROBE, FINETUNED], points) if finetune else PROBE
    untrained = UNTRAINED_FINETUNED if ours == FINETUNED else UNTRAINED_PROBE
    helped, sentence = verdict_sentence(points, ours, [TFIDF, MAJORITY], untrained)
    verdict = Verdict(
        curve=tuple(judge.curve("accuracy") + judge.curve("macro_f1")),
        metric=metric,
        helped=helped,
        sentence=sentence,
        saved=labels_saved(points, ours, [TFIDF, MAJORITY, untrained]),
        overlap=None if overlap is None else tuple(_name(split.test[i]) for i in np.flatnonzero(overlap)),
        notes=split.notes + _label_notes(labels) + _test_notes(split) + not_looked_at,
        seconds=time.perf_counter() - began,
    )
    return verdict, judge


def _name(example: Example) -> str:
    return f"{example.file}:{example.line}"


def _better(methods: Sequence[str], points: Sequence[Point]) -> str:
    """The method with the best mean over budgets. Chosen on test scores, so the first is kept unless it is clear."""
    means = {m: float(np.mean([p.mean for p in points if p.method == m])) for m in methods}
    best = max(methods, key=means.__getitem__)
    return best if means[best] > means[methods[0]] + 0.01 else methods[0]


def _label_notes(labels: Labels) -> tuple[str, ...]:
    notes = []
    if labels.tally.quarantined:
        notes.append(f"labels: {labels.tally.summary()}; the first: {labels.tally.records[0]}")
    if labels.conflicts:
        notes.append(f"{labels.conflicts} texts have more than one label")
    if labels.duplicates:
        notes.append(f"{labels.duplicates} labelled rows repeat another; copies never stand on both sides of the test")
    return tuple(notes)


def _test_notes(split: Split) -> tuple[str, ...]:
    """The intervals are over draws of labels; what other test rows would change is told where it is much."""
    rows = len(split.test)
    if rows >= FEW_TEST_ROWS:
        return ()
    margin = 0.98 / rows**0.5  # half the 95 % interval of a share of 0.5
    return (f"{rows} test rows are few: on others a score could be {margin:.2f} off, which the intervals do not show",)


def rows_used(judge: Judge) -> dict[str, Any]:
    """Which rows were tested on, and which were learned from at each budget and draw, as file:line."""
    return {"test": [_name(e) for e in judge.split.test], "train": judge.drawn}


def default_folder(pretrained: Pretrained, place: str | Path) -> Path:
    """Where the verdict is written: the run itself; for a checkpoint from elsewhere a folder of its own here."""
    return pretrained.run.folder if pretrained.run else Path("runs") / f"verdict-{Path(place).name}"
