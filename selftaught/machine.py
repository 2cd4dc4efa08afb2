"""What the machine can do: the device, the precision that pays on it, and its memory."""

import os
from typing import Literal

import torch

from selftaught.errors import SelftaughtError

Precision = Literal["fp32", "bf16"]


def pick_device(asked: str | None) -> torch.device:
    """The device asked for, else the GPU, else the processor.

    Raises:
        SelftaughtError: if the one asked for is not there.
    """
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SelftaughtError(
            f"there is no device {asked!r} here: {str(error).splitlines()[0]}",
            do="leave --device out, or use cpu",
        ) from error
    return device


def pick_precision(device: torch.device) -> Precision:
    """bfloat16 where it makes matrix products faster, float32 elsewhere.

    On processors with AMX or avx512_bf16 bfloat16 is several times faster, on others several times slower. What the
    processor can do is asked, not measured: a measurement beside a busy process comes out otherwise, and the same
    command would then train other weights.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("amx_bf16") or able.get("avx512_bf16") else "fp32"


def memory_bytes(device: torch.device | None = None) -> int:
    """The memory of a GPU, or the machine's main memory."""
    if device is not None and device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
