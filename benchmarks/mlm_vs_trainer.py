"""Training one BERT with transformers' Trainer at its defaults, and with selftaught at ours.

Speed: blocks of steps of both, alternately, in tokens a second. Time to loss: the held-out masked-LM loss that
Trainer reaches in the given minutes with the best of some learning rates, and the time we need to reach it.
Both sides run in one process, under the environment and on the threads that selftaught's command line chooses.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cyclopts

from benchmarks.pairs import SEVERAL, alternate, compared, note, tell
from selftaught.threads import share_cores

if TYPE_CHECKING:  # torch reads the environment when it is loaded: only after share_cores
    from benchmarks.bert import Problem
    from benchmarks.trainer_side import TrainerSide

SPEED_BAR, TIME_BAR = 2.5, 4.0
SHARES = (1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 1.0)  # of the peer's time: our budgets, until one is enough
_CALIBRATING_STEPS = 25


def measure(
    *,
    data: Path,
    part: Literal["both", "speed", "time"] = "both",
    pairs: int = 5,
    steps: int = 20,
    minutes: float = 6.0,
    lrs: Annotated[tuple[float, ...], SEVERAL] = (1e-4, 5e-4, 1e-3),
) -> None:
    """Compare training with transformers' Trainer.

    Args:
        data: A folder or file of text.
        part: The comparison of speed, of the time to a loss, or both.
        pairs: How many blocks of steps each side trains.
        steps: Steps in a block.
        minutes: How long Trainer trains at each learning rate.
        lrs: The peak learning rates that Trainer is given.
    """
    share_cores()
    from benchmarks.bert import Problem
    from benchmarks.trainer_side import TrainerSide

    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        problem = Problem.of(data, folder / "tokens")
        trainer = TrainerSide.of(problem, folder / "tokens", folder / "trainer")
        result: dict[str, Any] = {"name": "mlm_vs_trainer"}
        if part != "time":
            result |= compare_speed(problem, trainer, pairs, steps)
        if part != "speed":
            result["time_to_loss"] = compare_time(problem, trainer, 60 * minutes, lrs)
    tell({**result, **_machine(), "parameters": sum(p.numel() for p in trainer.new_model().parameters())})


def _machine() -> dict[str, Any]:
    import torch

    from selftaught.machine import pick_precision

    return {
        "torch_threads": torch.get_num_threads(),
        "our_precision": pick_precision(torch.device("cpu")),
        "torch": torch.__version__,
    }


def compare_speed(problem: "Problem", trainer: "TrainerSide", pairs: int, steps: int) -> dict[str, Any]:
    """Tokens a second: Trainer, ours, ours in float32, and the matrix products alone."""
    import torch

    from benchmarks.our_side import new_learner, speed
    from benchmarks.products import products_speed

    precision = _machine()["our_precision"]
    model = trainer.new_model()
    sides: dict[str, Callable[[], float]] = {
        "peer": partial(trainer.speed, model, steps),
        "ours": partial(speed, problem, new_learner(problem, precision), steps),
        "ours_fp32": partial(speed, problem, new_learner(problem, "fp32"), steps),
    }
    floors = {name: products_speed(dtype) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    result = compared("mlm_vs_trainer", "tokens/s", alternate(sides, pairs), bar=SPEED_BAR, floor=floors[precision])
    return {**result, "ratio_fp32": result["ours_fp32"] / result["peer"], "floor_fp32": floors["fp32"]}


def compare_time(
    problem: "Problem", trainer: "TrainerSide", seconds: float, rates: tuple[float, ...]
) -> dict[str, Any]:
    """How long we need for the loss that Trainer reaches in ``seconds``, as a share of its time.

    Our runs follow their budget, so each is a whole run, its learning rate fully decayed, from the shortest budget
    up. Where Trainer took a little more or less than it was given, the smaller figure counts as its time.
    """
    from benchmarks.our_side import first_crossing, within

    precision = _machine()["our_precision"]
    ends = trainer.train(trainer.new_model(), _CALIBRATING_STEPS + 1)
    step = (ends[-1] - ends[0]) / _CALIBRATING_STEPS
    peers = []
    for rate in rates:
        peers.append(trainer.loss_after(rate, seconds, max(1, round(seconds / step))))
        step = peers[-1]["seconds"] / peers[-1]["steps"]
        note(f"Trainer     {peers[-1]}")
    best = min(peers, key=lambda peer: peer["loss"])
    goal, peer_seconds = best["loss"], min(best["seconds"], seconds)
    tried = []
    for share in SHARES:
        tried.append(within(problem, precision, seconds * share))
        note(f"ours        {tried[-1]}")
        if tried[-1].loss <= goal:
            break
    reached = tried[-1] if tried[-1].loss <= goal else None
    return {
        "unit": "s",
        "goal": goal,
        "trainer": peers,
        "peer": peer_seconds,
        "ours": reached.seconds if reached else None,
        "ratio": peer_seconds / reached.seconds if reached else None,
        "bar": TIME_BAR,
        "passed": reached is not None and peer_seconds / reached.seconds >= TIME_BAR,
        "our_runs": [asdict(run) for run in tried],
        "first_crossing_of_one_long_run": first_crossing(problem, precision, seconds, goal, every=seconds / 120),
        "unigram": problem.unigram,
    }


if __name__ == "__main__":
    cyclopts.run(measure)
