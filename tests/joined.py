"""Several processes in a test: forked, so that they have what the test has, and start at once."""

import os
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

MINUTE = timedelta(seconds=60)


def in_processes(work: Callable[[], Any], count: int = 2) -> list[Any]:
    """What ``work`` returns in each of so many processes of one group, in their order: tensors and plain data."""
    folder = Path(tempfile.mkdtemp())
    children = [child for rank in range(count) if (child := _forked(work, rank, count, folder))]
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert not any(ended), "\n".join(file.read_text(encoding="utf-8") for file in folder.glob("*.error"))
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(count)]


def _forked(work: Callable[[], Any], rank: int, count: int, folder: Path) -> int:
    if child := os.fork():
        return child
    code = 1
    try:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=count, timeout=MINUTE)
        torch.save(work(), folder / f"{rank}.pt")
        dist.destroy_process_group()
        code = 0
    except BaseException:  # noqa: BLE001 a child must not go on with the parent's tests
        (folder / f"{rank}.error").write_text(traceback.format_exc(), encoding="utf-8")
    os._exit(code)
