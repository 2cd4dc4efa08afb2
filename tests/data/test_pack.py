"""Rows cut from documents: none lost, none repeated, and no document sees another."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AlbertConfig, BertConfig, DistilBertConfig, ModernBertConfig, RobertaConfig

from selftaught.backbones.hf import backbone_from_config
from selftaught.data.pack import PackedRows
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.errors import SelftaughtError

NewStore = Callable[[list[int]], TokenStore]


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> NewStore:
    """Documents of given lengths; the token at position p of the corpus is p."""

    def new(lengths: list[int]) -> TokenStore:
        folder = tmp_path_factory.mktemp("store") / "tokens"
        writer = StoreWriter(folder, source="", tokenizer="", vocab_size=1 << 17)
        start = 0
        for length in lengths:
            writer.begin_document()
            writer.add(range(start, start + length))
            start += length
        writer.close()
        return TokenStore(folder)

    return new


def every_row(rows: PackedRows, epoch: int) -> dict[str, np.ndarray]:
    batch = rows.take(np.arange(len(rows)), np.full(len(rows), epoch))
    return {name: tensor.numpy() for name, tensor in batch.items()}


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    length=st.integers(2, 16),
    seed=st.none() | st.integers(0, 9),
    epoch=st.integers(0, 5),
)
def test_no_token_is_lost_or_repeated_within_an_epoch(
    new_store: NewStore, lengths: list[int], length: int, seed: int | None, epoch: int
) -> None:
    """But for the slack at both ends: less than one row where the cuts are fixed, less than two where they move."""
    store = new_store([*lengths, 2 * length])
    rows = PackedRows(store, length, seed)
    shown = every_row(rows, epoch)["input_ids"].flatten()
    assert shown.tolist() == list(range(shown[0], shown[0] + len(shown)))
    assert len(store) - len(shown) < length * (1 if seed is None else 2)
    assert shown[0] == 0 or seed is not None


def test_the_cuts_fall_elsewhere_in_each_epoch(new_store: NewStore) -> None:
    store = new_store([500])
    moving, fixed = PackedRows(store, 32, seed=1), PackedRows(store, 32, seed=None)
    assert len({int(every_row(moving, epoch)["input_ids"][0, 0]) for epoch in range(8)}) > 3
    assert {int(every_row(fixed, epoch)["input_ids"][0, 0]) for epoch in range(8)} == {0}
    covered = {token for epoch in range(300) for token in every_row(moving, epoch)["input_ids"].flatten().tolist()}
    assert covered == set(range(500))


def test_segments_number_the_documents_of_a_row(new_store: NewStore) -> None:
    rows = PackedRows(new_store([3, 7, 2, 4]), 8, seed=None)
    assert every_row(rows, 0)["segments"].tolist() == [[0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2, 2, 2]]


def test_too_little_text_is_said(new_store: NewStore) -> None:
    with pytest.raises(SelftaughtError, match="5 tokens do not fill one row of 8"):
        PackedRows(new_store([5]), 8, seed=0)


SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 48}
CONFIGS = [
    ModernBertConfig(vocab_size=90, local_attention=8, pad_token_id=0, **SHAPE),
    BertConfig(vocab_size=90, **SHAPE),
    RobertaConfig(vocab_size=90, pad_token_id=0, **SHAPE),
    AlbertConfig(vocab_size=90, embedding_size=16, **SHAPE),
    DistilBertConfig(vocab_size=90, dim=32, n_layers=2, n_heads=2, hidden_dim=48),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_packed_documents_do_not_see_each_other(config: object) -> None:
    torch.manual_seed(0)
    backbone = backbone_from_config(config).eval()
    ids = torch.randint(5, 90, (2, 24))
    segments = (torch.arange(24) >= torch.tensor([[10], [3]])).long()  # [2, 24]
    other = torch.where(segments == 1, (ids - 5 + 7) % 85 + 5, ids)  # another second document
    with torch.no_grad():
        one = backbone({"input_ids": ids, "segments": segments})
        two = backbone({"input_ids": other, "segments": segments})
    first = segments == 0
    assert (one - two)[first].abs().max() == 0
    assert (one - two)[~first].abs().amax(-1).min() > 1e-3


@pytest.mark.parametrize("config", CONFIGS[:1], ids=lambda config: config.model_type)
def test_a_packed_document_is_encoded_as_if_it_stood_alone(config: object) -> None:
    """With rotary positions, where it stands in the row makes no difference."""
    torch.manual_seed(0)
    backbone = backbone_from_config(config).eval()
    ids = torch.randint(5, 90, (1, 24))
    segments = (torch.arange(24) >= 10).long()[None]
    with torch.no_grad():
        packed = backbone({"input_ids": ids, "segments": segments})
        alone = backbone({"input_ids": ids[:, 10:]})
    assert torch.allclose(packed[:, 10:], alone, atol=1e-5)
