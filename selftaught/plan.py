"""Before the start: which size fits the budget, and what the run will cost."""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from selftaught.backbones.presets import SIZES
from selftaught.data.loader import Batches
from selftaught.live import clock
from selftaught.loop import Learner, train
from selftaught.optim import adamw
from selftaught.private.guarantee import Guarantee
from selftaught.schedule import Schedule

_MEASURED_STEPS = 4

# Training tokens from which on a size is taken to end lower than the one below it. At five minutes tiny is measured
# to beat small (docs/lab.md, 7); where that turns is a guess that benchmarks/budget.py can check with hours to spend.
WORTHWHILE_TOKENS = {"tiny": 0.0, "small": 30e6, "medium": 300e6, "base": 3e9}


def measure_speed(learner: Learner, batches: Batches, threads: int | None = None, *, alone: bool = False) -> float:
    """Samples a second, from a few real steps on a copy of the learner, each shared among ``threads``.

    Args:
        alone: compute each sample by itself.
    """
    twin, parts = copy.deepcopy(learner), batches.size if alone else threads or 1
    few, source = Schedule(steps=_MEASURED_STEPS), batches.parted(parts).starting
    steps = train(twin, source, adamw(twin, 1e-9), few, seed=0, accumulate=parts, threads=threads)
    took = sorted(report.took for report in steps)
    return batches.size / took[len(took) // 2 - 1]


def choose_size(tokens_in_budget: Callable[[str], float]) -> str:
    """The largest size that sees enough tokens within the budget to be worth it.

    Args:
        tokens_in_budget: how many tokens a size gets to see; asked from the smallest up, as far as needed.
    """
    chosen = next(iter(SIZES))
    for name, needed in WORTHWHILE_TOKENS.items():
        if tokens_in_budget(name) < needed:
            break
        chosen = name
    return chosen


def default_rate(width: int, trained: bool) -> float:
    """The peak learning rate for a network of this width: falls with the width; lower for a trained one."""
    rate = 4e-3 * min(1.0, 128 / width)
    return rate / 10 if trained else rate


@dataclass(frozen=True)
class CostPlan:
    """What a pretraining run will cost; operations and memory are counted on a few rows, time is measured.

    Args:
        length: the most tokens a sample.
        sample_tokens: those of the text in a sample, on average: padding is not counted, here or below.
        tokens: to be trained on, over all epochs.
        flops: floating point operations over the run.
        memory_bytes: weights, gradients, moments and activations, of a rank that shares none of them.
    """

    objective: str
    size: str
    parameters: int
    vocabulary: int
    device: str
    precision: str
    corpus_tokens: int
    held_out_tokens: int
    batch: int
    length: int
    sample_tokens: float
    rate: float
    steps: int
    tokens: int
    epochs: float
    flops: float
    memory_bytes: int
    tokens_per_second: float
    seconds: float
    privacy: Guarantee | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "privacy": self.privacy.to_json() if self.privacy else None}

    def lines(self) -> list[str]:
        """For the terminal."""
        return [
            f"objective   {self.objective}",
            f"model       {self.size}, {self.parameters / 1e6:.2f} M parameters, vocabulary {self.vocabulary:,}",
            f"data        {self.corpus_tokens:,} tokens to train on, {self.held_out_tokens:,} held out",
            f"training    about {self.steps:,} steps of {self.batch} x {self.length} tokens "
            f"({self.tokens:,} tokens, {self.epochs:.1f} epochs), peak rate {self.rate:g}",
            f"cost        {self.flops:.2e} FLOPs, about {self.memory_bytes / 1e6:,.0f} MB of memory",
            f"time        {clock(self.seconds)} at {self.tokens_per_second:,.0f} tokens/s measured "
            f"({self.device}, {self.precision})",
            *(self.privacy.lines() if self.privacy else []),
        ]
