"""What a run will cost, and which size a budget is worth."""

from collections.abc import Callable

import pytest
import torch

from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.presets import SIZES
from selftaught.backbones.teacher import Teacher
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner
from selftaught.objective import Batch, Spec
from selftaught.objectives.distill import Distill
from selftaught.objectives.mlm import MLM
from selftaught.plan import WORTHWHILE_TOKENS, choose_size, count_flops, default_rate, estimate_memory
from selftaught.randomness import Randomness


@pytest.mark.parametrize("size", SIZES)
def test_the_largest_size_that_is_worth_its_tokens(size: str) -> None:
    assert choose_size(lambda _: WORTHWHILE_TOKENS[size]) == size
    assert list(SIZES) == list(WORTHWHILE_TOKENS)


def test_a_size_is_measured_only_if_the_one_below_was_worth_it() -> None:
    asked: list[str] = []

    def tokens(size: str) -> float:
        asked.append(size)
        return 1.0

    assert choose_size(tokens) == "tiny"
    assert asked == ["tiny", "small"]


def test_a_size_that_is_too_slow_is_not_chosen() -> None:
    seen = {"tiny": 1e9, "small": 1e8, "medium": 1e8, "base": 1e7}
    assert choose_size(seen.__getitem__) == "small"


def test_the_rate_falls_with_the_width_and_for_trained_networks() -> None:
    assert default_rate(128, trained=False) == 2 * default_rate(256, trained=False)
    assert default_rate(256, trained=True) < default_rate(256, trained=False)


@pytest.fixture
def learner(spec: Spec, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]) -> Learner:
    return Learner({"text": small_network(tokenizer)}, MLM(), spec)


def test_operations_are_those_that_torch_counts(learner: Learner, packed: Batch, spec: Spec) -> None:
    """Forward and backward; torch leaves the attention scores out on processors, 12 x layers x T x D a token."""
    from torch.utils.flop_counter import FlopCounterMode

    indices = torch.arange(8)
    batch = {**MLM().pretext(packed, spec, Randomness.of(0, indices * 0, indices)), "size": 8}
    with FlopCounterMode(display=False) as counter:
        learner(batch)["loss"].backward()
    scores = sum(n for op, n in counter.get_flop_counts()["Global"].items() if "attention" in str(op))
    counted = (counter.get_total_flops() - scores) / (8 * 32) + 12 * 2 * 32 * 32
    assert count_flops(learner, batch, 32) == pytest.approx(counted, rel=0.05)


def test_memory_is_more_than_weights_gradients_and_moments(learner: Learner, packed: Batch, spec: Spec) -> None:
    indices = torch.arange(8)
    batch = {**MLM().pretext(packed, spec, Randomness.of(0, indices * 0, indices)), "size": 8}
    assert estimate_memory(learner, batch, 32) > 16 * sum(p.numel() for p in learner.parameters())


def test_a_teacher_is_read_forward_only_and_has_no_moments(
    spec: Spec, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone], packed: Batch
) -> None:
    teacher = small_network(tokenizer)
    objective = Distill(prediction=0)
    learner = Learner({"text": small_network(tokenizer), "teacher": Teacher(teacher, None)}, objective, spec)
    indices = torch.arange(8)
    batch = {**objective.pretext(packed, spec, Randomness.of(0, indices * 0, indices)), "size": 8}
    projections = sum(p.numel() for p in learner.heads.parameters())
    layers = sum(p.numel() for p in teacher.parameters()) - teacher.embeddings().weight.numel()
    a_pass = layers + 2 * teacher.layers * 32 * teacher.width
    assert count_flops(learner, batch, 32) == 6 * (a_pass + projections) + 2 * a_pass
    own, its = (sum(p.numel() for p in learner.parameters() if p.requires_grad is kind) for kind in (True, False))
    before = estimate_memory(learner, batch, 32)
    teacher.requires_grad_(True)
    assert estimate_memory(learner, batch, 32) - before == 12 * its
    assert before > 16 * own + 4 * its
