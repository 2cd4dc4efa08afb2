"""Is order a better question than topic? The finding of ALBERT, table 5 (Lan et al. 2020).

A model is pretrained with masking and next sentence prediction, another with masking and sentence order prediction, on
the same text and budget. Both are then asked both questions about documents that neither has seen. In the paper the
first answers its own question and is at chance about order; the second answers both.
"""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts

from benchmarks.pairs import SEVERAL, note, tell
from selftaught.threads import share_cores

if TYPE_CHECKING:  # torch reads the environment when it is loaded: only after share_cores
    from selftaught.data.store import TokenStore
    from selftaught.objective import Objective
    from selftaught.preparing import Pretraining

QUESTIONS = ("nsp", "sop")
TRAINED = tuple(f"mlm+{question}" for question in QUESTIONS)
CHANCE = 0.5
UNSEEN = 0.1  # of the documents


def measure(
    *,
    data: Path,
    minutes: float = 10.0,
    seeds: Annotated[tuple[int, ...], SEVERAL] = (0, 1, 2),
    size: str = "small",
    init: Path | None = None,
    length: int = 128,
    batch: int = 32,
    settings: Annotated[tuple[str, ...], SEVERAL] = (),
) -> None:
    """Train each objective for each seed, and ask both questions about a tenth of the documents, kept apart.

    Args:
        data: A folder of text files, each a document.
        minutes: How long each of the models trains.
        seeds: Each draws other documents to be kept apart, and other weights.
        size: A preset.
        init: A run or checkpoint to begin from instead.
        length: Tokens a row.
        batch: Pairs a step.
        settings: Other recipe keys, as key=value.
    """
    share_cores()
    keys = (f"train.length={length}", f"train.batch={batch}", *settings)
    given = {"train.seconds": 60 * minutes, "model.init": str(init) if init else None}
    given |= {"model.size": None if init else size}
    found: list[Answered] = []
    for seed in seeds:
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            documents = kept_apart(data, folder, seed)
            for name in TRAINED:
                asked = {**given, "data.path": str(folder / "seen"), "objective.name": name, "train.seed": seed}
                found += answers(asked, keys, folder, name, seed)
                note("\n".join(map(str, found[-len(QUESTIONS) :])))
    table = [_row(trained, asked, found) for trained in TRAINED for asked in QUESTIONS]
    note("\n".join([_HEADER, *map(_line, table)]))
    runs = [vars(one) for one in found]
    tell({"name": "order", "unit": "share right", "chance": CHANCE, "unseen": documents, "table": table, "runs": runs})


@dataclass(frozen=True)
class Answered:
    """What one model says to one question about all pairs of the unseen documents."""

    trained: str
    asked: str
    seed: int
    steps: int
    pairs: int
    accuracy: float
    loss: float

    def __str__(self) -> str:
        return (
            f"{self.trained:8} seed {self.seed}, {self.steps} steps: {self.asked} {self.accuracy:.3f} of {self.pairs}"
        )


def kept_apart(data: Path, folder: Path, seed: int) -> int:
    """Copy the files of ``data`` to ``seen`` and a tenth of them, two at least, to ``unseen``; how many those are."""
    files = sorted(file for file in data.rglob("*") if file.is_file() and file.suffix in (".txt", ".md"))
    random.Random(seed).shuffle(files)
    unseen = max(2, round(UNSEEN * len(files)))
    for number, file in enumerate(files):
        place = folder / ("unseen" if number < unseen else "seen")
        place.mkdir(exist_ok=True)
        shutil.copy(file, place / f"{number}{file.suffix}")
    return unseen


def answers(asked: dict[str, Any], settings: tuple[str, ...], folder: Path, name: str, seed: int) -> "list[Answered]":
    """Train one model and ask it both questions."""
    from selftaught.data.corpus import tokenise_all
    from selftaught.objectives.nsp import NSP
    from selftaught.objectives.sop import SOP
    from selftaught.preparing import prepare_pretraining
    from selftaught.recipe import compose
    from selftaught.run import Run

    ready = prepare_pretraining(Run(folder / "run"), compose(asked, settings=settings))
    unseen, _, _ = tokenise_all(folder / "unseen", folder / "asked", ready.corpus.tokenizer, sentences=True)
    steps = trained(ready)
    results = []
    for question in (NSP(), SOP()):
        pairs, means = put(question, ready, unseen)
        results.append(Answered(name, question.name, seed, steps, pairs, means["accuracy"], means["loss"]))
    return results


def trained(ready: "Pretraining") -> int:
    """Train to the end of the budget; how many steps that were."""
    from selftaught.loop import train
    from selftaught.optim import adamw
    from selftaught.schedule import Schedule

    asked, learner = ready.recipe.train, ready.learner
    assert asked.rate is not None
    return sum(
        1
        for _ in train(
            learner,
            ready.batches.starting,
            adamw(learner, asked.rate, weight_decay=asked.weight_decay),
            Schedule(asked.steps, asked.seconds, asked.warmup, asked.final),
            seed=asked.seed,
            accumulate=asked.accumulate,
            clip=asked.clip,
        )
    )


def put(question: "Objective", ready: "Pretraining", store: "TokenStore") -> tuple[int, dict[str, float]]:
    """A question about every pair in ``store``, put to the network with the head that it was trained with."""
    from selftaught.held_out import held_out_batches
    from selftaught.loop import Learner, evaluate
    from selftaught.pretrained import lend_heads

    asked = Learner(dict(ready.learner.backbones.items()), question, ready.spec, ready.learner.precision)
    lend_heads(asked.heads, ready.learner.heads)
    length = ready.recipe.train.length
    batches = held_out_batches(store, question, ready.spec, length, ready.recipe.train.seed, rows=len(store))
    assert batches is not None
    posed = list(batches)
    return sum(batch["n"] for batch in posed), evaluate(asked.to(ready.learner.device), iter(posed))


_HEADER = f"{'trained with':14}{'asked':8}{'right':>8}{'95 % interval':>20}{'seeds':>7}"


def _row(trained: str, asked: str, found: list[Answered]) -> dict[str, Any]:
    from selftaught.metrics.interval import t_interval

    each = [one.accuracy for one in found if (one.trained, one.asked) == (trained, asked)]
    interval = t_interval(each)
    return {
        "trained": trained,
        "asked": asked,
        "mean": interval.mean,
        "low": interval.low if len(each) > 1 else None,
        "high": interval.high if len(each) > 1 else None,
        "above_chance": len(each) > 1 and interval.low > CHANCE,
        "seeds": len(each),
        "each": each,
    }


def _line(row: dict[str, Any]) -> str:
    interval = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
    return f"{row['trained']:14}{row['asked']:8}{row['mean']:>8.3f}{interval:>20}{row['seeds']:>7}"


if __name__ == "__main__":
    cyclopts.run(measure)
