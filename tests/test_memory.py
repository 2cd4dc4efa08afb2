"""When memory runs out: what is recognised as that, and what is proposed."""

import errno

import numpy as np
import pytest
import torch

from selftaught.memory import OutOfMemory, is_out_of_memory, memory_for
from selftaught.objectives.mlm import MLM
from selftaught.objectives.simclr import SimCLR


def allocate(what: str) -> None:
    """More than any machine has."""
    if what == "torch":
        torch.empty(1 << 60, dtype=torch.uint8)
    elif what == "numpy":
        np.empty(1 << 60, np.uint8)
    elif what == "system":
        raise OSError(errno.ENOMEM, "Cannot allocate memory")
    else:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("what", ["torch", "numpy", "system", "gpu"])
def test_whoever_runs_out_of_memory_is_understood(what: str) -> None:
    with pytest.raises(OutOfMemory, match="step 7 needed more memory"), memory_for(7, MLM(), 16, 1, None):
        allocate(what)


def test_other_mistakes_stay_what_they_are() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(OSError, match="No space"), memory_for(1, MLM(), 16, 1, None):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("samples", "parts", "threads", "proposed"),
    [
        (16, 1, None, "--batch 8 --set train.accumulate=2"),
        (48, 3, None, "--batch 8 --set train.accumulate=6"),
        (15, 1, None, "--batch 5 --set train.accumulate=3"),
        (16, 2, 2, "--batch 8 --set train.accumulate=2"),  # two threads share one batch of sixteen
        (12, 4, 2, "--batch 2 --set train.accumulate=6"),  # of six no half can be shared by two
        (1, 1, None, "smaller --size"),
        (2, 2, 2, "smaller --size"),
    ],
)
def test_the_same_step_in_smaller_batches_is_proposed(
    samples: int, parts: int, threads: int | None, proposed: str
) -> None:
    with pytest.raises(OutOfMemory) as caught, memory_for(3, MLM(), samples, parts, threads):
        raise MemoryError
    assert proposed in caught.value.do


def test_what_compares_the_samples_of_a_batch_is_not_to_be_accumulated() -> None:
    with pytest.raises(OutOfMemory) as caught, memory_for(3, SimCLR(), 64, 1, None):
        raise MemoryError
    assert "--batch 32" in caught.value.do
    assert "another --out" in caught.value.do
    assert "accumulate" not in caught.value.do
