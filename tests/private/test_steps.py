"""DP-SGD beside the same computed by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from selftaught import lookup
from selftaught.backbones.hf import TextBackbone
from selftaught.data.loader import Batches
from selftaught.data.tokenise import TextTokenizer
from selftaught.fit import Plan, fit
from selftaught.loop import Learner, Progress, Report, train
from selftaught.objective import Batch, Objective, Spec
from selftaught.optim import adamw
from selftaught.private.guarantee import Guarantee
from selftaught.private.steps import clipped_gradients, private_steps
from selftaught.run.folder import Run
from selftaught.schedule import Schedule
from selftaught.sharing import Crew

SAMPLES = 8
LOOSE = Guarantee(delta=1e-2, noise=1.0, clip=1e9, samples=SAMPLES, batch=SAMPLES, steps=6, unit="each row")
ALL = np.arange(SAMPLES)


class Rows:
    """The packed rows as a source."""

    def __init__(self, rows: Batch) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return SAMPLES

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        return {name: tensor[torch.from_numpy(indices)] for name, tensor in self.rows.items()}


@pytest.fixture(params=["mlm", "causal_lm", "electra", "mlm+causal_lm"])
def objective(request: pytest.FixtureRequest) -> Objective:
    return lookup.make(request.param, lookup.OBJECTIVES, {})


@pytest.fixture
def batches(objective: Objective, packed: Batch, spec: Spec) -> Batches:
    return Batches(Rows(packed), objective, spec, SAMPLES, seed=3)


@pytest.fixture
def learner(
    objective: Objective,
    spec: Spec,
    tokenizer: TextTokenizer,
    small_network: Callable[[TextTokenizer], TextBackbone],
    small_decoder: Callable[[TextTokenizer], TextBackbone],
) -> Learner:
    torch.manual_seed(0)
    network = small_decoder if objective.architecture == "decoder" else small_network
    return Learner({"text": network(tokenizer)}, objective, spec)


def by_hand(learner: Learner, batches: Batches, clip: float) -> dict[str, torch.Tensor]:
    """The sum of the clipped gradients, one sample after the other."""
    total = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in learner.named_parameters()}
    for index in range(SAMPLES):
        learner.zero_grad()
        batch = batches.of(np.array([index]), np.array([1]))
        sums, counts = learner(batch), batch["n"]
        if isinstance(counts, dict) and "loss" not in sums:  # of a sum, each member by its own count
            means = {part: {k: v / (counts[part] or 1) for k, v in of.items()} for part, of in sums.items()}
        elif isinstance(counts, dict):
            means = {part: {k: v / counts[part] for k, v in sums[part].items()} for part in counts}
        else:
            means = {k: v / counts for k, v in sums.items()}
        learner.objective.total(means).backward()
        found = {name: p.grad.double() for name, p in learner.named_parameters() if p.grad is not None}
        norm = torch.sqrt(torch.stack([g.square().sum() for g in found.values()]).sum())
        for name, gradient in found.items():
            total[name] += gradient * min(1.0, clip / float(norm))
    return total


@pytest.mark.parametrize(("clip", "threads"), [(1e9, None), (0.5, 1), (0.5, 3)])
def test_clipped_gradients_are_those_of_single_samples(
    learner: Learner, batches: Batches, clip: float, threads: int | None
) -> None:
    guarantee = replace(LOOSE, clip=clip, batch=5)
    expected = by_hand(learner, batches, clip)
    with Crew(threads) as crew:
        told = clipped_gradients(learner, batches, ALL, 1, guarantee, crew)
    assert told["clipped"] == float(clip < 1)
    for name, weight in learner.named_parameters():
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, (expected[name] / 5).float(), rtol=1e-6, atol=1e-6)


def test_no_sample_adds_more_than_the_clip(learner: Learner, batches: Batches) -> None:
    guarantee = replace(LOOSE, clip=0.25, batch=1)
    with Crew(None) as crew:
        clipped_gradients(learner, batches, ALL, 1, guarantee, crew)
        whole = _gradient(learner)
        clipped_gradients(learner, batches, ALL[1:], 1, guarantee, crew)
        without = _gradient(learner)
    assert float((whole - without).norm()) <= 0.25 * (1 + 1e-5)


def _gradient(learner: Learner) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in learner.parameters() if p.grad is not None])


@pytest.mark.parametrize("objective", ["causal_lm"], indirect=True)
def test_without_noise_and_clip_it_is_the_ordinary_step(learner: Learner, packed: Batch, spec: Spec) -> None:
    """Of rows that ask as much each, for an ordinary step counts targets and a private one samples."""
    rows = Batches(Rows({"input_ids": packed["input_ids"]}), learner.objective, spec, SAMPLES, seed=3)
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    plain = torch.optim.SGD(learner.parameters(), lr=0.1)
    next(train(learner, rows.starting, plain, Schedule(steps=1), seed=0, clip=1e9))
    ordinary = {name: value.clone() for name, value in learner.state_dict().items()}
    learner.load_state_dict(before)
    plan, plain = Plan(Schedule(steps=1), seed=0), torch.optim.SGD(learner.parameters(), lr=0.1)
    reports = [*private_steps(learner, rows, plain, plan, replace(LOOSE, noise=0.0, clip=1e8), "key")(Progress())]
    assert [report.samples for report in reports] == [SAMPLES]
    for name, value in learner.state_dict().items():
        torch.testing.assert_close(value, ordinary[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", ["causal_lm"], indirect=True)
def test_the_noise_is_as_large_as_promised(learner: Learner, batches: Batches) -> None:
    """With a learning rate of one, plain descent moves by the noise where there is nobody to learn from."""
    before = torch.cat([p.detach().flatten() for p in learner.parameters()])
    rare = replace(LOOSE, samples=10, batch=1, noise=2.0, clip=0.5)
    key = next(key for key in map(str, range(100)) if not len(rare.drawn(key, 1)))
    plan = Plan(Schedule(steps=1, warmup=0.0), seed=0)
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    (report,) = private_steps(learner, batches, optimizer, plan, rare, key)(Progress())
    moved = torch.cat([p.detach().flatten() for p in learner.parameters()]) - before
    assert report.samples == 0
    assert float(moved.std()) / report.rate == pytest.approx(2.0 * 0.5, rel=0.05)


def run_it(run: Run, learner: Learner, batches: Batches, key: str, until: int = 4) -> list[Report]:
    plan, optimizer = Plan(Schedule(steps=4), seed=0, save_seconds=1e9), adamw(learner, 1e-2)
    taken: list[Report] = []
    steps = private_steps(learner, batches, optimizer, plan, replace(LOOSE, clip=0.5, batch=4), key)
    with run.locked():
        fit(
            run,
            learner,
            optimizer,
            steps,
            plan,
            watch=lambda report: taken.append(report),  # type: ignore[func-returns-value]
            stop=lambda: bool(taken) and taken[-1].progress.step == until < 4,
        )
    return taken


@pytest.mark.parametrize("objective", ["mlm"], indirect=True)
def test_an_interrupted_run_ends_with_the_same_bits_and_the_same_epsilon(
    learner: Learner, batches: Batches, tmp_path: Path
) -> None:
    begun = {name: value.clone() for name, value in learner.state_dict().items()}
    finals: list[dict[str, Any]] = []
    epsilons = []
    for name, halts in (("whole", [4]), ("parted", [2, 4]), ("other noise", [4])):
        taken = []
        for until in halts:
            learner.load_state_dict(begun)
            key = "another key" if name == "other noise" else "key"
            taken += run_it(Run(tmp_path / name), learner, batches, key, until)
        finals.append({key: value.clone() for key, value in learner.state_dict().items()})
        epsilons.append([report.measures["epsilon"] for report in taken])
        assert [report.progress.step for report in taken] == [1, 2, 3, 4]
    assert all(torch.equal(value, finals[1][key]) for key, value in finals[0].items())
    assert not all(torch.equal(value, finals[2][key]) for key, value in finals[0].items())
    assert epsilons[0] == epsilons[1]
    assert epsilons[0] == sorted(epsilons[0])
