"""How likely texts are: by the same numbers as transformers gives, alone or among others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, GPT2Config

from selftaught.backbones.heads import CausalLMHead, MaskedLMHead, save_model
from selftaught.backbones.hf import TextBackbone, backbone_from_config
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.prompting.scoring import Prompt, Scorer, open_scorer
from selftaught.recipe import compose

NewBackbone = Callable[[TextTokenizer], TextBackbone]


def saved(folder: Path, backbone: TextBackbone, heads: nn.Module, tokenizer: TextTokenizer) -> Pretrained:
    with torch.no_grad():  # as drawn, an untrained network finds all tokens about equally likely
        for weight in backbone.parameters():
            weight.mul_(8) if weight.dim() > 1 else None
    save_model(folder, backbone, heads)
    tokenizer.save(folder, backbone.longest_row)
    return open_pretrained(folder)


@pytest.fixture(scope="module")
def decoder(
    tmp_path_factory: pytest.TempPathFactory, small_decoder: NewBackbone, bytelevel: TextTokenizer
) -> Pretrained:
    torch.manual_seed(0)
    backbone = small_decoder(bytelevel)
    return saved(tmp_path_factory.mktemp("decoder"), backbone, CausalLMHead.of(backbone), bytelevel)


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory, bytelevel: TextTokenizer) -> Pretrained:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=bytelevel.vocab_size, n_embd=32, n_layer=2, n_head=2, n_positions=64)
    backbone = backbone_from_config(config)
    return saved(tmp_path_factory.mktemp("gpt2"), backbone, CausalLMHead.of(backbone), bytelevel)


@pytest.fixture(scope="module")
def encoder(
    tmp_path_factory: pytest.TempPathFactory, small_network: NewBackbone, tokenizer: TextTokenizer
) -> Pretrained:
    torch.manual_seed(0)
    backbone = small_network(tokenizer)
    head = MaskedLMHead.of(backbone, tokenizer.spec().unigram)
    return saved(tmp_path_factory.mktemp("encoder"), backbone, head, tokenizer)


@pytest.fixture(params=["decoder", "gpt2", "encoder"])
def pretrained(request: pytest.FixtureRequest) -> Pretrained:
    found: Pretrained = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def uneven(texts: list[str]) -> list[str]:
    return [text[: 3 + 5 * i] for i, text in enumerate(texts[:9])]


@torch.no_grad()
def logits_of(model: nn.Module, ids: Sequence[int]) -> Tensor:
    """Log-probabilities [T, V] of one row without padding."""
    return model(torch.tensor([ids])).logits[0].log_softmax(-1)


def directly(pretrained: Pretrained, given: Sequence[int], answer: Sequence[int]) -> float:
    """The sum by definition, one row at a time, with transformers' own model."""
    row = [*given, *answer]
    if pretrained.backbone.is_decoder:
        model = AutoModelForCausalLM.from_pretrained(pretrained.folder).eval()
        found = logits_of(model, row)
        return sum(float(found[place - 1, row[place]]) for place in range(len(given), len(row)))
    model = AutoModelForMaskedLM.from_pretrained(pretrained.folder).eval()
    mask, end = pretrained.tokenizer.id_of("mask_token"), pretrained.tokenizer.end_id
    assert mask is not None
    assert end is not None
    total = 0.0
    for place in range(len(given), len(row)):
        hidden = [*row[:place], mask, *row[place + 1 :], end]
        total += float(logits_of(model, hidden)[place, row[place]])
    return total


def test_a_text_has_the_likelihood_that_transformers_gives_it(pretrained: Pretrained, uneven: list[str]) -> None:
    scorer = open_scorer(pretrained)
    start = pretrained.tokenizer.start_id
    wanted = [directly(pretrained, [start], ids) for ids in pretrained.tokenizer.encode(uneven)]
    assert scorer.texts(uneven) == pytest.approx(wanted, rel=1e-5)
    assert max(wanted) - min(wanted) > 50


def test_a_text_is_as_likely_alone_as_in_a_padded_batch(pretrained: Pretrained, uneven: list[str]) -> None:
    scorer = open_scorer(pretrained)
    alone = [scorer.texts([text])[0] for text in uneven]
    assert np.abs(scorer.texts(uneven[::-1])[::-1] - alone).max() < 1e-5 * np.abs(alone).max()


def test_continuations_are_weighed_in_their_context_and_not_in_each_other(
    pretrained: Pretrained, texts: list[str]
) -> None:
    scorer = open_scorer(pretrained)
    context = scorer.opening + scorer.encode(["The red fox"])[0]
    answers = tuple(scorer.encode([" wandered over", " w", "", " unbelievably happily."]))
    assert len({len(answer) for answer in answers}) == 4
    prompts = [Prompt(context, answers), Prompt(scorer.opening, answers[:1]), Prompt(context[:3], answers[::-1])]
    together = scorer.score(prompts)
    for prompt, found in zip(prompts, together, strict=True):
        wanted = [directly(pretrained, prompt.context, answer) for answer in prompt.answers]
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_a_causal_likelihood_is_the_sum_over_its_parts(decoder: Pretrained) -> None:
    scorer = open_scorer(decoder)
    first, second = scorer.encode(["The red fox", " wandered"])
    whole, begun, rest = scorer.score(
        [
            Prompt(scorer.opening, ((*first, *second),)),
            Prompt(scorer.opening, (first,)),
            Prompt((*scorer.opening, *first), (second,)),
        ]
    )
    assert whole[0] == pytest.approx(begun[0] + rest[0], rel=1e-6)


def test_the_probabilities_of_all_next_tokens_sum_to_one(decoder: Pretrained) -> None:
    scorer = open_scorer(decoder)
    every = tuple((token,) for token in range(decoder.tokenizer.vocab_size))
    assert np.exp(scorer.score([Prompt(scorer.opening, every)])[0]).sum() == pytest.approx(1, abs=1e-5)


def test_a_text_too_long_to_read_is_told_and_not_cut(pretrained: Pretrained) -> None:
    scorer = open_scorer(pretrained)
    long = "h e n " * 40
    assert "the model reads 64" in scorer.problem(long)
    assert scorer.problem("fox") == ""
    with pytest.raises(SelftaughtError, match="the model reads 64"):
        scorer.texts(["fox", long])


def test_what_just_fits_is_read(pretrained: Pretrained) -> None:
    scorer = open_scorer(pretrained)
    frame = scorer.length(Prompt(scorer.opening, ((),)))
    token = scorer.encode(["q"])[0][0]
    scorer.score([Prompt(scorer.opening, ((token,) * (64 - frame),))])
    with pytest.raises(SelftaughtError):
        scorer.score([Prompt(scorer.opening, ((token,) * (65 - frame),))])


def test_nothing_to_score_is_no_mistake(pretrained: Pretrained) -> None:
    scorer = open_scorer(pretrained)
    assert scorer.texts([]).tolist() == []
    assert scorer.texts([""]).tolist() == [0.0]


def test_a_model_without_a_language_modelling_head_is_refused(
    tmp_path: Path, small_network: NewBackbone, tokenizer: TextTokenizer
) -> None:
    pretrained = saved(tmp_path, small_network(tokenizer), nn.Module(), tokenizer)
    with pytest.raises(SelftaughtError, match="no language modelling head"):
        open_scorer(pretrained)


def without(pretrained: Pretrained, *roles: str) -> Pretrained:
    tokenizer = pretrained.tokenizer
    specials = {role: token for role, token in tokenizer.specials.items() if role not in roles}
    return replace(pretrained, tokenizer=TextTokenizer(tokenizer.backend, specials))


def test_where_no_token_opens_a_document_the_one_that_closes_the_last_does(decoder: Pretrained) -> None:
    scorer: Scorer = open_scorer(without(decoder, "bos_token"))
    assert scorer.opening == (decoder.tokenizer.end_id,)
    with pytest.raises(SelftaughtError, match="no token that opens or closes"):
        open_scorer(without(decoder, "bos_token", "eos_token"))


def test_a_decoder_that_only_fills_in_is_asked_about_hidden_tokens(
    decoder: Pretrained, bytelevel: TextTokenizer, texts: list[str]
) -> None:
    """Its answer stands one place before the mask, where it has seen both sides."""
    recipe = compose({"objective.name": "mlm", "objective.options": {"shifted": True}})
    scorer = open_scorer(replace(decoder, recipe=recipe))
    assert scorer.measure == "pseudo-log-likelihood"
    text, mask, head = texts[0], bytelevel.id_of("mask_token"), CausalLMHead.of(decoder.backbone)
    assert mask is not None
    whole = torch.tensor([[bytelevel.start_id, *bytelevel.encode([text])[0], bytelevel.end_id]])
    total = 0.0
    for place in range(1, whole.shape[1] - 1):
        hidden = whole.clone()
        hidden[0, place] = mask
        with torch.no_grad():
            states = decoder.backbone({"input_ids": hidden, "causal": torch.tensor([False])})
            total += float(head(states[0, place - 1]).log_softmax(-1)[whole[0, place]])
    assert scorer.texts([text])[0] == pytest.approx(total, rel=1e-5)


def test_a_masked_model_needs_a_mask(encoder: Pretrained) -> None:
    with pytest.raises(SelftaughtError, match="no mask token"):
        open_scorer(without(encoder, "mask_token"))
