"""What the layers say inside is what transformers computes with."""

from typing import Any

import pytest
import torch
from transformers import (
    AlbertConfig,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    ModernBertConfig,
    RobertaConfig,
)

from selftaught.backbones.hf import backbone_from_config
from selftaught.backbones.insides import insides, shows_attention
from selftaught.objective import Batch

V = 97
SHAPE: dict[str, Any] = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 40,
}
WITHOUT_ROTARY = [
    BertConfig(**SHAPE),
    RobertaConfig(**SHAPE, pad_token_id=1),
    AlbertConfig(**SHAPE, embedding_size=16),
    ElectraConfig(**SHAPE, embedding_size=16),
    DistilBertConfig(vocab_size=V, dim=32, hidden_dim=48, n_layers=2, n_heads=4, max_position_embeddings=40),
    GPT2Config(vocab_size=V, n_embd=32, n_layer=2, n_head=4, n_positions=40),
]
ROTARY = [ModernBertConfig(**SHAPE, local_attention=8, pad_token_id=0), LlamaConfig(**SHAPE, num_key_value_heads=2)]


def name(config: Any) -> str:
    return config.model_type


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    return {"input_ids": torch.randint(5, V, (2, 16))}


@pytest.mark.parametrize("config", WITHOUT_ROTARY, ids=name)
def test_queries_and_keys_make_the_attention_that_transformers_gives(config: Any, batch: Batch) -> None:
    backbone = backbone_from_config(config).eval()
    found = insides(backbone, batch)
    backbone.encoder.set_attn_implementation("eager")
    theirs = backbone.encoder(**batch, output_attentions=True).attentions
    assert len(found.attending) == len(theirs) == 2
    for (queries, keys, values), attention in zip(found.attending, theirs, strict=True):
        assert values.shape == (2, 16, 32)
        parts = [x.unflatten(-1, (4, 8)).transpose(1, 2) for x in (queries, keys)]
        scores = parts[0] @ parts[1].mT / 8**0.5
        if config.model_type == "gpt2":
            scores = scores.masked_fill(~torch.ones(16, 16, dtype=torch.bool).tril(), -1e9)
        assert torch.allclose(scores.softmax(-1), attention, atol=1e-6)


@pytest.mark.parametrize("config", [*WITHOUT_ROTARY, *ROTARY], ids=name)
def test_states_are_those_of_the_plain_pass_and_nothing_stays_behind(config: Any, batch: Batch) -> None:
    backbone = backbone_from_config(config).eval()
    plain = backbone.layer_states(batch)
    hooks = sum(len(module._forward_hooks) for module in backbone.modules())  # transformers leaves some of its own
    found = insides(backbone, batch)
    assert all(torch.equal(own, other) for own, other in zip(found.states, plain, strict=True))
    assert [tuple(state.shape) for state in found.states] == [(2, 16, 32)] * 3
    assert shows_attention(backbone)
    assert sum(len(module._forward_hooks) for module in backbone.modules()) == hooks


def test_shared_keys_and_values_are_narrower(batch: Batch) -> None:
    found = insides(backbone_from_config(ROTARY[1]).eval(), batch)
    assert [tuple(x.shape) for x in found.attending[0]] == [(2, 16, 32), (2, 16, 16), (2, 16, 16)]


def test_an_architecture_that_mixes_them_is_known_not_to_show_them(batch: Batch) -> None:
    backbone = backbone_from_config(GPTNeoXConfig(**SHAPE)).eval()
    assert not shows_attention(backbone)
    assert insides(backbone, batch).attending == []
