"""Before the start: which size fits the budget, and what the run will cost."""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from selftaught.backbones.hf import TextBackbone, text_backbone
from selftaught.backbones.presets import SIZES
from selftaught.data.loader import Batches
from selftaught.loop import Learner, train
from selftaught.objective import Batch
from selftaught.optim import adamw
from selftaught.private.guarantee import Guarantee
from selftaught.progress import clock
from selftaught.scaling.arithmetic import STATE_BYTES, attention, kept, training_flops
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
    """What a pretraining run will cost; operations and memory are computed, time is measured.

    Args:
        length: the most tokens a sample.
        sample_tokens: those of the text in a sample, on average: padding is not counted, here or below.
        tokens: to be trained on, over all epochs.
        flops: floating point operations over the run.
        memory_bytes: weights, gradients, moments and activations.
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


def count_flops(learner: Learner, batch: Batch, length: float) -> float:
    """Floating point operations for one token of input, forward and backward.

    Six a weight (Kaplan et al. 2020, section 2.1): the networks' weights for every token, the other heads' for the
    share of tokens that they are asked about, and the attention scores over the row. A teacher's are two a weight.
    """
    networks = _networks(learner)
    inside = {id(p): p.numel() for network in networks for p in _layers(network)}
    again = sum(network.reused for network in networks)
    scores = sum(attention(network.layers, network.width, length) for network in networks)
    asked = [
        n / (batch["size"] * length) * sum(p.numel() for p in part.parameters() if id(p) not in inside)
        for part, n in _parts(learner.heads, batch["n"])
    ]
    taught = sum(
        sum(p.numel() for p in _layers(network)) + network.reused + attention(network.layers, network.width, length)
        for network in _teachers(learner)
    )
    return training_flops(sum(inside.values()) + again + sum(asked) + scores, taught)


def state_bytes(learner: Learner) -> int:
    """Bytes of weights, gradients and two moments, in float32."""
    return sum(p.numel() * (STATE_BYTES if p.requires_grad else 4) for p in learner.parameters())


def estimate_memory(learner: Learner, batch: Batch, length: int) -> int:
    """Bytes of weights, gradients and two moments (float32), plus the activations kept for going backward."""
    activations = sum(batch["size"] * length * _kept(network, length) for network in _networks(learner))
    logits = sum(n * _widest(part) for part, n in _parts(learner.heads, batch["n"]))
    return state_bytes(learner) + 4 * int(activations + 3 * logits)  # the logits, their softmax and their gradient


def _networks(learner: Learner) -> list[TextBackbone]:
    """What reads every token: the backbone, and networks that an objective has beside it."""
    beside = [part for part in learner.heads.modules() if isinstance(part, TextBackbone)]
    return [text_backbone(learner.backbones), *beside]


def _teachers(learner: Learner) -> list[TextBackbone]:
    """What reads every token too, but is never changed."""
    own = text_backbone(learner.backbones)
    return [part for part in learner.backbones.modules() if isinstance(part, TextBackbone) and part is not own]


def _layers(network: TextBackbone) -> list[nn.Parameter]:
    """Its weights without the token embeddings, of which each token needs one row only."""
    tables = {id(part.weight) for part in network.modules() if isinstance(part, nn.Embedding)}
    return [p for p in network.parameters() if id(p) not in tables]


def _kept(network: TextBackbone, length: int) -> int:
    """Numbers kept of each token for going backward."""
    return kept(network.layers, network.width, network.inner, network.config.num_attention_heads, length)


def _widest(part: nn.Module) -> int:
    """Rows of its largest matrix: of a language modelling head, the vocabulary."""
    return max((p.shape[0] for p in part.parameters() if p.ndim == 2), default=0)


def _parts(heads: nn.Module, n: Any) -> list[tuple[nn.Module, float]]:
    """The heads with how many targets each answers; where the counts are by part, so are the heads."""
    if not isinstance(n, dict):
        return [(heads, n)]
    return [pair for name, count in n.items() for pair in _parts(heads.get_submodule(name), count)]
