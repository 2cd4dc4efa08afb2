"""What a step is counted to take, beside what can be computed by hand and what a run computes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from selftaught.backbones.hf import TextBackbone, text_backbone
from selftaught.backbones.teacher import Teacher
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner, train
from selftaught.objective import Batch, Spec
from selftaught.objectives.causal_lm import CausalLM
from selftaught.objectives.distill import Distill
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.recipe import compose
from selftaught.run.folder import Run
from selftaught.scaling.network import Layout, Network
from selftaught.scaling.step import StepCost, cost_of, counting, state_bytes
from selftaught.schedule import Schedule
from selftaught.text.preparing import prepare_pretraining

NewLearner = Callable[[], Learner]


def posed(learner: Learner, samples: Batch, spec: Spec) -> Batch:
    indices = torch.arange(8)
    return {**learner.objective.pretext(samples, spec, Randomness.of(0, indices * 0, indices)), "size": 8}


def weights(network: TextBackbone) -> int:
    """Without the token embeddings, of which each token needs one row only."""
    return sum(p.numel() for p in network.parameters()) - network.embeddings().weight.numel()


def test_operations_by_hand(new_learner: NewLearner, packed: Batch, spec: Spec) -> None:
    """Six a weight and token, the head's for the hidden tokens, and seven products of tokens with tokens."""
    learner = new_learner()
    batch, network = posed(learner, packed, spec), text_backbone(learner.backbones)
    scores = 7 * 2 * network.layers * 32 * network.width  # forward two; backward the scores again, and four
    head = sum(p.numel() for p in learner.heads.parameters())  # with the token embeddings, which are its as well
    expected = 256 * (6 * weights(network) + scores) + 6 * batch["n"] * head
    assert cost_of(learner, batch).flops == pytest.approx(expected, rel=0.02)


def test_what_is_planned_by_shape_alone_is_what_a_decoder_is_counted_to_take(
    spec: Spec, tokenizer: TextTokenizer, small_decoder: Callable[[TextTokenizer], TextBackbone], packed: Batch
) -> None:
    """The formulas of ``plan --params``, for rows of one document, where the attention needs no mask."""
    network = small_decoder(tokenizer)
    learner = Learner({"text": network}, CausalLM(), spec)
    counted = cost_of(learner, posed(learner, {"input_ids": packed["input_ids"]}, spec))
    parameters, words = sum(p.numel() for p in network.parameters()), network.embeddings().num_embeddings
    heads = network.config.num_attention_heads
    shape = Network(parameters, network.layers, network.width, heads, network.inner, words, 32)
    assert shape.flops * 256 == pytest.approx(counted.flops, rel=0.05)
    planned = Layout(1, sharded=False, recomputed=False, rows=8, accumulated=1).memory(shape, number_bytes=4)
    assert planned.activations == pytest.approx(counted.kept, rel=0.15)


def test_a_teacher_has_neither_gradients_nor_moments(
    spec: Spec, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> None:
    teacher = Teacher(small_network(tokenizer), None)
    learner = Learner({"text": small_network(tokenizer), "teacher": teacher}, Distill(prediction=0), spec)
    own, its = (sum(p.numel() for p in learner.parameters() if p.requires_grad is kind) for kind in (True, False))
    assert state_bytes(learner) == 16 * own + 4 * its


def test_what_is_kept_by_hand(new_learner: NewLearner, packed: Batch, spec: Spec) -> None:
    """Of each layer its inputs and what attention and the feed-forward part have inside, and the logits three times."""
    learner = new_learner()
    batch, network = posed(learner, packed, spec), text_backbone(learner.backbones)
    kept = cost_of(learner, batch).kept
    logits = 4 * batch["n"] * network.embeddings().num_embeddings
    least = 4 * 256 * network.layers * (6 * network.width + 2 * network.inner)
    assert least + 3 * logits < kept < 2.5 * least + 6 * logits


def test_a_count_leaves_the_learner_and_the_random_numbers_as_they_are(
    new_learner: NewLearner, packed: Batch, spec: Spec
) -> None:
    learner = new_learner().eval()
    before, state = {name: value.clone() for name, value in learner.state_dict().items()}, torch.get_rng_state()
    cost_of(learner, posed(learner, packed, spec))
    assert all(torch.equal(value, before[name]) for name, value in learner.state_dict().items())
    assert all(p.grad is None for p in learner.parameters())
    assert not learner.training
    assert torch.equal(torch.get_rng_state(), state)


def test_more_rows_lie_on_a_line() -> None:
    assert StepCost(10, 100).extended(2, StepCost(18, 100), 6, 16) == StepCost(38, 100)


@pytest.mark.parametrize("objective", ["simcse", "tsdae"])
def test_sentences_cost_what_was_announced(objective: str, texts: list[str], tmp_path: Path) -> None:
    """They are read twice, or written again, and padded to the longest of their batch."""
    (tmp_path / "text").mkdir()
    for number in range(12):
        uneven = "\n".join(text[: 20 + 7 * (number + at) % 60] + "." for at, text in enumerate(texts))
        (tmp_path / "text" / f"{number}.md").write_text(uneven, encoding="utf-8")
    given = {"data.path": str(tmp_path / "text"), "objective.name": objective, "model.size": "tiny"}
    given |= {"train.batch": 16, "train.steps": 4, "train.precision": "fp32", "train.threads": 1, "train.length": 64}
    ready = prepare_pretraining(Run(tmp_path / "run"), compose(given))
    with counting() as counter:
        for _ in train(ready.learner, ready.batches.starting, adamw(ready.learner, 1e-4), Schedule(steps=4), seed=0):
            pass
    assert ready.plan.flops == pytest.approx(counter.get_total_flops(), rel=0.05)
