"""Our side of :mod:`benchmarks.mlm_vs_trainer`: the library at its defaults on the given BERT."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from benchmarks.bert import BATCH, LENGTH, SEED, WIDTH, Problem
from selftaught.backbones.hf import backbone_from_config
from selftaught.data.loader import Batches
from selftaught.loop import Learner, Report, train
from selftaught.objectives.mlm import MLM
from selftaught.optim import adamw
from selftaught.plan import default_rate
from selftaught.randomness import derive
from selftaught.schedule import Schedule


def new_learner(problem: Problem, precision: str) -> Learner:
    torch.manual_seed(derive("weights", SEED))
    return Learner({"text": backbone_from_config(problem.config(dropout=0.0))}, MLM(), problem.spec, precision)


def steps(problem: Problem, learner: Learner, schedule: Schedule) -> Iterator[Report]:
    """A run at our defaults."""
    batches = Batches(problem.rows(SEED), learner.objective, problem.spec, BATCH, SEED)
    optimizer = adamw(learner, default_rate(WIDTH, trained=False))
    return train(learner, batches.starting, optimizer, schedule, seed=SEED)


def speed(problem: Problem, learner: Learner, count: int) -> float:
    """Tokens a second over ``count`` steps, after one that warms up."""
    ends = [_now(report) for report in steps(problem, learner, Schedule(steps=count + 1))]
    return count * BATCH * LENGTH / (ends[-1] - ends[0])


def _now(report: Report) -> float:
    return time.perf_counter()


@dataclass(frozen=True)
class Reached:
    """Where a run ended.

    Args:
        seconds: wall time from nothing but the prepared corpus to the end of training.
        loss: held out.
    """

    budget: float
    seconds: float
    steps: int
    loss: float


def loss_of(problem: Problem, learner: Learner) -> float:
    learner.eval()
    return problem.loss(learner.backbones["text"], learner.heads)


def within(problem: Problem, precision: str, seconds: float) -> Reached:
    """A whole run on a budget of time."""
    began = time.perf_counter()
    learner = new_learner(problem, precision)
    done = sum(1 for _ in steps(problem, learner, Schedule(seconds=seconds)))
    took = time.perf_counter() - began
    return Reached(seconds, took, done, loss_of(problem, learner))


def first_crossing(problem: Problem, precision: str, seconds: float, goal: float, every: float) -> float | None:
    """When a run on a budget of ``seconds``, measured about ``every`` seconds, first reached ``goal``.

    Measuring counts as time of the run; None if it was never reached.
    """
    began = last = time.perf_counter()
    learner = new_learner(problem, precision)
    for _ in steps(problem, learner, Schedule(seconds=seconds)):
        if time.perf_counter() - last < every:
            continue
        if loss_of(problem, learner) <= goal:
            return time.perf_counter() - began
        last = time.perf_counter()
    return None
