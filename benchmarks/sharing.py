"""What it costs that all layers are one: ALBERT beside the same network with layers of its own, and our encoder.

Each is trained with masked language modelling for the same time, and again for as many steps as our encoder took.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts

from benchmarks.order import trained
from benchmarks.pairs import SEVERAL, note, tell
from selftaught.threads import share_cores

if TYPE_CHECKING:  # torch reads the environment when it is loaded: only after share_cores
    from selftaught.text.preparing import Pretraining

_HEADER = (
    f"{'network':34}{'parameters':>12}{'equal':>7}{'steps':>8}{'minutes':>9}{'held-out loss':>15}"
    f"{'more than ours (95 %)':>26}"
)


def measure(
    *,
    data: Path,
    minutes: float = 5.0,
    size: str = "tiny",
    seeds: Annotated[tuple[int, ...], SEVERAL] = (0, 1, 2),
    rate: float | None = None,
) -> None:
    """Train each network at equal time and at equal steps.

    Args:
        data: What pretrain would be given.
        minutes: How long each trains.
        size: Of our encoder; ALBERT's is the one called albert-SIZE.
        seeds: Of the runs.
        rate: The peak learning rate of the ALBERTs; as for our encoder if not given.
    """
    share_cores()
    runs: list[dict[str, Any]] = []
    with TemporaryDirectory() as scratch:
        for seed in seeds:
            runs += at_equal_budgets(data, Path(scratch), minutes, size, seed, rate)
    table = [_row(network, budget, runs) for network, budget in dict.fromkeys(map(_kind, runs))]
    note("\n".join([_HEADER, *map(_line, table)]))
    tell({"name": "sharing", "unit": "nats", "minutes": minutes, "table": table, "runs": runs})


def at_equal_budgets(
    data: Path, folder: Path, minutes: float, size: str, seed: int, rate: float | None
) -> list[dict[str, Any]]:
    """One seed's runs."""
    networks: dict[str, Callable[[dict[str, Any]], Pretraining]] = {
        size: lambda budget: _ready(data, folder, size, seed, None, budget),
        f"albert-{size}": lambda budget: _ready(data, folder, f"albert-{size}", seed, rate, budget),
        f"albert-{size}, layers of its own": lambda budget: unshared(
            _ready(data, folder, f"albert-{size}", seed, rate, budget)
        ),
    }
    rows = [_run(name, make({"train.seconds": 60 * minutes}), seed) for name, make in networks.items()]
    steps = rows[0]["steps"]
    for name, make in list(networks.items())[1:]:
        rows.append(_run(name, make({"train.steps": steps}), seed))
    return rows


def unshared(ready: "Pretraining") -> "Pretraining":
    """The same ALBERT, each of whose layers has weights of its own."""
    import torch

    from selftaught.backbones.hf import backbone_from_config, text_backbone
    from selftaught.loop import Learner
    from selftaught.randomness import derive

    config = text_backbone(ready.learner.backbones).config
    torch.manual_seed(derive("weights", ready.recipe.train.seed))
    config = type(config).from_dict({**config.to_dict(), "num_hidden_groups": config.num_hidden_layers})
    network = {"text": backbone_from_config(config)}
    learner = Learner(network, ready.objective, ready.spec, ready.learner.precision)
    return replace(ready, learner=learner.to(ready.learner.device))


def _ready(
    data: Path, folder: Path, size: str, seed: int, rate: float | None, budget: dict[str, float]
) -> "Pretraining":
    from selftaught.recipe import compose
    from selftaught.run.folder import Run
    from selftaught.text.preparing import prepare_pretraining

    given = {"data.path": str(data), "model.size": size, "train.seed": seed, "train.rate": rate, **budget}
    return prepare_pretraining(Run(folder), compose(given))


def _run(name: str, ready: "Pretraining", seed: int) -> dict[str, Any]:
    from selftaught.loop import evaluate
    from selftaught.text.held_out import held_out_batches

    began = time.perf_counter()
    steps = trained(ready)
    took = time.perf_counter() - began
    train = ready.recipe.train
    questions = held_out_batches(ready.corpus.held_out, ready.objective, ready.spec, train.length, train.seed)
    assert questions is not None
    row = {
        "network": name,
        "parameters": sum(p.numel() for p in ready.learner.parameters()),
        "seed": seed,
        "budget": "time" if train.seconds else "steps",
        "steps": steps,
        "seconds": took,
        "held_out_loss": evaluate(ready.learner, questions)["loss"],
        "unigram_loss": ready.baseline.unigram,
    }
    note(f"{name}, seed {seed}: {row['held_out_loss']:.3f} after {steps:,} steps, {took / 60:.2f} min")
    return row


def _kind(run: dict[str, Any]) -> tuple[str, str]:
    return run["network"], run["budget"]


def _row(network: str, budget: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The runs of a network that had one kind of budget, beside our encoder's with the same held-out text."""
    from selftaught.metrics.interval import paired_difference

    own = [run for run in runs if _kind(run) == (network, budget)]
    ours = [run for run in runs if _kind(run) == _kind(runs[0])]
    more = paired_difference([run["held_out_loss"] for run in own], [run["held_out_loss"] for run in ours])
    return {
        "network": network,
        "parameters": own[0]["parameters"],
        "budget": budget,
        "steps": fmean(run["steps"] for run in own),
        "seconds": fmean(run["seconds"] for run in own),
        "held_out_loss": fmean(run["held_out_loss"] for run in own),
        "more": more.mean,
        "low": more.low if len(own) > 1 else None,
        "high": more.high if len(own) > 1 else None,
        "seeds": len(own),
    }


def _line(row: dict[str, Any]) -> str:
    interval = "" if row["low"] is None else f" ({row['low']:+.3f} to {row['high']:+.3f})"
    return (
        f"{row['network']:34}{row['parameters']:>12,}{row['budget']:>7}{row['steps']:>8,.0f}{row['seconds'] / 60:>9.2f}"
        f"{row['held_out_loss']:>15.3f}{row['more']:>+8.3f}{interval}"
    )


if __name__ == "__main__":
    cyclopts.run(measure)
