"""Causal language modelling: what is asked, what is seen, and the fusion with masked language modelling."""

import math
from collections.abc import Callable

import pytest
import torch

from selftaught.backbones.hf import TextBackbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner
from selftaught.objective import Batch, Spec, Sum
from selftaught.objectives.causal_lm import CausalLM
from selftaught.objectives.mlm import MLM
from selftaught.randomness import Randomness

NewBackbone = Callable[[TextTokenizer], TextBackbone]


def rng(rows: int) -> Randomness:
    return Randomness.of(3, torch.zeros(rows, dtype=torch.long), torch.arange(rows))


def test_each_token_is_asked_about_from_the_one_before_it_within_its_document(spec: Spec) -> None:
    samples = {
        "input_ids": torch.tensor([[7, 8, 9, 10, 11]]),
        "segments": torch.tensor([[0, 0, 1, 1, 1]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 0]], dtype=torch.bool),
    }
    posed = CausalLM().pretext(samples, spec, rng(1))
    assert posed["next"].tolist() == [[8, -100, 10, -100, -100]]
    assert posed["n"] == 2


def test_the_loss_is_the_negative_log_likelihood_that_transformers_computes(
    spec: Spec, tokenizer: TextTokenizer, small_decoder: NewBackbone, texts: list[str]
) -> None:
    learner = Learner({"text": small_decoder(tokenizer)}, CausalLM(), spec).eval()
    batch = tokenizer.batch(texts[:5], longest=64)
    posed = {**CausalLM().pretext(dict(batch), spec, rng(5)), "size": 5}
    model = learner.heads
    states = learner.features(batch)
    labels = batch["input_ids"].masked_fill(~batch["attention_mask"], -100)
    logits = model(states)[:, :-1]
    theirs = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
    assert float(learner(posed)["loss"].detach()) / posed["n"] == pytest.approx(float(theirs), rel=1e-5)


def test_no_token_sees_a_later_one_nor_another_document(
    tokenizer: TextTokenizer, small_decoder: NewBackbone, packed: Batch
) -> None:
    network = small_decoder(tokenizer).eval()
    row = {name: tensor[:1] for name, tensor in packed.items()}
    boundary = int((row["segments"][0] == 0).sum())
    assert 2 < boundary < 30
    changed = {**row, "input_ids": row["input_ids"].clone()}
    changed["input_ids"][0, 1] = 50
    before, after = network(row)[0], network(changed)[0]
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1:boundary], after[1:boundary])
    assert torch.allclose(before[boundary:], after[boundary:], atol=1e-6)


def test_rows_that_are_not_causal_see_both_sides(
    tokenizer: TextTokenizer, small_decoder: NewBackbone, packed: Batch
) -> None:
    network = small_decoder(tokenizer).eval()
    both = {"input_ids": packed["input_ids"][:2], "causal": torch.tensor([True, False])}
    changed = {**both, "input_ids": both["input_ids"].clone()}
    changed["input_ids"][:, 20] = 50
    before, after = network(both), network(changed)
    assert torch.allclose(before[0, :20], after[0, :20], atol=1e-6)
    assert not torch.allclose(before[1, :20], after[1, :20], atol=1e-4)


def test_beside_masking_each_row_is_either_continued_or_filled_in(spec: Spec, packed: Batch) -> None:
    fused = Sum((MLM(), CausalLM()))
    assert fused.architecture == "decoder"
    samples = {name: tensor.repeat(16, 1) if tensor.dim() > 1 else tensor.repeat(16) for name, tensor in packed.items()}
    posed = fused.pretext(samples, spec, rng(128))
    batch = posed["streams"]["text"]
    causal = batch["causal"]
    assert 0.35 < causal.float().mean() < 0.65
    assert (batch["next"][~causal] == -100).all()
    assert torch.equal(batch["input_ids"][causal], samples["input_ids"][causal])
    length = samples["input_ids"].shape[1]
    asked = batch["answers"] >= 0
    rows = batch["positions"][asked] // length
    assert not causal[rows].any()
    places = batch["positions"][asked] + 1  # the head of a decoder answers one place before
    assert torch.equal(samples["input_ids"].flatten()[places], batch["answers"][asked])
    assert posed["n"] == {"mlm": int(asked.sum()), "causal_lm": int((batch["next"] >= 0).sum())}


def test_chance_is_the_logarithm_of_the_vocabulary(spec: Spec) -> None:
    assert spec.text is not None
    assert CausalLM().chance(spec, 8) == pytest.approx(math.log(spec.text.vocab_size))


@pytest.mark.parametrize("share", [0.0, 1.5, -0.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        CausalLM(share=share)
