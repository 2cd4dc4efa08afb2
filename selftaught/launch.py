"""One of several processes that torchrun has started: joins the others, and ends with them.

One of them leads: it speaks, holds the lock, prepares and writes. The others are silent. What goes wrong anywhere is
said once, and ends all of them. A process whose torchrun is gone ends as well.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

from selftaught.errors import SelftaughtError

_LONGEST_WAIT = timedelta(days=1)  # until the leader has read all data
_WATCHED_SECONDS = 0.5
_FIRST_WORD_SECONDS = 2.0  # that whoever has a reason is given to say it
_LOST = ("connection", "gloo", "nccl", "socket", "broken pipe", "peer")


def several() -> bool:
    """Whether torchrun, or another launcher that speaks its language, has started this as one of several processes."""
    return {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys() and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def joined() -> Iterator[None]:
    """Within this, the process is one of all that were started; see :mod:`selftaught.ranks`.

    Raises:
        SystemExit: if anything goes wrong, which by then has been said by one of them.
    """
    import torch
    import torch.distributed as dist

    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    gpus = torch.cuda.device_count()
    if local < gpus:
        torch.cuda.set_device(local)
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=_LONGEST_WAIT)
    if dist.get_rank() > 0:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 to the end of the process
    try:
        if 0 < gpus <= local:
            raise SelftaughtError(
                f"there are {gpus} GPUs here and more ranks", do=f"start torchrun with --nproc-per-node {gpus}"
            )
        yield
        _leave(0)
    except SelftaughtError as error:
        _end(1, f"selftaught: {error}")
    except KeyboardInterrupt:
        _end(130, "selftaught: interrupted")
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else int(end.code is not None))
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in _LOST):
            _end(1, traceback.format_exc())
        time.sleep(_FIRST_WORD_SECONDS)
        _end(1, f"selftaught: {_GONE}")
    except Exception:  # noqa: BLE001 whichever rank meets a bug, it is shown once
        _end(1, traceback.format_exc())


_GONE = (
    "another rank has ended without a word\n"
    "  do:    see whether its machine ran out of memory or it was killed; the same command resumes"
)


def _end(code: int, words: str) -> NoReturn:
    """Say it, unless another has spoken."""
    if _first_to_speak():
        print(words, file=sys.__stderr__, flush=True)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Without waiting for threads that wait for others who are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _first_to_speak() -> bool:
    """Among all processes, by the store that outlives each of them."""
    from torch.distributed.distributed_c10d import _get_default_store

    try:
        return int(_get_default_store().add("selftaught/spoken", 1)) == 1
    except RuntimeError:  # it went with its process, which had a reason and said it
        return False


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCHED_SECONDS)
    os._exit(1)
