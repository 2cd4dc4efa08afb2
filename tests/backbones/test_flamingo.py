"""A language model that is shown pictures: what it sees, what it does not, and what of it is trained."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import transformers

from selftaught.backbones.flamingo import Between, Flamingo
from selftaught.backbones.gated import GatedCrossAttention, Sight
from selftaught.backbones.generation import likeliest
from selftaught.backbones.hf import TextBackbone, backbone_from_config
from selftaught.backbones.perceiver import CrossAttention, PerceiverResampler
from selftaught.backbones.presets import PatchSize
from selftaught.backbones.remembering import Remembering
from selftaught.backbones.vision import new_picture_backbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner
from selftaught.objective import Batch, PictureSpec, Spec
from selftaught.optim import adamw
from selftaught.run.state import learner_tensors
from selftaught.tasks.vqa import Vqa

_SMALL = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 60,
    "max_position_embeddings": 64,
}
CONFIGS = [
    transformers.LlamaConfig(**_SMALL, intermediate_size=48, num_key_value_heads=1),
    transformers.GPT2Config(**_SMALL),
    transformers.OPTConfig(**_SMALL, ffn_dim=48, word_embed_proj_dim=32),
    transformers.GPTNeoXConfig(**_SMALL, intermediate_size=48),
    transformers.Qwen3Config(**_SMALL, intermediate_size=48, num_key_value_heads=2, head_dim=16),
]


def seeing(language: TextBackbone, *, opened: bool = False, **form: int) -> Flamingo:
    """Untrained, with gates as at the start or half open."""
    quarter = torch.full((3,), 0.25)
    pictures = new_picture_backbone(PatchSize(layers=1, width=32, head_width=16), 16)
    network = Flamingo(
        language.eval(), Remembering(pictures, PictureSpec(16, 4, quarter, quarter)), Between(latents=4, **form)
    )
    for gated in network.gated.values() if opened else ():
        torch.nn.init.constant_(gated.attention_gate, 0.5)  # type: ignore[arg-type]
        torch.nn.init.constant_(gated.forth_gate, 0.5)  # type: ignore[arg-type]
    return network.eval()


def decoder(config: Any = CONFIGS[0]) -> TextBackbone:
    torch.manual_seed(0)
    return backbone_from_config(config)


def shown(media: list[list[int]], pictures: int) -> Batch:
    """Rows of random tokens and pictures."""
    drawn = torch.Generator().manual_seed(1)
    seen = torch.tensor(media)
    return {
        "input_ids": torch.randint(5, 60, seen.shape, generator=drawn),
        "attention_mask": torch.ones_like(seen, dtype=torch.bool),
        "media": seen,
        "pixels": torch.randint(0, 256, (len(seen), pictures, 1, 3, 16, 16), dtype=torch.uint8, generator=drawn),
        "frames": torch.ones(len(seen), pictures, dtype=torch.long),
    }


def without_pictures(batch: Batch) -> Batch:
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_with_its_gates_closed_it_is_the_language_model_to_the_bit(config: Any) -> None:
    language = decoder(config)
    batch = shown([[0, 1, 1, 1, 2, 2], [1, 1, 1, 1, 1, 1]], 2)
    network = seeing(language)
    for got, wanted in ((network(batch), language(without_pictures(batch))),):
        assert torch.equal(got, wanted)
        assert torch.equal(network.head(got), network.head(wanted))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_a_token_never_sees_a_later_picture(config: Any) -> None:
    network, batch = seeing(decoder(config), opened=True), shown([[0, 0, 1, 1, 1, 2, 2, 2]], 2)
    before = network(batch)
    for picture, first in ((0, 2), (1, 5)):
        pixels = batch["pixels"].clone()
        pixels[:, picture] = 255 - pixels[:, picture]
        moved = (network({**batch, "pixels": pixels}) - before).abs().amax(2)[0]
        assert torch.equal(moved[:first], torch.zeros(first))
        assert bool((moved[first:] > 1e-4).all())


def test_a_gated_layer_looks_at_the_last_picture_alone() -> None:
    """Later layers may hand on what they were told of earlier ones, as the language model's attention does."""
    torch.manual_seed(0)
    layer = GatedCrossAttention(32, 16)
    torch.nn.init.constant_(layer.attention_gate, 0.5)
    states, latents, media = torch.randn(1, 6, 32), torch.randn(1, 3, 4, 16), torch.tensor([[0, 1, 1, 2, 2, 3]])
    before = layer(states, Sight(latents, media))
    for picture in (1, 2, 3):
        others = latents.clone()
        others[:, picture - 1] += 1
        moved = (layer(states, Sight(others, media)) - before).abs().amax(2)[0] > 0
        assert torch.equal(moved, media[0] == picture)


def test_a_text_without_pictures_is_read_as_the_language_model_reads_it_whatever_was_trained() -> None:
    language = decoder()
    network, batch = seeing(language, opened=True), shown([[0, 0, 0, 0, 1, 1]], 1)
    alone = language(without_pictures(batch))
    assert torch.equal(network(without_pictures(batch)), alone)
    assert torch.equal(network(batch)[:, :4], alone[:, :4])
    assert not torch.equal(network(batch), alone)


def test_what_another_thread_shows_is_not_seen() -> None:
    language = decoder()
    network, batch = seeing(language, opened=True), shown([[1, 1, 1]], 1)
    alone = language(without_pictures(batch))
    with network.seeing(batch), ThreadPoolExecutor(1) as other:
        told = other.submit(lambda: language(without_pictures(batch)).detach()).result()
    assert torch.equal(told, alone)


def test_gated_layers_stand_before_every_so_many_layers() -> None:
    assert [*seeing(decoder(), every=2).gated] == ["0"]
    assert [*seeing(decoder()).gated] == ["0", "1"]


def test_an_encoder_cannot_be_shown_pictures(
    tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> None:
    with pytest.raises(SelftaughtError, match="reads from both sides"):
        seeing(small_network(tokenizer))


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("config", CONFIGS[:2], ids=lambda config: config.model_type)
def test_writing_with_a_cache_is_writing_by_full_passes(config: Any, beams: int) -> None:
    network = seeing(decoder(config), opened=True)
    batch = shown([[0, 1, 1, 2, 2], [1, 1, 1, 1, 1]], 2)
    with network.seeing(batch):
        written = likeliest(network, network.head, batch, tokens=6, beams=beams, end=2)
    for row, ids in enumerate(written):
        one = {name: tensor[row : row + 1] for name, tensor in batch.items()}
        with torch.no_grad():
            assert ids == _by_full_passes(network, one, beams)


def _by_full_passes(network: Flamingo, batch: Batch, beams: int) -> list[int]:
    """Beam search over six tokens, each asked with all that comes before it."""
    following = [(0.0, list[int]())]
    for _ in range(6):
        grown = []
        for score, ids in following:
            told = torch.cat([batch["input_ids"], torch.tensor([ids], dtype=torch.long)], 1)
            media = torch.cat([batch["media"], batch["media"][:, -1:].expand(-1, len(ids))], 1)
            asked = {**batch, "input_ids": told, "media": media, "attention_mask": torch.ones_like(told).bool()}
            likelihoods = network.head(network(asked))[0, -1].log_softmax(0)
            likelihoods[2] = -torch.inf  # the end, which no test here reaches
            grown += [(score + float(likelihoods[i]), [*ids, int(i)]) for i in likelihoods.topk(beams).indices]
        following = sorted(grown, reverse=True)[:beams]
    return following[0][1]


def test_rows_with_padding_are_continued_as_they_are_alone() -> None:
    network, batch = seeing(decoder(), opened=True), shown([[1, 1, 1, 1, 1]], 1)
    padded = {**batch, "input_ids": torch.nn.functional.pad(batch["input_ids"], (3, 0))}
    padded |= {name: torch.nn.functional.pad(batch[name], (3, 0)) for name in ("attention_mask", "media")}
    told = []
    for one in (batch, padded):
        with network.seeing(one):
            told.append(likeliest(network, network.head, one, tokens=4, beams=1, end=2))
    assert told[0] == told[1]


def test_training_wakes_neither_tower_and_changes_and_saves_what_is_between_alone(
    tokenizer: TextTokenizer, small_flamingo: Callable[[TextTokenizer], TextBackbone]
) -> None:
    network = small_flamingo(tokenizer)
    assert isinstance(network, Flamingo)
    learner = Learner({"text": network}, Vqa(5), Spec())
    learner.train()
    assert network.resampler.training
    assert not any(module.training for tower in (network.encoder, network.pictures) for module in tower.modules())
    for tower in (network.encoder, network.head, network.pictures):
        assert not any(parameter.requires_grad for parameter in tower.parameters())
    between = {"backbones.text." + name for name in network.between()}
    assert set(learner_tensors(learner)) == between
    trained = [p for group in adamw(learner, 1e-3).param_groups for p in group["params"]]
    assert {id(p) for p in trained} == {id(p) for p in network.between().values()}


def test_what_was_trained_is_taken_by_another_with_the_same_towers() -> None:
    language = decoder()
    one, other, batch = seeing(language, opened=True), seeing(language), shown([[1, 1, 1]], 1)
    other.pictures = one.pictures
    other.restore(one.between())
    assert torch.equal(one(batch), other(batch))
    with pytest.raises(SelftaughtError, match="do not fit"):
        seeing(language, layers=1).restore(one.between())
    twin = one.untrained_twin().eval()
    assert torch.equal(twin(batch), language(without_pictures(batch)))


def test_a_frozen_network_reads_a_picture_once_and_to_the_same_bits_beside_others() -> None:
    torch.manual_seed(0)
    half = torch.full((3,), 0.5)
    network = Remembering(
        new_picture_backbone(PatchSize(layers=1, width=32, head_width=16), 16), PictureSpec(16, 4, half, half)
    )
    pixels = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    passes: list[int] = []
    network.backbone.register_forward_hook(lambda *given: passes.append(1))
    together = network(pixels[[0, 1, 0, 2]])
    assert len(passes) == 3
    assert torch.equal(network(pixels[2:]), together[3:])
    assert len(passes) == 3
    fresh = Remembering(network.backbone, network.spec)
    assert torch.equal(fresh(pixels[1:2]), together[1:2])
    assert not network.state_dict()


def test_frames_that_are_not_there_are_not_looked_at() -> None:
    torch.manual_seed(0)
    resampler = PerceiverResampler(32, latents=3, layers=2, frames=4)
    states = torch.randn(2, 4, 5, 32)
    both = resampler(states, torch.tensor([2, 4]))
    assert torch.allclose(both[:1], resampler(states[:1, :2], torch.tensor([2])), atol=1e-6)
    assert torch.allclose(both[1:], resampler(states[1:], torch.tensor([4])), atol=1e-6)
    assert both.shape == (2, 3, 32)


def test_the_order_of_frames_is_told_by_their_times_which_are_stretched_over_longer_clips() -> None:
    torch.manual_seed(0)
    resampler, count = PerceiverResampler(32, latents=3, layers=1, frames=3), torch.tensor([3])
    states = torch.randn(1, 3, 5, 32)
    assert torch.allclose(resampler(states, count), resampler(states.flip(1), count), atol=1e-5)
    torch.nn.init.normal_(resampler.times)
    assert not torch.allclose(resampler(states, count), resampler(states.flip(1), count), atol=1e-3)
    stretched = resampler._times(5)
    assert torch.allclose(stretched[[0, 2, 4]], resampler.times)
    assert torch.allclose(stretched[1], resampler.times[:2].mean(0))


def test_how_much_each_frame_is_looked_at_is_what_the_latents_are_made_of() -> None:
    torch.manual_seed(0)
    attention = CrossAttention(16, 16, 16, 2)
    looking, seen, mask = torch.randn(2, 3, 16), torch.randn(2, 5, 16), torch.rand(2, 1, 1, 5) > 0.2
    value = attention.key_value(seen).chunk(2, -1)[1].unflatten(-1, (2, -1)).transpose(1, 2)
    made = (attention.weights(looking, seen, mask) @ value).transpose(1, 2).flatten(2)
    assert torch.allclose(attention.out(made), attention(looking, seen, mask), atol=1e-6)

    resampler, states = PerceiverResampler(32, latents=3, layers=2, frames=4), torch.randn(2, 4, 5, 32)
    shares = resampler.shares(states, torch.tensor([2, 4]))
    assert torch.allclose(shares.sum(1), torch.ones(2))
    assert (shares[0, 2:] == 0).all()
    even = resampler.shares(states[:, :1].expand(-1, 4, -1, -1), torch.tensor([4, 4]))
    assert torch.allclose(even, torch.full((2, 4), 0.25), atol=1e-6)  # four times the same frame
