"""SimCSE: what its views are, what it counts as wrong, and its measures by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from selftaught.backbones.hf import TextBackbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner
from selftaught.objective import Batch, Spec, Sum
from selftaught.objectives.mlm import MLM
from selftaught.objectives.nsp import NSP
from selftaught.objectives.simcse import SimCSE
from selftaught.objectives.tsdae import TSDAE
from selftaught.randomness import Randomness

NewBackbone = Callable[[TextTokenizer], TextBackbone]
RNG = Randomness.of(0, torch.zeros(4, dtype=torch.int64), torch.arange(4))


def ask(simcse: SimCSE, texts: list[str], tokenizer: TextTokenizer, spec: Spec, epoch: int = 0) -> Batch:
    indices = torch.arange(len(texts))
    rng = Randomness.of(0, torch.full_like(indices, epoch), indices)
    return simcse.pretext(dict(tokenizer.batch(texts, longest=32)), spec, rng)


def test_the_loss_and_the_measures_by_hand() -> None:
    """Three sentences on a circle; the third is the first again, and no wrong answer to it."""
    half = math.sqrt(0.5)
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    second = torch.tensor([[half, half], [0.0, 1.0], [1.0, 0.0]])
    batch: Batch = {"sentence": torch.tensor([1, 0, 1]), "n": 3, "size": 3}
    found = SimCSE(temperature=0.5).loss(torch.stack([first, second]), nn.Module(), batch)
    e = math.exp
    losses = [
        -math.log(e(2 * half) / (e(2 * half) + e(0))),  # against the second sentence alone
        -math.log(e(2) / (e(2 * half) + e(2) + e(0))),
        -math.log(e(2) / (e(0) + e(2))),
    ]
    assert float(found["loss"]) == pytest.approx(sum(losses))
    assert int(found["accuracy"]) == 3
    assert float(found["alignment"]) == pytest.approx((1 - half) ** 2 + half**2)
    different = [0.0, half, 0.0, 0.0]  # cosines of first views with second ones of another sentence
    assert float(found["uniformity"]) / 3 == pytest.approx(math.log(sum(e(4 * c - 4) for c in different) / 4))


def test_vectors_that_are_all_one_cost_ln_of_the_batch(spec: Spec) -> None:
    views = torch.tensor([1.0, 0.0]).expand(2, 8, 2)
    found = SimCSE().loss(views, nn.Module(), {"sentence": torch.arange(8), "n": 8, "size": 8})
    assert float(found["loss"]) / 8 == pytest.approx(math.log(8)) == SimCSE().chance(spec, 8)
    assert float(found["uniformity"]) == pytest.approx(0.0, abs=1e-5)


def test_equal_sentences_have_one_number(tokenizer: TextTokenizer, spec: Spec) -> None:
    posed = ask(SimCSE(), ["a red fox", "a grey heron", "a red fox", "a red"], tokenizer, spec)
    one, other, again, part = posed["sentence"].tolist()
    assert one == again
    assert len({one, other, part}) == 3
    assert posed["n"] == 4


def test_a_batch_of_one_sentence_asks_nothing_hard(
    texts: list[str], tokenizer: TextTokenizer, spec: Spec, small_network: NewBackbone
) -> None:
    posed = ask(SimCSE(), [texts[0]] * 4, tokenizer, spec)
    backbones = nn.ModuleDict({"text": small_network(tokenizer)})
    found = SimCSE().loss(SimCSE().features(backbones, nn.Module(), posed), nn.Module(), posed)
    assert float(found["loss"].detach()) == pytest.approx(0.0, abs=1e-6)
    assert float(found["uniformity"].detach()) == 0.0


@pytest.mark.parametrize("training", [True, False])
def test_the_views_differ_by_what_was_drawn_for_them(
    training: bool, texts: list[str], tokenizer: TextTokenizer, spec: Spec, small_network: NewBackbone
) -> None:
    """Whether it trains or is measured: the question is the same, and a matter of the seed, epoch and index alone."""
    simcse = SimCSE()
    backbones = nn.ModuleDict({"text": small_network(tokenizer)}).train(training)
    first, second = (views := simcse.features(backbones, nn.Module(), ask(simcse, texts[:4], tokenizer, spec)))
    assert views.norm(dim=-1).tolist() == [pytest.approx([1.0] * 4)] * 2
    assert (first - second).abs().amax(1).min() > 1e-3
    torch.rand(7)  # the process' own random numbers do not matter, nor are they used up
    before = torch.get_rng_state()
    assert torch.equal(views, simcse.features(backbones, nn.Module(), ask(simcse, texts[:4], tokenizer, spec)))
    assert torch.equal(before, torch.get_rng_state())
    other = simcse.features(backbones, nn.Module(), ask(simcse, texts[:4], tokenizer, spec, epoch=1))
    assert (views - other).abs().max() > 1e-3
    assert backbones.training == training


def test_beside_masking_each_has_its_own_input(tokenizer: TextTokenizer, spec: Spec, texts: list[str]) -> None:
    """The contrast is between whole sentences, not between those that masking has left."""
    fused = Sum((MLM(rate=0.4), SimCSE()))
    indices = torch.arange(4)
    samples = dict(tokenizer.batch(texts[:4], longest=32))
    posed = fused.pretext(samples, spec, Randomness.of(0, indices * 0, indices))
    assert fused.samples == "sentences"
    assert fused.pooling == "mean"
    assert fused.architecture == "encoder"
    assert torch.equal(posed["streams"]["text.twice"]["input_ids"], samples["input_ids"])
    assert not torch.equal(posed["streams"]["text"]["input_ids"], samples["input_ids"])


def test_beside_what_else_it_can_be_asked(
    tokenizer: TextTokenizer, spec: Spec, texts: list[str], small_network: NewBackbone
) -> None:
    fused = Sum((SimCSE(), TSDAE()))
    posed = fused.pretext(dict(tokenizer.batch(texts[:4], longest=32)), spec, RNG)
    assert set(posed["streams"]) == {"text.twice", "text.damaged"}
    learner = Learner({"text": small_network(tokenizer)}, fused, spec)
    sums = learner(posed)
    alone = SimCSE().pretext(dict(tokenizer.batch(texts[:4], longest=32)), spec, RNG.child("simcse"))
    views = SimCSE().features(learner.backbones, nn.Module(), alone)
    assert float(sums["simcse"]["loss"].detach()) == float(SimCSE().loss(views, nn.Module(), alone)["loss"].detach())
    with pytest.raises(ValueError, match="nsp and simcse each make rows of their own"):
        Sum((NSP(), SimCSE()))


@pytest.mark.parametrize("options", [{"temperature": 0}, {"dropout": 0}, {"dropout": 1}])
def test_what_cannot_be_meant(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not"):
        SimCSE(**options)
