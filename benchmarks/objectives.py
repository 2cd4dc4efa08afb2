"""Objectives and their sums beside masked language modelling: the same time, the same text, whose features serve?

Each seed trains every objective for the given minutes, of the size that ``pretrain`` chooses for it, and fits linear
probes on the frozen features to a few labels a class. Each objective's tokens are made before the time begins.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts

from benchmarks.pairs import SEVERAL, note, tell
from selftaught.threads import share_cores

if TYPE_CHECKING:  # torch reads the environment when it is loaded: only after share_cores
    import numpy as np

    from selftaught.text.preparing import Pretraining

PER_CLASS = (8, 32)
DRAWS = 5  # of labels, for each trained network
_HEADER = f"{'labels':28}{'a class':>8}  {'objective':20}{'accuracy':>24}{'difference from the first':>28}"

Scores = dict[tuple[str, int], float]
Features = Callable[[list[str]], "np.ndarray"]


def measure(
    *,
    data: Path,
    labels: Annotated[tuple[Path, ...], SEVERAL],
    objectives: Annotated[tuple[str, ...], SEVERAL] = ("mlm", "electra"),
    minutes: float = 5.0,
    seeds: int = 3,
    size: str | None = None,
    settings: Annotated[tuple[str, ...], SEVERAL] = (),
    test_rows: int = 1000,
) -> None:
    """Compare the features of objectives after the same time.

    Args:
        data: What pretrain would be given.
        labels: Files of labelled text.
        objectives: Names and sums of names; each is compared with the first.
        minutes: How long each network trains.
        seeds: How many networks each objective trains.
        size: Of all; what the budget is worth if not given.
        settings: Other recipe keys, as key=value.
        test_rows: Rows of each label file, at most, that the probes are scored on.
    """
    share_cores()
    from selftaught.data.labels import read_labels

    sets = [LabelSet.of(file.name, read_labels(file).examples, test_rows) for file in labels]
    scores: dict[str, list[Scores]] = {name: [] for name in objectives}
    runs: list[dict[str, Any]] = []
    with TemporaryDirectory() as scratch:
        for seed in range(seeds):
            for objective in objectives if seed % 2 == 0 else reversed(objectives):
                ready = prepared(data, Path(scratch) / objective, objective, 60 * minutes, seed, size, settings)
                runs.append({"objective": objective, "seed": seed, **trained(ready)})
                note(str(runs[-1]))
                features = features_of(ready)
                scores[objective].append({key: x for one in sets for key, x in one.scores(features, seed).items()})
    first = objectives[0]
    table = [row for key in scores[first][0] for row in compared(key, scores)]
    note("\n".join([_HEADER, *map(_line, table)]))
    gains = {
        name: fmean(row["difference"]["mean"] for row in table if row["objective"] == name)
        for name in objectives
        if name != first
    }
    passed = max(gains.values(), default=0.0) >= 0
    facts = {"minutes": minutes, "seeds": seeds, "settings": settings, "runs": runs}
    tell({"name": "objectives", "unit": "accuracy", "gains": gains, "passed": passed, "table": table, **facts})


@dataclass(frozen=True)
class LabelSet:
    """One label file, parted once for all networks.

    Args:
        train, test: pairs of text and label.
    """

    name: str
    train: tuple[tuple[str, str], ...]
    test: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, name: str, examples: Sequence[Any], test_rows: int) -> "LabelSet":
        from selftaught.metrics.sampling import split_train_test

        pairs = [(example.text, example.label) for example in examples]
        train, test = split_train_test([text for text, _ in pairs], [label for _, label in pairs], 0.5)
        few = test[:: max(1, -(-len(test) // test_rows))]
        return cls(name, tuple(pairs[i] for i in train), tuple(pairs[i] for i in few))

    def scores(self, features: Features, seed: int) -> Scores:
        """The accuracy at each number of labels a class, the mean over draws of labels."""
        from selftaught.metrics.probe import fit_probe
        from selftaught.metrics.sampling import few_label_subset

        names = [label for _, label in self.train]
        truth = [label for _, label in self.test]
        asked = features([text for text, _ in self.test])
        found = {}
        for per_class in PER_CLASS:
            right = []
            for draw in range(DRAWS):
                rows = few_label_subset(names, per_class, seed * DRAWS + draw)
                probe = fit_probe(features([self.train[i][0] for i in rows]), [names[i] for i in rows], seed)
                right.append(fmean(a == b for a, b in zip(probe.predict(asked), truth, strict=True)))
            found[self.name, per_class] = fmean(right)
        return found


def prepared(
    data: Path, folder: Path, objective: str, seconds: float, seed: int, size: str | None, settings: Sequence[str]
) -> "Pretraining":
    """What ``pretrain`` would run; the tokens in ``folder`` are made once, for all seeds."""
    from selftaught.recipe import compose
    from selftaught.run.folder import Run
    from selftaught.text.preparing import prepare_pretraining

    given = {
        "data.path": str(data),
        "objective.name": objective,
        "model.size": size,
        "train.seconds": seconds,
        "train.seed": seed,
    }
    return prepare_pretraining(Run(folder), compose(given, settings=settings))


def trained(ready: "Pretraining") -> dict[str, Any]:
    """Train to the end of the budget; what it cost and what the pretext measured last."""
    from selftaught.loop import train
    from selftaught.optim import adamw
    from selftaught.schedule import Schedule

    asked = ready.recipe.train
    assert asked.rate is not None
    *_, last = train(
        ready.learner,
        ready.batches.starting,
        adamw(ready.learner, asked.rate, weight_decay=asked.weight_decay),
        Schedule(seconds=asked.seconds, warmup=asked.warmup, final=asked.final),
        seed=asked.seed,
        accumulate=asked.accumulate,
        clip=asked.clip,
    )
    facts = {"size": ready.plan.size, "parameters": ready.plan.parameters, "steps": last.progress.step}
    return {**facts, "tokens": last.progress.samples * asked.length, "last": last.measures}


def features_of(ready: "Pretraining") -> Features:
    """The frozen features of texts, as ``verdict`` takes them."""
    from selftaught.backbones.hf import text_backbone
    from selftaught.text.features import text_features

    def features(texts: list[str]) -> "np.ndarray":
        with ready.learner.autocast():
            return text_features(text_backbone(ready.learner.backbones), ready.corpus.tokenizer, texts)

    return features


def compared(key: tuple[str, int], scores: dict[str, list[Scores]]) -> list[dict[str, Any]]:
    """Rows of the table, one an objective: its mean, and its difference from the first on the same seeds.

    Both have their 95 % interval over seeds; the first has no difference.
    """
    from selftaught.metrics.interval import paired_difference, t_interval

    each = {name: [one[key] for one in found] for name, found in scores.items()}
    first, *_ = each.values()
    return [
        {
            "labels": key[0],
            "per_class": key[1],
            "objective": name,
            "accuracy": _json(t_interval(mine)),
            "difference": None if mine is first else _json(paired_difference(mine, first)),
        }
        for name, mine in each.items()
    ]


def _json(interval: Any) -> dict[str, float | None]:
    """An interval whose limits are null where there is one seed."""
    return {name: None if value != value else value for name, value in asdict(interval).items()}


def _line(row: dict[str, Any]) -> str:
    difference = "" if row["difference"] is None else _cell(row["difference"], "+.3f")
    start = f"{row['labels'][:27]:28}{row['per_class']:>8}  {row['objective']:20}"
    return f"{start}{_cell(row['accuracy'], '.3f'):>24}{difference:>28}"


def _cell(interval: dict[str, float | None], form: str) -> str:
    limits = "" if interval["low"] is None else f" ({interval['low']:{form}} to {interval['high']:{form}})"
    return f"{interval['mean']:{form}}{limits}"


if __name__ == "__main__":
    cyclopts.run(measure)
