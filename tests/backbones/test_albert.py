"""ALBERT: what sharing saves, counted by hand, and that it is an encoder like the others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM

from selftaught.backbones.hf import TextBackbone, new_backbone
from selftaught.backbones.presets import ALBERT_SIZES, EVERY_SIZE, SIZES, AlbertSize
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.plan import WORTHWHILE_TOKENS
from selftaught.text.features import POOLS, text_features
from selftaught.verbs.pretrain import pretrain

TINY = AlbertSize(layers=3, width=32, head_width=16, inner=64, embedding=16)


def albert(size: AlbertSize, vocab_size: int = 120, longest_row: int = 64) -> TextBackbone:
    return new_backbone(size, vocab_size, pad_id=0, cls_id=2, sep_id=3, longest_row=longest_row)


def parameters(backbone: TextBackbone) -> int:
    return sum(p.numel() for p in backbone.parameters())


def by_hand(size: AlbertSize, vocab_size: int, longest_row: int) -> int:
    """Embeddings of tokens, positions and two segments with their norm; what widens them; one layer."""
    embeddings = (vocab_size + longest_row + 2 + 2) * size.embedding
    widening = (size.embedding + 1) * size.width
    attention = 4 * (size.width + 1) * size.width + 2 * size.width
    feed_forward = (size.width + 1) * size.inner + (size.inner + 1) * size.width + 2 * size.width
    return embeddings + widening + attention + feed_forward


@pytest.mark.parametrize("name", ["albert-tiny", "albert-small"])
def test_the_parameters_are_those_of_one_layer(name: str) -> None:
    size = ALBERT_SIZES[name]
    assert parameters(albert(size, 8_192, 512)) == by_hand(size, 8_192, 512)
    assert parameters(albert(replace(size, layers=9), 8_192, 512)) == by_hand(size, 8_192, 512)


def test_albert_base_has_the_published_number_of_parameters() -> None:
    """ALBERT-base with 30,000 tokens has 11,683,584 parameters, of which 768 x 769 are its pooler's."""
    with torch.device("meta"):
        assert parameters(albert(ALBERT_SIZES["albert-base"], 30_000, 512)) == 11_683_584 - 768 * 769


def test_it_is_chosen_by_the_user_alone() -> None:
    assert not WORTHWHILE_TOKENS.keys() & ALBERT_SIZES.keys()
    assert EVERY_SIZE.keys() == SIZES.keys() | ALBERT_SIZES.keys()


def test_its_features_are_those_of_an_encoder(tokenizer: TextTokenizer, texts: list[str]) -> None:
    assert text_features(albert(TINY), tokenizer, texts[:4]).shape == (4, POOLS * 32)


def small(folder: Path, size: str, objective: str) -> dict[str, Any]:
    settings = ["train.length=32", "train.precision=fp32"]
    return pretrain(
        str(folder / "text.txt"), objective=objective, out=folder / "run", steps=3, batch=4, size=size, set_=settings
    )


def test_a_run_of_it_loads_in_transformers(tmp_path: Path, texts: list[str]) -> None:
    (tmp_path / "text.txt").write_text("\n".join(texts * 8), encoding="utf-8")
    report = small(tmp_path, "albert-tiny", "mlm+sop")
    model, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "run" / "model", output_loading_info=True)
    assert model.config.model_type == "albert"
    assert not info["missing_keys"]
    assert report["size"] == "albert-tiny"


def test_it_is_no_decoder(tmp_path: Path, texts: list[str]) -> None:
    (tmp_path / "text.txt").write_text("\n".join(texts), encoding="utf-8")
    with pytest.raises(SelftaughtError, match="albert-tiny is no decoder"):
        small(tmp_path, "albert-tiny", "causal_lm")
    with pytest.raises(SelftaughtError, match="no size 'albert'"):
        small(tmp_path, "albert", "mlm")
