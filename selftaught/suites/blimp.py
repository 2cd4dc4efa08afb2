"""BLiMP: of two sentences that differ in one point, is the acceptable one the likelier? (Warstadt et al. 2020).

A causal model is asked for the likelihood of each sentence, a masked one for its pseudo-likelihood (Salazar et al.
2020, section 4). Beside it stands a trigram model that was counted on the same tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selftaught.console import note, table
from selftaught.data.minimal_pairs import MinimalPair, read_minimal_pairs
from selftaught.errors import SelftaughtError
from selftaught.metrics.interval import Interval, bootstrap_interval
from selftaught.metrics.trigram import Trigram, trigrams
from selftaught.pretrained import Pretrained
from selftaught.prompting.scoring import Scorer, open_scorer
from selftaught.randomness import derive
from selftaught.text.trigram_baseline import MOST_TOKENS, trigram_baseline

CHANCE = 0.5
TIE = 1e-4  # nats; a smaller difference is less than float32 can be trusted with
LEVELS: tuple[tuple[str, Callable[[MinimalPair], str]], ...] = (
    ("paradigm", lambda pair: pair.paradigm),
    ("phenomenon", lambda pair: pair.phenomenon),
    ("field", lambda pair: pair.field),
    ("overall", lambda pair: "all pairs"),
)


@dataclass(frozen=True)
class Group:
    """The pairs of one paradigm, phenomenon or field, or all of them, and how well they were told apart.

    Args:
        trigram: of the trigram model, None where there is none.
    """

    level: str
    name: str
    pairs: int
    model: Interval
    trigram: Interval | None

    def to_json(self) -> dict[str, Any]:
        """The stable shape that programs read."""
        found = {"level": self.level, "name": self.name, "pairs": self.pairs, **_json("accuracy", self.model)}
        return found | (_json("trigram", self.trigram) if self.trigram else {})


def run(pretrained: Pretrained, data: str, rows: int | None, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Measure a model on the minimal pairs in ``data``.

    Args:
        rows: at most so many pairs of each paradigm, drawn at random.

    Raises:
        SelftaughtError: if the model has no language modelling head, or there are no pairs.
    """
    scorer = open_scorer(pretrained)
    found = read_minimal_pairs(data, scorer.problem)
    pairs = _drawn(found.pairs, rows, seed)
    baseline, notes = _baseline(pretrained, scorer)
    note(f"scoring     {len(pairs):,} pairs by {scorer.measure}")
    right = preferences(scorer.texts, pairs)
    beside = None if baseline is None else preferences(lambda texts: _counted(baseline, scorer, texts), pairs)
    groups = grouped(pairs, right, beside)
    ties = int((right == CHANCE).sum())
    if ties:
        notes.append(f"{ties} of {len(pairs):,} pairs are ties and count one half each")
    report = {
        "verb": "evaluate",
        "suite": "blimp",
        "data": data,
        "scored_by": scorer.measure,
        "chance": CHANCE,
        "groups": [group.to_json() for group in groups],
        "ties": ties,
        "rows": found.tally.to_json(),
        "notes": notes,
    }
    lines = [f"rows        {found.tally.summary()}", f"scored by   {scorer.measure}", ""]
    for level, _ in LEVELS:
        lines += [*_table(level, groups), ""]
    if beside is not None:
        difference = bootstrap_interval(right - beside)
        report["above_trigram"] = _json("mean", difference)
        lines.append(_sentence(difference))
    return report, lines


def preferences(score: Callable[[Sequence[str]], np.ndarray], pairs: Sequence[MinimalPair]) -> np.ndarray:
    """1 for each pair whose acceptable sentence has the higher score, 0 for the others, one half for ties: float64 [N].

    Args:
        score: the scores of texts, [N].
    """
    texts = list(dict.fromkeys(sentence for pair in pairs for sentence in (pair.good, pair.bad)))
    scores = dict(zip(texts, score(texts).tolist(), strict=True))
    above = np.array([scores[pair.good] - scores[pair.bad] for pair in pairs])
    return np.where(np.abs(above) <= TIE, CHANCE, above > 0)


def grouped(pairs: Sequence[MinimalPair], right: np.ndarray, beside: np.ndarray | None) -> list[Group]:
    """Each paradigm, phenomenon and field by name, and all of them.

    Args:
        right, beside: float64 [N], the model's preferences and the trigram's.
    """
    groups = []
    for level, name_of in LEVELS:
        names = np.array([name_of(pair) for pair in pairs])
        for name in np.unique(names).tolist():
            here = names == name
            trigram = None if beside is None else bootstrap_interval(beside[here])
            groups.append(Group(level, name, int(here.sum()), bootstrap_interval(right[here]), trigram))
    return groups


def _drawn(pairs: tuple[MinimalPair, ...], rows: int | None, seed: int) -> list[MinimalPair]:
    """At most ``rows`` pairs of each paradigm, in the order of the files."""
    if rows is None:
        return list(pairs)
    places: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        places.setdefault(pair.paradigm, []).append(place)
    chosen = [
        np.random.default_rng(derive("pairs", seed, paradigm)).permutation(some)[:rows]
        for paradigm, some in places.items()
    ]
    return [pairs[place] for place in np.sort(np.concatenate(chosen))]


def _baseline(pretrained: Pretrained, scorer: Scorer) -> tuple[Trigram | None, list[str]]:
    """The trigram model, or why there is none."""
    if not scorer.opening:
        return None, ["no trigram model stands beside it: the tokenizer has no token that opens a document"]
    try:
        trigram, tokens = trigram_baseline(pretrained, scorer.opening[0])
    except SelftaughtError as error:
        return None, [f"no trigram model stands beside it: {error.what}"]
    notes = []
    if tokens == MOST_TOKENS:
        notes.append(f"the trigram model was counted on {tokens:,} tokens from all over the text, not on all of it")
    if pretrained.recipe and pretrained.recipe.model.init:
        notes.append("the trigram model knows the text of the last training only, the network also what it began with")
    return trigram, notes


def _counted(trigram: Trigram, scorer: Scorer, texts: Sequence[str]) -> np.ndarray:
    """The trigram model's log-likelihood of each text in nats: float64 [N]."""
    ids = scorer.encode(texts)
    ends = np.cumsum([0, *map(len, ids)])
    tokens = np.array([token for some in ids for token in some], np.int64)
    begins = np.repeat(ends[:-1], np.diff(ends))
    grams = trigrams(tokens.__getitem__, np.arange(len(tokens)), begins, scorer.opening[0])
    running = np.concatenate([[0.0], np.cumsum(np.log(trigram.probabilities(grams)))])
    return running[ends[1:]] - running[ends[:-1]]


def _json(name: str, interval: Interval) -> dict[str, float]:
    prefix = "" if name in ("accuracy", "mean") else f"{name}_"
    return {name: interval.mean, f"{prefix}low": interval.low, f"{prefix}high": interval.high}


def _table(level: str, groups: Sequence[Group]) -> list[str]:
    header = [level, "pairs", "accuracy", "95 %", "trigram", "95 %", "chance"]
    rows = [
        [group.name, f"{group.pairs:,}", *_cell(group.model), *_cell(group.trigram), f"{CHANCE:.3f}"]
        for group in groups
        if group.level == level
    ]
    return table(header, rows)


def _cell(interval: Interval | None) -> list[str]:
    if interval is None:
        return ["-", "-"]
    return [f"{interval.mean:.3f}", f"{interval.low:.3f}-{interval.high:.3f}"]


def _sentence(difference: Interval) -> str:
    """What the difference to the trigram model says, in one sentence."""
    spread = f"{difference.mean:+.3f} (95 % interval {difference.low:+.3f} to {difference.high:+.3f} over pairs)"
    if difference.low > 0:
        return f"It is better than the trigram model: {spread}."
    if difference.high < 0:
        return f"It is worse than the trigram model: {spread}."
    return f"It is not clearly better or worse than the trigram model: {spread}."
