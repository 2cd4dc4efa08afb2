"""The judgement behind ``selftaught verdict``: the label-efficiency curve of a model beside honest baselines."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.examples import Examples, place
from selftaught.errors import SelftaughtError
from selftaught.judging.draws import Draw, Drawing
from selftaught.judging.splitting import Split, example_notes, few_rows_notes, overlapping_rows, split_examples
from selftaught.judging.subject import Subject
from selftaught.judging.verdict import (
    CONTROL,
    FINETUNED,
    PROBE,
    SPREAD,
    UNTRAINED_FINETUNED,
    UNTRAINED_PROBE,
    UNTRAINED_SPREAD,
    WORDS_SPREAD,
    Verdict,
    better,
)
from selftaught.lookup import make_task
from selftaught.metrics.baselines import is_chinese
from selftaught.metrics.efficiency import Point, labels_saved, verdict_sentence
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.spreading import MOST_TEXTS, Spreader, TextViews
from selftaught.task import Answer, Task
from selftaught.tasks.classify import Classify

LEAST_TO_SPREAD = 1_000  # texts to learn from; among fewer, hardly any is the neighbour of a labelled one


@dataclass
class Judge:
    """Scores every method at every budget with every seed.

    Args:
        subject: the model.
        make: the task that examples pose.
        split: the labelled rows.
        drawing: of examples.
        tell: hears what is being done.
    """

    subject: Subject
    make: Callable[[Sequence[Any]], Task[Any]]
    split: Split
    drawing: Drawing
    tell: Callable[[str], None]
    drawn: dict[str, list[list[str]]] = field(default_factory=dict)
    baselines: list[str] = field(default_factory=list)
    _scores: dict[tuple[str, int | None], list[dict[str, float]]] = field(default_factory=dict)
    _sizes: dict[int | None, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.task = self.make(self.split.train)
        self._strata = self.task.strata(self.split.train)

    @property
    def has_probe(self) -> bool:
        """Whether a linear probe on the features of a text can answer."""
        return isinstance(self.task, Classify) and not self.task.several

    @property
    def spreads(self) -> bool:
        """Whether there are enough texts, with their labels out of sight, for labels to spread to."""
        return self.has_probe and len(self.split.train) >= LEAST_TO_SPREAD

    @property
    def counted(self) -> str:
        """What budgets are counted in."""
        return "labels per class" if any(self._strata) else "examples"

    @property
    def metric(self) -> str:
        """What the sentence is about: accuracy if the test rows are balanced, otherwise the task's first measure.

        No class of balanced rows is three times another.
        """
        measures = next(iter(self._scores.values()))[0]
        counts = np.unique(self.task.strata(self.split.test), return_counts=True)[1]
        balanced = len(counts) > 1 and counts.max() < 3 * counts.min()
        return "accuracy" if balanced and "accuracy" in measures else next(iter(measures))

    @property
    def metrics(self) -> list[str]:
        return sorted(next(iter(self._scores.values()))[0])

    def run(self, *, finetune: bool) -> None:
        """Score everything; ``finetune`` adds the fine-tuned networks, which take longer than all the rest."""
        draws = self._draws()
        self.tell("baselines   without pretraining")
        for draw in draws:
            found = self.task.baselines(self._train(draw), self.split.test, draw.seed)
            self.baselines = list(found)
            for method, said in found.items():
                self._add(method, draw, said)
        if self.has_probe:
            self._probe_all(draws)
        if finetune:
            for number, draw in enumerate(draws):
                self.tell(f"fine-tuning {number + 1} of {len(draws)}, {len(draw.rows)} rows, pretrained and untrained")
                self._finetune(FINETUNED, draw)
                self._finetune(UNTRAINED_FINETUNED, draw)

    def curve(self, metric: str) -> list[Point]:
        """The points of one of the task's measures."""
        return [
            Point(budget, self._sizes[budget], method, metric, tuple(s[metric] for s in scores), self.counted)
            for (method, budget), scores in self._scores.items()
        ]

    def _draws(self) -> list[Draw]:
        draws = self.drawing.of(self._strata)
        for draw in draws:
            self._sizes[draw.budget] = len(draw.rows)
            self.drawn.setdefault(str(draw.budget or "all"), []).append([place(one) for one in self._train(draw)])
        return draws

    def _train(self, draw: Draw) -> list[Any]:
        return [self.split.train[i] for i in draw.rows]

    def _add(self, method: str, draw: Draw, said: Sequence[Answer]) -> None:
        self._scores.setdefault((method, draw.budget), []).append(self.task.measure(self.split.test, said))

    def _probe_all(self, draws: list[Draw]) -> None:
        """Probes, and spreading where there are texts to spread to: with the network, its untrained twins, and none."""
        shown = self._shown(draws)
        places = {row: i for i, row in enumerate(shown)}
        texts = [self.split.train[i].text for i in shown] + [example.text for example in self.split.test]
        seen = None
        if self.spreads:
            seen = TextViews.of(texts[: len(places)], texts[len(places) :], chinese=is_chinese(texts))
            self._spread(WORDS_SPREAD, draws, Spreader.of(seen, None), places)
            self.baselines.append(WORDS_SPREAD)
        self.tell(f"probe       features of {len(texts):,} texts, trained and untrained")
        self._judge_features((PROBE, SPREAD), draws, self.subject.features(texts), places, seen)
        for seed in self.drawing.seeds:
            same, untrained = [draw for draw in draws if draw.seed == seed], self.subject.features(texts, seed)
            self._judge_features((UNTRAINED_PROBE, UNTRAINED_SPREAD), same, untrained, places, seen)

    def _shown(self, draws: list[Draw]) -> list[int]:
        """The training rows whose texts are looked at: those drawn, and others, for labels to spread to."""
        drawn = sorted({i for draw in draws for i in draw.rows})
        if not self.spreads:
            return drawn
        others = np.setdiff1d(np.arange(len(self.split.train)), drawn)
        room = max(MOST_TEXTS - len(drawn), 0)
        return [*drawn, *np.random.default_rng(self.drawing.seed).permutation(others)[:room].tolist()]

    def _judge_features(
        self,
        methods: tuple[str, str],
        draws: list[Draw],
        features: np.ndarray,
        places: dict[int, int],
        seen: TextViews | None,
    ) -> None:
        """Score a probe on a model's features, and spreading by them.

        Args:
            features: of the training rows at ``places``, and then of the test rows.
            seen: the same as their words show them; None where labels do not spread.
        """
        for draw in draws:
            labels = [example.label for example in self._train(draw)]
            probe = fit_probe(features[[places[i] for i in draw.rows]], labels, draw.seed)
            self._add(methods[0], draw, [{"label": label} for label in probe.predict(features[len(places) :])])
        if seen is not None:
            self._spread(methods[1], draws, Spreader.of(seen, features), places)

    def _spread(self, method: str, draws: list[Draw], spreader: Spreader, places: dict[int, int]) -> None:
        known: dict[tuple[int, ...], list[Answer]] = {}  # with all labels, the draws are one and the same
        for draw in draws:
            rows = tuple(sorted(draw.rows))
            if rows not in known:
                labels = [self.split.train[i].label for i in rows]
                known[rows] = [{"label": label} for label in spreader.answers([places[i] for i in rows], labels)]
            self._add(method, draw, known[rows])

    def _finetune(self, method: str, draw: Draw) -> None:
        train, trained = self._train(draw), method == FINETUNED
        said = self.subject.finetuned(self.make(train), train, self.split.test, draw.seed, trained=trained)
        self._add(method, draw, said)


def judge(
    subject: Subject,
    task: str,
    options: Mapping[str, Any],
    found: Examples[Any],
    test: Examples[Any] | None,
    *,
    drawing: Drawing,
    finetune: bool,
    tell: Callable[[str], None],
) -> tuple[Verdict, Judge]:
    """Judge a model on labelled rows. The same rows, budgets and seeds serve every method.

    Args:
        task: its name.
        options: of the task.
        finetune: whether to fine-tune the networks where a probe could do; elsewhere they always are.

    Raises:
        SelftaughtError: if the model would have to be fine-tuned, and cannot be.
    """
    began = time.perf_counter()

    def make(examples: Sequence[Any]) -> Task[Any]:
        return make_task(task, examples, options)

    split = split_examples(make(found.examples), found, test, drawing.seed)
    tell(f"labels      {found.description}: {len(split.train)} to learn from, {len(split.test)} to be tested on")
    overlap, nearly, not_looked_at = overlapping_rows(subject, split.test)
    judge = Judge(subject, make, split, drawing, tell)
    tuned = finetune or not judge.has_probe
    if tuned and not subject.can_be_finetuned:
        raise SelftaughtError(
            f"word vectors cannot be fine-tuned, as {'--finetune' if finetune else task} would have it",
            do="judge them by a task with one label a text, without --finetune",
        )
    judge.run(finetune=tuned)
    points = judge.curve(judge.metric)
    ours = better([SPREAD] * judge.spreads + [PROBE] * judge.has_probe + [FINETUNED] * tuned, points)
    untrained = CONTROL[ours]
    helped, sentence = verdict_sentence(points, ours, judge.baselines, untrained)
    verdict = Verdict(
        task=task,
        curve=tuple(point for metric in judge.metrics for point in judge.curve(metric)),
        metric=judge.metric,
        helped=helped,
        sentence=sentence,
        saved=labels_saved(points, ours, [*judge.baselines, untrained]),
        overlap=None if overlap is None else tuple(place(split.test[i]) for i in np.flatnonzero(overlap)),
        notes=split.notes + example_notes(found) + few_rows_notes(split) + not_looked_at,
        seconds=time.perf_counter() - began,
        nearly=tuple(place(split.test[i]) for i in np.flatnonzero(nearly)),
    )
    return verdict, judge


def rows_used(judge: Judge) -> dict[str, Any]:
    """Which rows were tested on, and which were learned from at each budget and draw, as file:line."""
    return {"test": [place(example) for example in judge.split.test], "train": judge.drawn}


def default_folder(subject: Subject, where: str | Path) -> Path:
    """Where the verdict is written: the run itself; for a checkpoint from elsewhere a folder of its own here."""
    return subject.run.folder if subject.run else Path("runs") / f"verdict-{Path(where).name}"
