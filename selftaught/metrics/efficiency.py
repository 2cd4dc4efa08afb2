"""What the label-efficiency curve says: how many labels were saved, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from selftaught.metrics.interval import Interval, paired_difference, paired_p_value, t_interval

LEVEL = 0.95
LEAST_SEEDS = 5


@dataclass(frozen=True)
class Point:
    """The scores of one method at one budget, one a seed, in the same order of seeds for every method.

    Args:
        labels_per_class: the budget, in what is ``counted``; None for all labels there are.
        counted: "labels per class", or "examples" where there are no classes.
    """

    labels_per_class: int | None
    total_labels: int
    method: str
    metric: str
    scores: tuple[float, ...]
    counted: str = "labels per class"

    @property
    def interval(self) -> Interval:
        return t_interval(self.scores, LEVEL)

    @property
    def mean(self) -> float:
        return self.interval.mean

    @property
    def low(self) -> float:
        return self.interval.low

    @property
    def high(self) -> float:
        return self.interval.high

    @property
    def seeds(self) -> int:
        return len(self.scores)

    @property
    def budget(self) -> str:
        if self.labels_per_class is None:
            return "all labels"
        return f"{self.labels_per_class} {self.counted}"

    @property
    def setting(self) -> str:
        return f"{self.budget} ({self.total_labels} in all, {self.seeds} seeds)"

    def to_json(self) -> dict[str, int | float | str | None]:
        """As in a report; limits that do not exist (one seed) are null."""
        known = self.seeds > 1
        return {
            "labels_per_class": self.labels_per_class,
            "total_labels": self.total_labels,
            "method": self.method,
            "metric": self.metric,
            "mean": self.mean,
            "low": self.low if known else None,
            "high": self.high if known else None,
            "seeds": self.seeds,
        }


@dataclass(frozen=True)
class LabelsSaved:
    """So many fewer labels, `at` this budget of ours; `at_least` where no baseline ever got as far."""

    labels: int
    at: Point
    at_least: bool


def labels_saved(curve: Sequence[Point], ours: str, baselines: Sequence[str]) -> LabelsSaved:
    """How many more labels the best baseline needs to reach the mean score that ours reaches with few.

    Taken at the smallest budget where ours is better than every baseline with as many labels. What a
    baseline needs is read off its curve of mean scores against the logarithm of the number of labels,
    straight between points. More labels never hurt in that curve: where it falls, the best score so far
    stands, for one may leave labels out. Of several baselines the one that needs fewest counts. If none
    reaches our score with all the labels measured, the answer is a lower bound: all those labels less ours.
    If ours is nowhere better it is 0, at the smallest budget.

    Count the untrained network among the baselines: what it reaches, self-supervision did not save. This
    compares means; whether the difference is more than chance is said by `verdict_sentence`.

    Raises:
        ValueError: the curve lacks `ours` or all of the `baselines`.
    """
    own = _line(curve, ours)
    rivals = [_line(curve, name) for name in baselines]
    if not own or not any(rivals):
        raise ValueError(f"the curve holds no point of {ours!r} or none of {list(baselines)!r}")
    for point in own:
        needed = [n for line in rivals if (n := _labels_needed(line, point.mean)) is not None]
        if not needed:
            most = max(other.total_labels for line in rivals for other in line)
            if most > point.total_labels:
                return LabelsSaved(most - point.total_labels, point, at_least=True)
        elif min(needed) > point.total_labels:
            return LabelsSaved(round(min(needed) - point.total_labels), point, at_least=False)
    return LabelsSaved(0, own[0], at_least=False)


def _line(curve: Sequence[Point], method: str) -> list[Point]:
    return sorted((point for point in curve if point.method == method), key=lambda point: point.total_labels)


def _labels_needed(line: Sequence[Point], score: float) -> float | None:
    """The labels at which the running best of `line` reaches `score`; None if it never does."""
    best: Point | None = None
    for point in line:
        if point.mean >= score:
            if best is None:
                return point.total_labels
            share = (score - best.mean) / (point.mean - best.mean)
            return exp(log(best.total_labels) + share * (log(point.total_labels) - log(best.total_labels)))
        if best is None or point.mean > best.mean:
            best = point
    return None


def verdict_sentence(curve: Sequence[Point], ours: str, baselines: Sequence[str], untrained: str) -> tuple[bool, str]:
    """Whether self-supervision helped, and one plain sentence that says so with figures.

    It helped if at one or more few-label budgets `ours` beats both the untrained network and the baseline
    that is best there: the larger of the two paired t tests' p values, corrected over budgets (Holm 1979,
    "A simple sequentially rejective multiple test procedure"), is below 0.05. A budget that takes all the
    labels there are is left out, because its draws do not differ, and so is one with fewer than five seeds.
    The seeds are draws of labels; the test rows are the same for all, so the claim is about these test
    rows.

    Raises:
        ValueError: the curve mixes metrics, or a method lacks a budget or a seed that `ours` has.
    """
    rounds = _rounds(curve, ours, baselines, untrained)
    everything = min((r.ours.total_labels for r in rounds if r.ours.labels_per_class is None), default=None)
    few = [r for r in rounds if everything is None or r.ours.total_labels < everything]
    fair = [r for r in few if r.ours.seeds >= LEAST_SEEDS]
    if not fair:
        return False, _undecided(rounds, few)
    won = _holm([max(r.p_baseline, r.p_untrained) for r in fair])
    if any(won):
        first = fair[won.index(True)]
        return True, _helped(first, rounds, labels_saved(curve, ours, [*baselines, untrained]))
    return False, _did_not_help(fair)


@dataclass(frozen=True)
class _Round:
    """One budget: ours, the baseline that is best there, and the untrained network."""

    ours: Point
    baseline: Point
    untrained: Point

    @property
    def over_baseline(self) -> Interval:
        return paired_difference(self.ours.scores, self.baseline.scores, LEVEL)

    @property
    def over_untrained(self) -> Interval:
        return paired_difference(self.ours.scores, self.untrained.scores, LEVEL)

    @property
    def p_baseline(self) -> float:
        return _p_better(self.ours, self.baseline)

    @property
    def p_untrained(self) -> float:
        return _p_better(self.ours, self.untrained)


def _rounds(curve: Sequence[Point], ours: str, baselines: Sequence[str], untrained: str) -> list[_Round]:
    if len({point.metric for point in curve}) > 1:
        raise ValueError("a verdict is about one metric: give the points of that one alone")
    points = {(point.method, point.labels_per_class): point for point in curve}

    def at(method: str, budget: int | None) -> Point:
        if (method, budget) not in points:
            raise ValueError(f"the curve has no point of {method!r} at {budget} labels per class")
        return points[method, budget]

    rounds = []
    for own in _line(curve, ours):
        budget = own.labels_per_class
        best = max((at(name, budget) for name in baselines), key=lambda point: point.mean)
        rounds.append(_Round(own, best, at(untrained, budget)))
    if not rounds:
        raise ValueError(f"the curve has no point of {ours!r}")
    return rounds


def _p_better(ours: Point, other: Point) -> float:
    """The two-sided p value where ours is ahead; 1 where it is not."""
    return paired_p_value(ours.scores, other.scores) if ours.mean > other.mean else 1.0


def _holm(p_values: Sequence[float]) -> list[bool]:
    """Which hypotheses fall, at LEVEL for the whole family."""
    rejected = [False] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > (1 - LEVEL) / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


def _helped(won: _Round, rounds: Sequence[_Round], saved: LabelsSaved) -> str:
    own = won.ours
    sentence = (
        f"It helped: with {own.setting}, {own.method} reaches {own.metric} "
        f"{own.mean:.3f}, {_ahead(won.over_baseline)} the best baseline, {won.baseline.method}, and "
        f"{_ahead(won.over_untrained)} {won.untrained.method}"
    )
    if saved.labels:
        amount = "at least" if saved.at_least else "about"
        sentence += f"; at {saved.at.budget} it saves {amount} {saved.labels} labels"
    last = rounds[-1]
    if last.over_baseline.mean < 0:
        behind = -last.over_baseline.mean
        sentence += f"; but with {last.ours.budget}, {last.baseline.method} is {behind:.3f} ahead"
    return sentence + "."


def _did_not_help(fair: Sequence[_Round]) -> str:
    beats_untrained = any(_holm([r.p_untrained for r in fair]))
    beats_baseline = any(_holm([r.p_baseline for r in fair]))
    if beats_untrained and not beats_baseline:
        shown = min(fair, key=lambda r: r.p_untrained)
        return (
            f"It did not help: with {shown.ours.setting}, pretraining lifts {shown.ours.method} "
            f"{_ahead(shown.over_untrained)} {shown.untrained.method}, but it {_stands(shown.over_baseline)} "
            f"{shown.baseline.method}, which needs no pretraining."
        )
    if beats_baseline and not beats_untrained:
        shown = min(fair, key=lambda r: r.p_baseline)
        return (
            f"It did not help: with {shown.ours.setting}, {shown.ours.method} is "
            f"{_ahead(shown.over_baseline)} {shown.baseline.method}, but it "
            f"{_stands(shown.over_untrained)} {shown.untrained.method}."
        )
    shown = max(fair, key=lambda r: r.over_baseline.mean)
    return (
        f"It did not help: at its best, with {shown.ours.setting}, {shown.ours.method} "
        f"{_stands(shown.over_baseline)} {shown.baseline.method}, and it {_stands(shown.over_untrained)} "
        f"{shown.untrained.method}."
    )


def _undecided(rounds: Sequence[_Round], few: Sequence[_Round]) -> str:
    shown = (few or rounds)[0]
    reason = (
        f"{shown.ours.seeds} seeds are fewer than the {LEAST_SEEDS} that a claim needs"
        if few
        else "every budget takes all the labels there are, so that no draw differs from another"
    )
    return (
        f"Whether it helped cannot be said: {reason}; with {shown.ours.setting}, {shown.ours.method} has "
        f"{shown.ours.metric} {shown.ours.mean:.3f}, {shown.baseline.method} {shown.baseline.mean:.3f} and "
        f"{shown.untrained.method} {shown.untrained.mean:.3f}."
    )


def _ahead(gain: Interval) -> str:
    return f"{gain.mean:.3f} ({_limits(gain)}) above"


def _stands(gain: Interval) -> str:
    """How ours stands to a method that it does not clearly beat at every correction."""
    if gain.high < 0:
        return f"loses by {-gain.mean:.3f} ({_limits(gain)}) to"
    return f"is not clearly better ({gain.mean:+.3f}, {_limits(gain)}) than"


def _limits(gain: Interval) -> str:
    return f"95 % interval {gain.low:+.3f} to {gain.high:+.3f}"
