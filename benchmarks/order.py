"""Is order a better question than topic? The finding of ALBERT (Lan et al. 2020, section 4.6, table 5).

Models are pretrained with next sentence prediction or with sentence order prediction, alone and beside masking, on the
same text and budget. All are then asked both questions about documents that none has seen. In the paper who was trained
with the first answers its own question and is at chance about order; who was trained with the second answers both.

The paper does not say how a model was asked the question that it was not trained with. Here the head that it has
answers, unchanged: two segments in their right order are right, and swapped ones or strangers are wrong.
"""

import random
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts

from benchmarks.pairs import SEVERAL, note, tell
from selftaught.threads import share_cores

if TYPE_CHECKING:  # torch reads the environment when it is loaded: only after share_cores
    from selftaught.data.store import TokenStore
    from selftaught.objective import Batch, Objective
    from selftaught.text.preparing import Pretraining

QUESTIONS = ("nsp", "sop")
TRAINED = (*QUESTIONS, *(f"mlm+{question}" for question in QUESTIONS))
WORDS = "words: "
CHANCE = 0.5
UNSEEN = 0.1  # of the documents
TAUGHT = 20_000  # pairs that the control learns from


def measure(
    *,
    data: str,
    documents: int | None = None,
    minutes: float = 5.0,
    steps: int | None = None,
    seeds: Annotated[tuple[int, ...], SEVERAL] = (0, 1, 2),
    objectives: Annotated[tuple[str, ...], SEVERAL] = TRAINED,
    size: str = "tiny",
    init: Path | None = None,
    length: int = 128,
    batch: int = 32,
    settings: Annotated[tuple[str, ...], SEVERAL] = (),
) -> None:
    """Train each objective for each seed, and ask both questions about a tenth of the documents, kept apart.

    Args:
        data: What pretrain would be given.
        documents: How many of its documents to draw; all if not given.
        minutes: How long each of the models trains.
        steps: How many steps each trains, instead.
        seeds: Each draws other documents to be kept apart, and other weights.
        objectives: What the models are trained with.
        size: A preset.
        init: A run or checkpoint to begin from instead.
        length: Tokens a row.
        batch: Pairs a step.
        settings: Other recipe keys, as key=value.
    """
    share_cores()
    keys = (f"train.length={length}", f"train.batch={batch}", *settings)
    given = {"train.steps": steps, "train.seconds": None if steps else 60 * minutes}
    given |= {"model.init": str(init) if init else None, "model.size": None if init else size}
    found: list[Answered] = []
    for seed in seeds:
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            unseen = kept_apart(data, documents, folder, seed)
            for name in objectives:
                asked = {**given, "data.path": str(folder / "seen"), "objective.name": name, "train.seed": seed}
                found += answers(asked, keys, folder, controlled=name == objectives[0])
    table = [_row(trained, asked, found) for trained, asked in dict.fromkeys((one.trained, one.asked) for one in found)]
    note("\n".join([_HEADER, *map(_line, table)]))
    runs = [vars(one) for one in found]
    tell({"name": "order", "unit": "share right", "chance": CHANCE, "unseen": unseen, "table": table, "runs": runs})


@dataclass(frozen=True)
class Answered:
    """What one model says to one question about all pairs of the unseen documents."""

    trained: str
    asked: str
    seed: int
    steps: int
    minutes: float
    pairs: int
    accuracy: float

    def __str__(self) -> str:
        return (
            f"{self.trained:12} seed {self.seed}, {self.steps} steps, {self.minutes:.1f} min: "
            f"{self.asked} {self.accuracy:.3f} of {self.pairs}"
        )


def kept_apart(data: str, most: int | None, folder: Path, seed: int) -> int:
    """Write each of ``most`` documents to a file in ``seen``, but a tenth, two at least, in ``unseen``: how many."""
    from selftaught.data.source import open_text
    from selftaught.data.tally import Tally

    rows = open_text(data).rows(Tally())
    documents = ["".join(row.text for row in part) for _, part in groupby(rows, key=lambda row: row.document)]
    random.Random(seed).shuffle(documents)
    documents = documents[:most]
    unseen = max(2, round(UNSEEN * len(documents)))
    for number, text in enumerate(documents):
        place = folder / ("unseen" if number < unseen else "seen")
        place.mkdir(exist_ok=True)
        (place / f"{number}.txt").write_text(text, encoding="utf-8")
    return unseen


def answers(asked: dict[str, Any], settings: tuple[str, ...], folder: Path, *, controlled: bool) -> "list[Answered]":
    """Train one model and ask it both questions; if ``controlled``, the control as well."""
    from benchmarks.order_words import Words
    from selftaught.data.corpus import tokenise_all
    from selftaught.objectives.nsp import NSP
    from selftaught.objectives.sop import SOP
    from selftaught.recipe import compose
    from selftaught.run.folder import Run
    from selftaught.text.preparing import prepare_pretraining

    name, seed = asked["objective.name"], asked["train.seed"]
    ready = prepare_pretraining(Run(folder / "run"), compose(asked, settings=settings))
    unseen, _, _ = tokenise_all(folder / "unseen", folder / "asked", ready.corpus.tokenizer, sentences=True)
    questions = (NSP(), SOP())
    posed = {question: about(question, ready, unseen) for question in questions}
    pairs = sum(batch["n"] for batch in posed[NSP()])
    results = []
    for question in questions if controlled else ():
        words = Words(ready, question, TAUGHT)
        results += [
            Answered(WORDS + question.name, other.name, seed, 0, 0.0, pairs, words.right(posed[other]))
            for other in questions
        ]
    began = time.perf_counter()
    steps = trained(ready)
    took = (time.perf_counter() - began) / 60
    results += [
        Answered(name, question.name, seed, steps, took, pairs, put(question, ready, posed[question]))
        for question in questions
    ]
    note("\n".join(map(str, results)))
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


def about(question: "Objective", ready: "Pretraining", store: "TokenStore") -> "list[Batch]":
    """A question about every pair in ``store``."""
    from selftaught.text.held_out import held_out_batches

    train = ready.recipe.train
    batches = held_out_batches(store, question, ready.spec, train.length, train.seed, rows=len(store))
    assert batches is not None
    return list(batches)


def put(question: "Objective", ready: "Pretraining", posed: "list[Batch]") -> float:
    """The share of right answers of the network, with the head that it was trained with."""
    from selftaught.loop import Learner, evaluate
    from selftaught.pretrained import lend_heads

    asked = Learner(dict(ready.learner.backbones.items()), question, ready.spec, ready.learner.precision)
    lend_heads(asked.heads, ready.learner.heads)
    return evaluate(asked.to(ready.learner.device), iter(posed))["accuracy"]


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
