"""TSDAE: what is deleted, what is asked, and that the answer goes through one vector."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from selftaught.backbones.hf import TextBackbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner
from selftaught.objective import Batch, Spec
from selftaught.objectives.tsdae import TSDAE, SentenceDecoder, sinusoids
from selftaught.randomness import Randomness

NewBackbone = Callable[[TextTokenizer], TextBackbone]


def ask(tsdae: TSDAE, samples: Batch, spec: Spec) -> Batch:
    indices = torch.arange(len(samples["input_ids"]))
    return tsdae.pretext(samples, spec, Randomness.of(0, indices * 0, indices))


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.6])
def test_a_share_is_deleted_and_the_whole_is_asked(padded: Batch, spec: Spec, rate: float) -> None:
    assert spec.text is not None
    posed = ask(TSDAE(rate=rate), padded, spec)
    ordinary = ~spec.text.special[padded["input_ids"]] & padded["attention_mask"]
    left = ~spec.text.special[posed["input_ids"]] & posed["attention_mask"]
    for before, after in zip(ordinary.sum(1).tolist(), left.sum(1).tolist(), strict=True):
        assert before - after == min(round(rate * before), before - 1)
    assert torch.equal(posed["answers"] >= 0, ordinary[:, 1:])
    assert posed["n"] == int(ordinary[:, 1:].sum())
    assert torch.equal(posed["before"], padded["input_ids"][:, :-1])
    asked = posed["answers"] >= 0
    assert torch.equal(posed["answers"][asked], padded["input_ids"][:, 1:][asked])


def test_the_answer_knows_the_sentence_by_its_vector_and_the_tokens_before(
    tokenizer: TextTokenizer, spec: Spec, small_network: NewBackbone
) -> None:
    assert spec.text is not None
    torch.manual_seed(0)
    backbone = small_network(tokenizer)
    decoder = SentenceDecoder(backbone.embeddings(), backbone.width, spec.text.unigram)
    before = torch.randint(5, 100, (1, 6))
    asked = torch.ones_like(before, dtype=torch.bool)
    vector = torch.randn(1, backbone.width)
    logits = decoder(vector, before, asked)
    changed = before.clone()
    changed[0, 3] = 104
    later = (decoder(vector, changed, asked) - logits).abs().amax(1)
    assert later[:3].max() < 1e-5
    assert later[3:].min() > 1e-4
    assert (decoder(-vector, before, asked) - logits).abs().amax(1).min() > 1e-4
    assert (decoder(vector, before.flip(1), asked)[-1] - logits[-1]).abs().max() > 1e-4  # places count


def test_it_begins_at_the_unigram_line(
    padded: Batch, tokenizer: TextTokenizer, spec: Spec, small_network: NewBackbone
) -> None:
    assert spec.text is not None
    posed = ask(TSDAE(), padded, spec)
    learner = Learner({"text": small_network(tokenizer)}, TSDAE(), spec)
    loss = float(learner(posed)["loss"].detach()) / posed["n"]
    line = -float(spec.text.unigram[posed["answers"][posed["answers"] >= 0]].log().mean())
    assert loss == pytest.approx(line, abs=0.3)
    assert TSDAE().chance(spec, 4) == pytest.approx(math.log(int((~spec.text.special).sum())))


def test_the_embeddings_are_the_encoder_s(tokenizer: TextTokenizer, spec: Spec, small_network: NewBackbone) -> None:
    learner = Learner({"text": small_network(tokenizer)}, TSDAE(), spec)
    assert isinstance(learner.heads, SentenceDecoder)
    assert learner.heads.embeddings.weight is learner.backbones["text"].embeddings().weight  # type: ignore[operator]


def test_sinusoids_by_hand() -> None:
    found = sinusoids(2, 4, torch.device("cpu"))
    assert found[0].tolist() == [0, 1, 0, 1]
    assert found[1].tolist() == pytest.approx([math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)])
    assert sinusoids(3, 5, torch.device("cpu")).shape == (3, 5)


def test_what_cannot_be_meant() -> None:
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match="share of tokens deleted"):
            TSDAE(rate=rate)


def test_without_a_vector_there_is_no_gradient_to_the_network(
    padded: Batch, tokenizer: TextTokenizer, spec: Spec, small_network: NewBackbone
) -> None:
    """All that the network learns, it learns through the vector."""
    posed = ask(TSDAE(), padded, spec)
    learner = Learner({"text": small_network(tokenizer)}, TSDAE(), spec)
    vectors = learner.features(posed)
    assert vectors.shape == (32, 32)
    TSDAE().loss(vectors.detach(), learner.heads, posed)["loss"].backward()
    backbone = learner.backbones["text"]
    assert isinstance(backbone, nn.Module)
    touched = {name for name, parameter in backbone.named_parameters() if parameter.grad is not None}
    assert touched == {"encoder.embeddings.tok_embeddings.weight"}  # which the decoder shares
