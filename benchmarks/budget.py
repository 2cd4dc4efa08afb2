"""Which size and which optimizer a time budget is worth, and what ``pretrain`` chooses by itself."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cyclopts

from benchmarks.pairs import SEVERAL, note, tell
from selftaught.threads import share_cores

if TYPE_CHECKING:  # torch reads the environment when it is loaded: only after share_cores
    import numpy as np

    from selftaught.text.preparing import Pretraining

BAR = 0.8  # nats below the unigram line that the chosen size should reach in five minutes
Kind = Literal["adamw", "muon"]
_HEADER = f"{'size':8}{'optimizer':>10}{'minutes':>9}{'rate':>10}{'tokens':>13}{'loss':>8}{'unigram':>9}{'own':>9}"


def measure(
    *,
    data: Path,
    minutes: Annotated[tuple[float, ...], SEVERAL] = (1.0, 5.0),
    sizes: Annotated[tuple[str, ...], SEVERAL] = ("tiny", "small", "medium"),
    optimizers: Annotated[tuple[Kind, ...], SEVERAL] = ("adamw", "muon"),
    seed: int = 0,
) -> None:
    """Train each size with each optimizer for each budget, and compare the held-out losses.

    Args:
        data: What pretrain would be given.
        minutes: The budgets.
        sizes: The presets to try.
        optimizers: adamw, or muon on the matrices with AdamW on the rest.
        seed: Of the runs.
    """
    share_cores()
    rows: list[dict[str, Any]] = []
    chosen: dict[str, str] = {}
    with TemporaryDirectory() as scratch:
        for budget in minutes:
            chosen[f"{budget:g}"] = prepared(data, Path(scratch), 60 * budget, None, seed).plan.size
            for size in sizes:
                for optimizer in optimizers:
                    row = trained(prepared(data, Path(scratch), 60 * budget, size, seed), optimizer)
                    rows.append({"size": size, "optimizer": optimizer, "minutes": budget, **row})
                    note(_line(rows[-1]))
        note("\n".join([_HEADER, *map(_line, rows)]))
        note("pretrain itself chooses: " + ", ".join(f"{size} for {m} min" for m, size in chosen.items()))
    tell({"name": "budget", "unit": "nats", "bar": BAR, "chosen": chosen, "table": rows})


def prepared(data: Path, folder: Path, seconds: float, size: str | None, seed: int) -> "Pretraining":
    """What ``pretrain`` would run; the tokens in ``folder`` are made once."""
    from selftaught.recipe import compose
    from selftaught.run.folder import Run
    from selftaught.text.preparing import prepare_pretraining

    given = {"data.path": str(data), "train.seconds": seconds, "model.size": size, "train.seed": seed}
    return prepare_pretraining(Run(folder), compose(given))


def trained(ready: "Pretraining", optimizer: Kind) -> dict[str, Any]:
    """Train to the end of the budget; the held-out loss, and how far below the unigram lines it is.

    ``below_unigram`` is against the held-out tokens under the training tokens' frequencies, ``below_own_entropy``
    against the entropy of the held-out tokens themselves, which a model without context could only reach by
    knowing their frequencies beforehand.
    """
    from benchmarks.muon import MuonAndAdamW
    from selftaught.loop import evaluate, train
    from selftaught.optim import adamw
    from selftaught.schedule import Schedule
    from selftaught.text.held_out import held_out_batches

    asked, learner = ready.recipe.train, ready.learner
    assert asked.rate is not None
    make: Any = MuonAndAdamW if optimizer == "muon" else adamw
    schedule = Schedule(seconds=asked.seconds, warmup=asked.warmup, final=asked.final)
    reports = train(
        learner,
        ready.batches.starting,
        make(learner, asked.rate, weight_decay=asked.weight_decay),
        schedule,
        seed=asked.seed,
        accumulate=asked.accumulate,
        clip=asked.clip,
    )
    tokens = asked.length * sum(report.samples for report in reports)
    questions = held_out_batches(ready.corpus.held_out, ready.objective, ready.spec, asked.length, asked.seed)
    assert questions is not None
    assert ready.spec.text is not None
    loss = evaluate(learner, questions)["loss"]
    return {
        "rate": asked.rate,
        "parameters": ready.plan.parameters,
        "tokens": tokens,
        "held_out_loss": loss,
        "below_unigram": ready.baseline.unigram - loss,
        "below_own_entropy": entropy(ready.corpus.held_out.counts[~ready.spec.text.special.numpy()]) - loss,
    }


def entropy(counts: "np.ndarray") -> float:
    """Of the distribution in which things occur so often, in nats."""
    import numpy as np

    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['size']:8}{row['optimizer']:>10}{row['minutes']:>9g}{row['rate']:>10g}{row['tokens']:>13,}"
        f"{row['held_out_loss']:>8.3f}{row['below_unigram']:>9.3f}{row['below_own_entropy']:>9.3f}"
    )


if __name__ == "__main__":
    cyclopts.run(measure)
