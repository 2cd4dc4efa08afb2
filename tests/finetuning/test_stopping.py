"""The best weights of a run, which wait in a file of their own until its model is written."""

from pathlib import Path

import pytest
import torch

from selftaught.errors import SelftaughtError
from selftaught.finetuning.stopping import _keep, _kept


def test_the_best_weights_come_back_and_damage_is_named(tmp_path: Path) -> None:
    file = tmp_path / "best.safetensors"
    weights = {"a": torch.randn(3, 2), "count": torch.tensor(7), "half": torch.ones(4, dtype=torch.bfloat16)}
    _keep(weights, file)
    found = _kept(file)
    assert all(torch.equal(found[name], weight) for name, weight in weights.items())
    whole = file.read_bytes()
    for place in (9, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SelftaughtError, match=r"best\.safetensors"):
            _kept(file)
    file.write_bytes(whole[:-1])
    with pytest.raises(SelftaughtError, match="gone or damaged"):
        _kept(file)
    file.unlink()
    with pytest.raises(SelftaughtError, match="gone or damaged"):
        _kept(file)
