"""What the machine can do: the device, the precision that pays on it, and its memory."""

import ctypes
import os
from pathlib import Path
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


class Peak:
    """The most memory that is held from now on: of a GPU what torch took, else of the process, where Linux says it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:
            ctypes.CDLL(None).malloc_trim(0)  # what was freed would else be used again, and not be seen
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the most that was held before
        except (OSError, AttributeError):
            pass
        self._held = _resident("VmRSS")

    def beside(self, there: int) -> int | None:
        """How much more it was than there was at the beginning, and of that ``there``; None if nobody says."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        most = _resident("VmHWM")
        return None if most is None or self._held is None else most - self._held + there


def _resident(what: str) -> int | None:
    """Bytes that this process holds (``VmRSS``), or the most that it held (``VmHWM``)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{what}:")), None)
