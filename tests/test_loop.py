"""The one loop: what a step is, and what it never does."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from selftaught.backbones.hf import TextBackbone, backbone_from_config
from selftaught.data.tokenise import TextTokenizer
from selftaught.health import Diverged
from selftaught.loop import Learner, Progress, Report, divide, evaluate, train
from selftaught.objective import Batch, Spec
from selftaught.objectives.mlm import MLM
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.schedule import Schedule


@pytest.fixture
def learner(spec: Spec, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]) -> Learner:
    torch.manual_seed(3)
    return Learner({"text": small_network(tokenizer)}, MLM(), spec)


def posed(samples: Batch, spec: Spec, rows: slice = slice(None), epoch: int = 0) -> Batch:
    indices = torch.arange(len(samples["input_ids"]))[rows]
    rng = Randomness.of(1, torch.full_like(indices, epoch), indices)
    chosen = {name: tensor[rows] for name, tensor in samples.items()}
    return {**MLM().pretext(chosen, spec, rng), "size": len(indices)}


def gradient(learner: nn.Module, parts: list[Batch]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(
        lambda *_: found.update({n: p.grad.clone() for n, p in learner.named_parameters() if p.grad is not None})
    )
    steps = train(learner, lambda _: iter(parts), optimizer, Schedule(steps=1), seed=0, accumulate=len(parts), clip=1e9)  # type: ignore[arg-type]
    next(steps)
    return found


def steps_of(learner: Learner, batches: list[Batch], start: Progress, optimizer: Any, **more: Any) -> Iterator[Report]:
    """Train on ``batches``, one a step, from wherever ``start`` stands."""
    size = batches[0]["size"]
    return train(
        learner,
        lambda position: iter(batches[position // size :]),
        optimizer,
        Schedule(steps=len(batches)),
        seed=7,
        start=start,
        **more,
    )


def test_four_batches_of_eight_are_one_batch_of_thirty_two(learner: Learner, padded: Batch, spec: Spec) -> None:
    """To 1e-6 in every gradient, in float32, where the parts hold very different numbers of targets."""
    whole = posed(padded, spec)
    parts = [posed(padded, spec, slice(8 * i, 8 * i + 8)) for i in range(4)]
    counts = [part["n"] for part in parts]
    assert sum(counts) == whole["n"]
    assert len(set(counts)) == 4
    one, many = gradient(learner, [whole]), gradient(learner, parts)
    assert one.keys() == many.keys() == dict(learner.named_parameters()).keys()
    for name in one:
        assert (one[name] - many[name]).abs().max() <= 1e-6, name


def test_the_mean_is_over_targets_not_over_batches(learner: Learner, padded: Batch, spec: Spec) -> None:
    parts = [posed(padded, spec, slice(0, 1)), posed(padded, spec, slice(1, 32))]
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    report = next(train(learner, lambda _: iter(parts), optimizer, Schedule(steps=1), seed=0, accumulate=2))
    with torch.no_grad():
        sums = [float(learner(part)["loss"]) for part in parts]
    assert report.loss == pytest.approx(sum(sums) / sum(part["n"] for part in parts), rel=1e-5)
    assert report.samples == 32
    assert evaluate(learner, iter(parts))["loss"] == pytest.approx(report.loss, rel=1e-5)


def test_the_gradient_is_clipped_but_reported_whole(learner: Learner, packed: Batch, spec: Spec) -> None:
    seen: list[float] = []
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(
        lambda *_: seen.append(math.sqrt(sum(float(p.grad.square().sum()) for p in learner.parameters())))
    )
    report = next(steps_of(learner, [posed(packed, spec)], Progress(), optimizer, clip=0.01))
    assert report.gradient > 0.01
    assert seen[0] == pytest.approx(0.01, rel=1e-3)


def test_going_on_is_the_same_as_never_having_stopped(
    packed: Batch,
    spec: Spec,
    tokenizer: TextTokenizer,
    small_network: Callable[[TextTokenizer], TextBackbone],
) -> None:
    batches = [posed(packed, spec, epoch=epoch) for epoch in range(6)]

    def fresh() -> tuple[Learner, torch.optim.Optimizer]:
        torch.manual_seed(0)
        learner = Learner({"text": small_network(tokenizer)}, MLM(), spec)
        return learner, adamw(learner, 1e-3)

    whole, optimizer = fresh()
    reports = list(steps_of(whole, batches, Progress(), optimizer))
    assert [report.progress.step for report in reports] == [1, 2, 3, 4, 5, 6]

    parted, optimizer = fresh()
    before = steps_of(parted, batches, Progress(), optimizer)
    stopped = [next(before) for _ in range(2)][-1].progress
    assert (stopped.step, stopped.samples) == (2, 16)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    list(steps_of(parted, batches, stopped, optimizer))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parted.state_dict()[name]), name


def test_dropout_is_a_function_of_the_step(packed: Batch, spec: Spec, tokenizer: TextTokenizer) -> None:
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        hidden_dropout_prob=0.5,
    )
    learner = Learner({"text": backbone_from_config(config)}, MLM(), spec)
    batch = posed(packed, spec)
    still = torch.optim.SGD(learner.parameters(), lr=0.0)
    losses = [r.loss for r in steps_of(learner, [batch] * 3, Progress(), still)]
    torch.manual_seed(99)
    again = [r.loss for r in steps_of(learner, [batch] * 3, Progress(step=1, samples=8), still)]
    assert len(set(losses)) == 3
    assert again == losses[1:]


def poisoned(learner: Learner, where: str) -> None:
    """Make the next loss, or only the next gradient, not a number."""
    head = learner.heads
    if where == "loss":
        head.register_forward_hook(lambda module, inputs, logits: logits * float("nan"))
    else:
        weight = next(p for name, p in learner.named_parameters() if name.endswith("mlp.Wi.weight"))
        weight.register_hook(lambda g: g * float("inf"))


@pytest.mark.parametrize("quantity", ["loss", "gradient"])
def test_what_is_not_finite_never_reaches_the_weights(
    learner: Learner, packed: Batch, spec: Spec, quantity: str
) -> None:
    batches = [posed(packed, spec, epoch=epoch) for epoch in range(4)]
    optimizer = adamw(learner, 1e-3)
    steps = steps_of(learner, batches, Progress(), optimizer)
    next(steps)
    next(steps)
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    poisoned(learner, quantity)
    with pytest.raises(Diverged, match=rf"the {quantity} became .* at step 3") as caught:
        next(steps)
    assert caught.value.step == 3
    assert caught.value.where == "the batch of samples 16 to 23 of the run"
    for name, tensor in learner.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_budget_of_seconds_ends_the_run(learner: Learner, packed: Batch, spec: Spec) -> None:
    batch = posed(packed, spec)

    def endless(_: int) -> Iterator[Batch]:
        while True:
            yield batch

    began = time.perf_counter()
    reports = list(train(learner, endless, adamw(learner, 1e-3), Schedule(seconds=0.4), seed=0))
    took = time.perf_counter() - began
    assert 0.4 <= reports[-1].progress.seconds <= took < 2.0
    assert reports[-1].rate < 0.5 * max(report.rate for report in reports)


def test_seconds_used_before_count(learner: Learner, packed: Batch, spec: Spec) -> None:
    start = Progress(step=5, samples=40, seconds=30.0)
    used_up = train(
        learner,
        lambda _: iter([posed(packed, spec)]),
        adamw(learner, 1e-3),
        Schedule(seconds=30),
        seed=0,
        start=start,
    )
    assert list(used_up) == []


def test_the_rate_follows_the_schedule(learner: Learner, packed: Batch, spec: Spec) -> None:
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.5)
    schedule = Schedule(steps=4, warmup=0.5)
    rates = [
        (report.rate, optimizer.param_groups[0]["lr"])
        for report in train(learner, lambda _: iter([posed(packed, spec)] * 4), optimizer, schedule, seed=0)
    ]
    assert [rate for rate, _ in rates] == [schedule.rate(step, 0.0) for step in range(4)]
    assert all(used == pytest.approx(0.5 * rate) for rate, used in rates)


def test_a_count_below_one_is_a_count() -> None:
    """Weighted targets may weigh less than one together; their mean is still a mean."""
    assert divide({"loss": 0.25}, 0.5) == {"loss": 0.5}
    assert divide({"loss": 0.0}, 0) == {"loss": 0.0}


def test_threads_that_share_a_step_change_no_bit(
    packed: Batch, spec: Spec, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> None:
    """Three parts, so that it would be seen if they were added up as they come."""
    parts = [posed(packed, spec, slice(i % 6, i % 6 + 2), epoch=i) for i in range(9)]

    def trained(threads: int) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
        torch.manual_seed(0)
        learner = Learner({"text": small_network(tokenizer)}, MLM(), spec)
        steps = train(
            learner,
            lambda _: iter(parts),
            adamw(learner, 1e-2),
            Schedule(steps=3),
            seed=0,
            accumulate=3,
            threads=threads,
        )
        return learner.state_dict(), [{**report.measures, "gradient": report.gradient} for report in steps]

    (one, told), (three, told_by_three) = trained(1), trained(3)
    assert told == told_by_three
    assert all(torch.equal(one[name], three[name]) for name in one)


def test_what_fails_in_a_thread_is_told(learner: Learner, packed: Batch, spec: Spec) -> None:
    part = posed(packed, spec)
    broken = {**part, "input_ids": part["input_ids"] + 10**6}
    steps = train(
        learner,
        lambda _: iter([part, broken]),
        adamw(learner, 1e-3),
        Schedule(steps=1),
        seed=0,
        accumulate=2,
        threads=2,
    )
    before = torch.get_num_threads()
    with pytest.raises(IndexError):
        next(steps)
    assert torch.get_num_threads() == before
