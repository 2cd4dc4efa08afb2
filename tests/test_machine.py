"""What the machine can do."""

import pytest
import torch

from selftaught.errors import SelftaughtError
from selftaught.machine import memory_bytes, pick_device, pick_precision


@pytest.mark.parametrize(
    ("able", "precision"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bf16"),
        ({"amx_bf16": False, "avx512_bf16": True}, "bf16"),
        ({"amx_bf16": False, "avx512_bf16": False, "avx512_f": True}, "fp32"),
        ({"sve": True}, "fp32"),
    ],
)
def test_bfloat16_where_the_processor_has_it(
    able: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert pick_precision(torch.device("cpu")) == precision


def test_the_device_that_was_asked_for() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device(None).type in ("cpu", "cuda")


@pytest.mark.parametrize("asked", ["abacus", "cuda:99", "meta:x", ""])
def test_a_device_that_is_not_there(asked: str) -> None:
    with pytest.raises(SelftaughtError, match="no device") as caught:
        pick_device(asked)
    assert "cpu" in caught.value.do


def test_the_memory_is_that_of_a_machine() -> None:
    assert 2**28 < memory_bytes() < 2**50
