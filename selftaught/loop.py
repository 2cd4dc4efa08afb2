"""The one loop, for pretraining, fine-tuning and distillation alike. It knows the contract, no objective."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from selftaught.errors import SelftaughtError
from selftaught.fleet import Fleet
from selftaught.health import check_finite
from selftaught.memory import memory_for
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.randomness import derive
from selftaught.ranks import agreed, place
from selftaught.schedule import Schedule
from selftaught.sharing import Crew


class Learner(nn.Module):
    """Backbones, the heads an objective needs, and the objective: the only thing that is ever wrapped.

    Args:
        backbones: encoders by modality.
        objective: what to learn.
        spec: what is known of the data.
        precision: ``"bf16"`` runs matrix products in bfloat16 (weights and losses stay float32), ``"fp32"``
            does not.
    """

    def __init__(
        self, backbones: Mapping[str, nn.Module], objective: Objective, spec: Spec, precision: str = "fp32"
    ) -> None:
        super().__init__()
        self.backbones = nn.ModuleDict(dict(backbones))
        self.heads = objective.heads(self.backbones, spec)
        self.objective = objective
        self.precision = precision

    def forward(self, batch: Batch) -> Sums:
        """The objective's sums over the batch's targets."""
        with self.autocast():
            return self.objective.loss(self.features(batch), self.heads, batch)

    def features(self, batch: Batch) -> Any:
        """The objective's pass over the backbones."""
        with self.autocast():
            return self.objective.features(self.backbones, self.heads, batch)

    def autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 where it was chosen."""
        if self.precision != "bf16":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


@dataclass(frozen=True)
class Progress:
    """Where a run stands; all of the loop's state besides the weights and the optimizer's moments."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """What one step says.

    Args:
        progress: after the step.
        loss: the mean loss a target (for a sum of objectives, the weighted sum of the members' means).
        measures: every mean, by name (``accuracy``, or ``mlm.accuracy`` for a member of a sum).
        gradient: the norm of the gradient before clipping; None where nobody asks for it.
        rate: the learning rate's factor.
        samples: samples of the step.
        waited: seconds spent waiting for data.
        took: seconds of the step, waiting included.
    """

    progress: Progress
    loss: float
    measures: dict[str, float]
    gradient: float | None
    rate: float
    samples: int
    waited: float
    took: float


def train(
    learner: Learner,
    batches: Callable[[int], Iterator[Batch]],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    seed: int,
    start: Progress = Progress(),
    accumulate: int = 1,
    threads: int | None = None,
    clip: float = 1.0,
    fleet: Fleet | None = None,
) -> Iterator[Report]:
    """Train until the schedule's budget is used up, yielding after each step.

    Whoever iterates may evaluate, save or stop between steps; a budget of seconds counts that time too.

    Args:
        batches: gives the batches from a sample number on.
        accumulate: batches a step. Their summed losses are divided by the count of targets of all of them, so
            that the gradient is that of one large batch, however unevenly the targets fall.
        threads: how many of these are computed at once, each by a thread of its own; the weights are the same to the
            bit as if it were one after the other. None leaves it to torch to share each operation out.
        clip: the largest norm of the gradient.
        start: where to go on from.
        fleet: the processes that train the learner together; each is given its own rows of every batch, and all yield
            the same report. Alone if not given.

    Raises:
        Diverged: before the weights change, if the loss or the gradient is not finite.
        OutOfMemory: if a step needs more memory than there is.
        ValueError: if the objective couples the samples of a batch and ``accumulate`` would split it.
    """
    if learner.objective.couples_batch and accumulate > 1:
        raise ValueError(
            f"{learner.objective.name} compares the samples of a batch with each other: it cannot be "
            "accumulated from smaller ones. Give it one batch of the full size."
        )
    peaks = [group["lr"] for group in optimizer.param_groups]
    fleet = fleet or Fleet(learner, alone=True)
    coming = batches(start.samples)
    progress, began = start, time.perf_counter() - start.seconds
    learner.train()
    with Crew(None if fleet.size > 1 else threads) as crew:
        while schedule.progress(progress.step, progress.seconds) < 1.0:
            step_began = time.perf_counter()
            parts = [to_device(next(coming), learner.device) for _ in range(accumulate)]
            waited = time.perf_counter() - step_began
            step, rate = progress.step + 1, schedule.rate(progress.step, progress.seconds)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate
            torch.manual_seed(_of_step(seed, step, fleet))
            size = fleet.size * sum(part["size"] for part in parts)
            with crew.at_work(), memory_for(step, learner.objective, size, accumulate, threads):
                means, samples = _gradient(learner, parts, crew, fleet)
                loss = float(learner.objective.total(means))
                check_finite("loss", loss, step, progress.samples, samples)
                norm = fleet.clip(clip)
                check_finite("gradient", norm, step, progress.samples, samples)
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            learner.objective.after_step(learner.backbones, learner.heads)
            now = time.perf_counter()
            seconds = agreed(now - began) if fleet.size > 1 and schedule.seconds else now - began
            progress = Progress(step, progress.samples + samples, seconds)
            told = flatten(learner.objective.readings(means))
            yield Report(progress, loss, told, norm, rate, samples, waited, now - step_began)
            learner.train()


def _of_step(seed: int, step: int, fleet: Fleet) -> int:
    """So that dropout is a function of the step; of the rank too, for no two are to drop the same."""
    return derive("step", seed, step) if fleet.size == 1 or place() == 0 else derive("step", seed, step, place())


def _gradient(learner: Learner, parts: list[Batch], crew: Crew, fleet: Fleet) -> tuple[dict[str, Any], int]:
    """Leave the gradient of the mean over all parts' targets at the weights; return the means and how many samples."""
    counted = fleet.summed({"size": sum(part["size"] for part in parts), "n": _add([part["n"] for part in parts])})
    total_n, samples = counted["n"], int(counted["size"])

    def ask(part: Batch) -> tuple[Sums, Tensor]:
        sums = fleet(part)
        return detach(sums), learner.objective.total(divide(sums, total_n))

    sums = []
    if crew.size is None or crew.size == 1:
        for number, part in enumerate(parts, 1):
            with fleet.at_work(last=number == len(parts)):
                part_sums, loss = ask(part)
                (loss * fleet.size if fleet.size > 1 else loss).backward()  # their mean is taken, and the sum is meant
            sums.append(part_sums)
        return divide(fleet.summed(_add(sums)), total_n), samples

    weights = [weight for weight in learner.parameters() if weight.requires_grad]

    def answer(part: Batch) -> tuple[Sums, tuple[Tensor | None, ...]]:
        part_sums, loss = ask(part)
        return part_sums, torch.autograd.grad(loss, weights, allow_unused=True)

    for first in range(0, len(parts), crew.size):
        for part_sums, gradient in crew.map(answer, parts[first : first + crew.size]):
            sums.append(part_sums)
            _accumulate(weights, gradient)
    return divide(_add(sums), total_n), samples


def _accumulate(weights: list[nn.Parameter], gradient: tuple[Tensor | None, ...]) -> None:
    """Add a part's gradient. The parts come in their order, which sums of floating point numbers depend on."""
    for weight, more in zip(weights, gradient, strict=True):
        if more is None:
            continue
        if weight.grad is None:
            weight.grad = torch.empty_like(weight).copy_(more)  # autograd may give two weights one and the same tensor
        else:
            weight.grad += more


def refuse_to_split(objective: Objective, accumulate: int, what: str) -> None:
    """Refuse to put a step together from batches whose samples have to be compared.

    Args:
        what: the samples are.

    Raises:
        SelftaughtError: if that is asked for.
    """
    if objective.couples_batch and accumulate > 1:
        raise SelftaughtError(
            f"{objective.name} compares the {what} of a batch with each other: no smaller ones can be put together",
            do="give a larger --batch instead of train.accumulate",
        )


@torch.no_grad()
def evaluate(learner: Learner, batches: Iterator[Batch]) -> dict[str, float]:
    """The mean of each measure over all targets of ``batches``; ``loss`` is what would be differentiated."""
    learner.eval()
    counts, sums = [], []
    for batch in batches:
        batch = to_device(batch, learner.device)
        counts.append(batch["n"])
        sums.append(detach(learner(batch)))
    means = divide(_add(sums), _add(counts))
    return {**flatten(learner.objective.readings(means)), "loss": float(learner.objective.total(means))}


def to_device(value: Any, device: torch.device) -> Any:
    """A batch with its tensors on ``device``."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    return {name: to_device(part, device) for name, part in value.items()} if isinstance(value, dict) else value


def detach(value: Any) -> Any:
    """Sums without their graph."""
    return {k: detach(v) for k, v in value.items()} if isinstance(value, dict) else value.detach()


def divide(sums: Any, count: Any) -> Any:
    """Means of sums; where the count is by member, each member by its own. A count of zero gives zero."""
    if isinstance(count, dict):
        return {name: divide(sums[name], n) for name, n in count.items()}
    return {name: value / (count or 1) for name, value in sums.items()}


def flatten(means: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested means as plain numbers with dotted names."""
    flat: dict[str, float] = {}
    for name, value in means.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: float(value)}
    return flat


def _add(values: list[Any]) -> Any:
    if isinstance(values[0], dict):
        return {name: _add([value[name] for value in values]) for name in values[0]}
    return sum(values[1:], start=values[0])
