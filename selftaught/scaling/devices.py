"""What machines can do, as their makers and users published it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

_YEAR = 365 * 24.0


@dataclass(frozen=True)
class Device:
    """One of the processors that share a training.

    Args:
        name: of it.
        flops: that its maker promises a second, dense, in the precision that networks are trained in.
        share: of these that training reaches (its model FLOPs utilisation), what communication hides included.
        memory: bytes.
        number_bytes: of an activation.
        node: how many are in one machine.
        link: bytes a second to its neighbours in the machine, each way.
        network: bytes a second of its own to other machines, each way.
        disk: bytes a second that a machine writes to where checkpoints are kept.
        hours: between failures of one, on average; whatever ends the training counts as a failure.
        source: where the figures were published.
    """

    name: str
    flops: float
    share: float
    memory: float
    number_bytes: int
    node: int
    link: float
    network: float
    disk: float
    hours: float
    source: str


LLAMA_HOURS = 54 * 24 * 16_384 / 419
"""GPU hours a failure: 419 unplanned stops in 54 days of 16,384 H100 (Grattafiori et al. 2024, section 3.3.4)."""

OPT_HOURS = 60 * 24 * 992 / (35 + 70)
"""35 restarts by hand and about 70 by themselves in two months of 992 A100 (Zhang et al. 2022, section 2.5)."""

_SHARE = 0.40  # 38 to 43 % (Grattafiori et al. 2024, table 4)
_DISK = 1e9  # a machine of eight: 2 TB/s for 16,384 GPUs (the same, section 3.3.1)

DEVICES = {
    device.name: device
    for device in (
        Device(
            "H100",
            *(989.4e12, _SHARE, 80e9, 2, 8, 450e9, 50e9, _DISK, LLAMA_HOURS),
            "H100 SXM and DGX H100 data sheets; failures, disk and share of Llama 3",
        ),
        Device(
            "H200",
            *(989.4e12, _SHARE, 141e9, 2, 8, 450e9, 50e9, _DISK, LLAMA_HOURS),
            "H200 SXM data sheet; the rest as of the H100",
        ),
        Device(
            "A100",
            *(312e12, _SHARE, 80e9, 2, 8, 300e9, 25e9, _DISK, OPT_HOURS),
            "A100 SXM 80GB and DGX A100 data sheets; failures of OPT, disk and share of Llama 3",
        ),
    )
}


def this_core(memory: float) -> Device:
    """A core of this machine in float32; its rate is measured now, and its failures are assumed (one a year).

    Args:
        memory: bytes.
    """
    rate, source = core_flops(), "matrix products measured here; share and disk as in docs/lab.md, 29"
    return Device("core", rate, 0.5, memory, 4, 1, 10e9, 0.125e9, 0.1e9, _YEAR, source)


def core_flops(
    width: int = 512, rows: int = 2048, repeats: int = 7, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Floating point operations a second of one core in matrix products, float32, forward and backward."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x, w, y = torch.ones(rows, width), torch.ones(width, width), torch.ones(rows, width)
        times = []
        for _ in range(repeats):
            began = clock()
            x @ w, y @ w.mT, x.mT @ y
            times.append(clock() - began)
    finally:
        torch.set_num_threads(threads)
    return 6 * rows * width * width / median(times)
