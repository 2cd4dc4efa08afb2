"""A text's vector, by hand, and its description in sentence-transformers' files."""

import json
from pathlib import Path

import pytest
import torch

from selftaught.backbones.pooling import POOL, read_pooling, save_pooling
from selftaught.errors import SelftaughtError

HIDDEN = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [50.0, 60.0]], [[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


@pytest.mark.parametrize(
    ("pooling", "vectors"),
    [("mean", [[2.0, 3.0], [2.0, 2.0]]), ("cls", [[1.0, 2.0], [1.0, 1.0]]), ("lasttoken", [[3.0, 4.0], [3.0, 2.0]])],
)
def test_padding_does_not_count(pooling: str, vectors: list[list[float]]) -> None:
    assert POOL[pooling](HIDDEN, MASK).tolist() == vectors  # type: ignore[index]


@pytest.mark.parametrize("pooling", POOL)
def test_what_is_saved_is_read(pooling: str, tmp_path: Path) -> None:
    assert read_pooling(tmp_path) is None
    save_pooling(tmp_path, pooling, width=8, longest=16)  # type: ignore[arg-type]
    assert read_pooling(tmp_path) == pooling


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"pooling_mode": "mean", "embedding_dimension": 8}, "mean"),
        ({"pooling_mode": ["cls"]}, "cls"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
    ],
)
def test_every_version_of_the_files_is_read(config: dict[str, object], found: str, tmp_path: Path) -> None:
    save_pooling(tmp_path, "lasttoken", width=8, longest=16)
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert read_pooling(tmp_path) == found


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("1_Pooling/config.json", '{"pooling_mode": ["cls", "mean"]}', "cls, mean"),
        ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true}', "pooling_mode_max_tokens"),
        ("1_Pooling/config.json", "{", "cannot be read"),
        ("modules.json", '[{"type": "a.Pooling", "path": "1_Pooling"}, {"type": "a.Dense", "path": "2"}]', "Dense"),
        ("modules.json", "[]", "cannot be read"),
        ("modules.json", '{"a": 1}', "cannot be read"),
    ],
)
def test_another_way_is_refused_by_name(file: str, content: str, said: str, tmp_path: Path) -> None:
    save_pooling(tmp_path, "mean", width=8, longest=16)
    (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(SelftaughtError, match=said) as caught:
        read_pooling(tmp_path)
    assert "modules.json" in caught.value.where
