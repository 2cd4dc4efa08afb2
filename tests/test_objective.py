"""Several questions at once: one pass for those on one input, each scored by its own count."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import TextBackbone, text_backbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner, divide, train
from selftaught.objective import Batch, Objective, Spec, Sum, Sums
from selftaught.objectives.mlm import MLM
from selftaught.randomness import Randomness
from selftaught.schedule import Schedule


@dataclass(frozen=True)
class Reversed(Objective):
    """Was this row turned around?"""

    share: float = 0.5

    @property
    def name(self) -> str:
        return "reversed"

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        turned = rng.uniform("turn") < self.share
        turned = turned.view(-1)
        flip = {
            name: torch.where(turned[:, None], samples[name].flip(1), samples[name])
            for name in ("input_ids", "segments")
        }
        return {**samples, **flip, "turned": turned.long(), "n": len(turned)}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return nn.Linear(text_backbone(backbones).width, 2)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        logits = heads(features.mean(1))
        return {
            "loss": F.cross_entropy(logits, batch["turned"], reduction="sum"),
            "right": (logits.argmax(1) == batch["turned"]).sum(),
        }


@dataclass(frozen=True)
class ReversedElsewhere(Reversed):
    """The same question on a copy of the input that no other question has touched."""

    stream: ClassVar[str] = "text.whole"

    @property
    def name(self) -> str:
        return "elsewhere"


@dataclass(frozen=True)
class Counting(Reversed):
    """Notes each step that was taken."""

    @property
    def name(self) -> str:
        return "counting"

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        head = nn.Linear(text_backbone(backbones).width, 2)
        head.register_buffer("steps", torch.zeros(()))
        return head

    def after_step(self, backbones: nn.ModuleDict, heads: nn.Module) -> None:
        heads.get_buffer("steps").add_(1)


@dataclass(frozen=True)
class Coupled(Reversed):
    couples_batch: ClassVar[bool] = True


NewLearner = Callable[[Objective], Learner]


@pytest.fixture
def new_learner(
    spec: Spec, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> NewLearner:
    return lambda objective: Learner({"text": small_network(tokenizer)}, objective, spec)


def posed(objective: Objective, samples: Batch, spec: Spec) -> Batch:
    indices = torch.arange(len(samples["input_ids"]))
    rng = Randomness.of(1, torch.zeros_like(indices), indices)
    return {**objective.pretext(samples, spec, rng), "size": len(indices)}


def passes(learner: Learner, batch: Batch) -> int:
    """How often a step goes through the encoder."""
    seen: list[int] = []
    handle = text_backbone(learner.backbones).encoder.register_forward_hook(lambda *_: seen.append(1))
    learner(batch)
    handle.remove()
    return len(seen)


def backward(learner: Learner, loss: Tensor) -> dict[str, Tensor]:
    learner.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None}


def test_questions_about_one_input_share_a_pass(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    both = Sum((Reversed(), MLM()))
    batch = posed(both, packed, spec)
    assert batch["streams"].keys() == {"text"}
    assert passes(new_learner(both), batch) == 1


def test_a_question_sees_what_the_one_before_it_left(packed: Batch, spec: Spec) -> None:
    """MLM hides tokens of the row as it was turned: its answers are the turned row's tokens."""
    batch = posed(Sum((Reversed(), MLM())), packed, spec)["streams"]["text"]
    turned = torch.where(batch["turned"].bool()[:, None], packed["input_ids"].flip(1), packed["input_ids"])
    asked = batch["answers"] != -100
    assert torch.equal(turned.flatten()[batch["positions"]][asked], batch["answers"][asked])


def test_a_question_about_another_input_gets_its_own_pass(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    both = Sum((MLM(), ReversedElsewhere(share=0.0)))
    batch = posed(both, packed, spec)
    assert batch["streams"].keys() == {"text", "text.whole"}
    assert torch.equal(batch["streams"]["text.whole"]["input_ids"], packed["input_ids"])
    assert passes(new_learner(both), batch) == 2


def test_each_member_is_divided_by_its_own_count(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    both = Sum((Reversed(), MLM()))
    batch = posed(both, packed, spec)
    assert batch["n"] == {"reversed": 8, "mlm": batch["streams"]["text"]["n"]}
    learner = new_learner(both)
    with torch.no_grad():
        sums = learner(batch)
    means = divide(sums, batch["n"])
    assert float(means["reversed"]["loss"]) == pytest.approx(float(sums["reversed"]["loss"]) / 8)
    assert float(means["mlm"]["loss"]) == pytest.approx(float(sums["mlm"]["loss"]) / batch["n"]["mlm"])
    assert float(both.total(means)) == pytest.approx(float(means["mlm"]["loss"] + means["reversed"]["loss"]))


def test_the_gradient_is_the_weighted_sum_of_the_members(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    both = Sum((Reversed(), MLM()), weights=(0.25, 2.0))
    learner, batch = new_learner(both), posed(both, packed, spec)
    together = backward(learner, both.total(divide(learner(batch), batch["n"])))
    alone = [backward(learner, divide(learner(batch), batch["n"])[name]["loss"]) for name in ("reversed", "mlm")]
    for name, gradient in together.items():
        parts = [w * one[name] for w, one in zip((0.25, 2.0), alone, strict=True) if name in one]
        assert torch.allclose(gradient, sum(parts, torch.zeros(())), atol=1e-6), name


def test_accumulating_a_sum_is_one_large_batch(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    """Each member's loss is divided by that member's count over all parts."""
    both = Sum((Reversed(), MLM()))
    learner, whole = new_learner(both), posed(both, packed, spec)
    indices = torch.arange(8)
    parts = []
    for rows in (slice(0, 3), slice(3, 8)):
        rng = Randomness.of(1, torch.zeros_like(indices[rows]), indices[rows])
        part = both.pretext({name: tensor[rows] for name, tensor in packed.items()}, spec, rng)
        parts.append({**part, "size": len(indices[rows])})
    expected = backward(learner, both.total(divide(learner(whole), whole["n"])))
    learner.zero_grad()
    found: dict[str, Tensor] = {}
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(
        lambda *_: found.update({n: p.grad.clone() for n, p in learner.named_parameters() if p.grad is not None})
    )
    next(train(learner, lambda _: iter(parts), optimizer, Schedule(steps=1), seed=0, accumulate=2, clip=1e9))
    for name, gradient in expected.items():
        assert (gradient - found[name]).abs().max() < 1e-6, name


def test_reports_name_each_member_s_measures(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    both = Sum((Reversed(), MLM()), weights=(1.0, 3.0))
    learner, batch = new_learner(both), posed(both, packed, spec)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    report = next(train(learner, lambda _: iter([batch]), optimizer, Schedule(steps=1), seed=0))
    assert report.measures.keys() == {"reversed.loss", "reversed.right", "mlm.loss", "mlm.accuracy"}
    expected = report.measures["reversed.loss"] + 3 * report.measures["mlm.loss"]
    assert report.loss == pytest.approx(expected, rel=1e-6)


def test_every_member_hears_of_the_step(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    both = Sum((Counting(), MLM()))
    learner, batch = new_learner(both), posed(both, packed, spec)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    list(train(learner, lambda _: iter([batch] * 3), optimizer, Schedule(steps=3), seed=0))
    assert float(learner.heads.get_submodule("counting").get_buffer("steps")) == 3


def test_a_sum_of_sums_is_one_sum() -> None:
    nested = Sum((Sum((Reversed(), MLM()), weights=(2.0, 3.0)), ReversedElsewhere()), weights=(10.0, 1.0))
    assert nested == Sum((Reversed(), MLM(), ReversedElsewhere()), weights=(20.0, 30.0, 1.0))


@pytest.mark.parametrize(
    ("members", "weights", "why"),
    [
        ((MLM(), MLM(rate=0.3)), (), "different names"),
        ((MLM(), Reversed()), (1.0,), "as many weights"),
    ],
)
def test_a_sum_that_cannot_be_meant_is_refused(
    members: tuple[Objective, ...], weights: tuple[float, ...], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Sum(members, weights)


def test_a_sum_with_a_coupled_member_is_coupled(packed: Batch, spec: Spec, new_learner: NewLearner) -> None:
    both = Sum((MLM(), Coupled()))
    assert both.couples_batch
    assert not Sum((MLM(), Reversed())).couples_batch
    learner, batch = new_learner(both), posed(both, packed, spec)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    with pytest.raises(ValueError, match="cannot be accumulated"):
        next(train(learner, lambda _: iter([batch] * 2), optimizer, Schedule(steps=1), seed=0, accumulate=2))


def test_a_member_s_draws_do_not_depend_on_the_other_members(packed: Batch, spec: Spec) -> None:
    both = posed(Sum((MLM(), replace(ReversedElsewhere(), share=0.5))), packed, spec)["streams"]["text"]
    alone = posed(Sum((MLM(),)), packed, spec)["streams"]["text"]
    assert torch.equal(both["positions"], alone["positions"])
