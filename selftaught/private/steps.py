"""DP-SGD: each sample's gradient is clipped, and their sum is drowned in noise (Abadi et al. 2016, algorithm 1).

Each sample is computed by itself, as a batch of one. So no loss, no layer and no head can mix two samples, tied weights
and heads that see some tokens only are as right as in any other step, and a batch of any size takes the memory of one
sample for each thread. What is gained by computing many at once (``vmap``, ghost clipping) asks for losses of fixed
shapes, which those that pick out tokens have not.
"""

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from selftaught.data.loader import Batches
from selftaught.fit import Plan, Steps
from selftaught.health import check_finite
from selftaught.loop import Learner, Progress, Report, detach, divide, flatten, to_device
from selftaught.private.guarantee import Guarantee
from selftaught.private.key import generator
from selftaught.randomness import derive
from selftaught.sharing import Crew


def private_steps(
    learner: Learner,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    guarantee: Guarantee,
    key: str,
) -> Steps:
    """Steps that keep to the guarantee.

    Who is drawn and what noise is added are functions of the key and the step. The losses that are reported are those
    of the samples themselves, without noise.

    Args:
        batches: poses the questions; its own order and size are not used.
        plan: its ``threads`` compute as many samples at once; the weights do not depend on how many these are.
        key: see :func:`selftaught.private.key.noise_key`.
    """

    def steps(start: Progress) -> Iterator[Report]:
        progress, began = start, time.perf_counter() - start.seconds
        peaks = [group["lr"] for group in optimizer.param_groups]
        learner.train()
        with Crew(plan.threads) as crew:
            while plan.schedule.progress(progress.step, progress.seconds) < 1.0:
                step_began = time.perf_counter()
                step, rate = progress.step + 1, plan.schedule.rate(progress.step, progress.seconds)
                for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                    group["lr"] = peak * rate
                torch.manual_seed(derive("step", plan.seed, step))  # so that dropout is a function of the step
                drawn = guarantee.drawn(key, step)
                with crew.at_work():
                    told = clipped_gradients(learner, batches, drawn, step, guarantee, crew)
                    for name in ("loss", "gradient"):
                        check_finite(name, told[name], step, progress.samples, len(drawn))
                    add_noise(learner, guarantee, generator("noise", key, step))
                    optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                learner.objective.after_step(learner.backbones, learner.heads)
                now = time.perf_counter()
                progress = Progress(step, progress.samples + len(drawn), now - began)
                gradient = told.pop("gradient")
                told["epsilon"] = guarantee.spent(step)
                yield Report(progress, told["loss"], told, gradient, rate, len(drawn), 0.0, now - step_began)
                learner.train()

    return steps


class _Answer(NamedTuple):
    """Of one sample: its loss and other measures, its gradient and the norm of that."""

    loss: float
    told: dict[str, float]
    gradient: tuple[Tensor | None, ...]
    norm: float


def clipped_gradients(
    learner: Learner, batches: Batches, drawn: np.ndarray, step: int, guarantee: Guarantee, crew: Crew
) -> dict[str, float]:
    """Leave the sum of the samples' clipped gradients, divided by how many are expected, at the weights.

    A sample's loss is the mean over its own targets: divided by the targets of all, it would depend on them.

    Args:
        drawn: the samples.
        step: stands for the epoch: each step asks something else of a sample.

    Returns:
        means over the samples: ``loss`` and the other measures, the norm of the ``gradient`` before it was clipped, and
        the share that was ``clipped``.
    """
    weights = [weight for weight in learner.parameters() if weight.requires_grad]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)

    def ask(index: int) -> _Answer:
        batch = to_device(batches.of(np.array([index]), np.array([step])), learner.device)
        means = divide(learner(batch), batch["n"])
        loss = learner.objective.total(means)
        told = flatten(learner.objective.readings(detach(means)))
        if not loss.requires_grad:  # nothing was asked
            return _Answer(float(loss), told, (None,) * len(weights), 0.0)
        gradient = torch.autograd.grad(loss, weights, allow_unused=True)
        return _Answer(float(loss.detach()), told, gradient, _norm(gradient))

    sums: dict[str, float] = {}
    size = crew.size or 1
    for first in range(0, len(drawn), size):
        for answer in crew.map(ask, drawn[first : first + size].tolist()):
            share = min(1.0, guarantee.clip / max(answer.norm, 1e-12)) / guarantee.batch
            for weight, part in zip(weights, answer.gradient, strict=True):
                if part is not None and weight.grad is not None:
                    weight.grad.add_(part, alpha=share)
            told = {"loss": answer.loss, "gradient": answer.norm, "clipped": float(answer.norm > guarantee.clip)}
            for name, value in {**answer.told, **told}.items():
                sums[name] = sums.get(name, 0.0) + value
    return {name: value / len(drawn) for name, value in sums.items()} or {"loss": 0.0, "gradient": 0.0}


def add_noise(learner: Learner, guarantee: Guarantee, numbers: torch.Generator) -> None:
    """Add the guarantee's noise to the gradients at the weights."""
    deviation = guarantee.noise * guarantee.clip / guarantee.batch
    for weight in learner.parameters():
        if weight.grad is not None:
            noise = torch.normal(0.0, deviation, weight.shape, generator=numbers)
            weight.grad.add_(noise.to(weight.device))


def _norm(gradient: tuple[Tensor | None, ...]) -> float:
    norms = [float(part.norm()) for part in gradient if part is not None]
    return math.sqrt(sum(norm * norm for norm in norms))
