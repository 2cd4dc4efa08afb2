"""What the machine can do: the device, the precision that pays on it, and its memory."""

import os
import time
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

    On processors with AMX or avx512_bf16 bfloat16 is several times faster, on others several times slower;
    measuring takes a few milliseconds and does not need a list of processors.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if _product_seconds(torch.bfloat16) < 0.8 * _product_seconds(torch.float32) else "fp32"


def _product_seconds(dtype: torch.dtype) -> float:
    left, right = torch.ones(1024, 256, dtype=dtype), torch.ones(256, 1024, dtype=dtype)
    times = []
    for _ in range(8):  # the first ones warm up; the least disturbed one counts
        began = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - began)
    return min(times)


def memory_bytes() -> int:
    """The machine's main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
