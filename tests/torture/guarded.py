"""A command in a process of its own that cannot hurt, with what it took: time, memory, and what it said."""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.cli import main

LONGEST = 60  # seconds, then it hangs
_ROOM = 4 << 30  # bytes of address space that it may take beside what is taken already


@dataclass(frozen=True)
class Told:
    """How a command ended.

    Args:
        code: as the shell sees it; 128 and more for a signal, such as that of the clock.
        seconds: of a processor from its begin to its end, all modules being loaded; a busy machine is nobody's fault.
        grown: the most memory it held beside what was held before, in MB.
    """

    code: int
    seconds: float
    grown: float
    out: str
    err: str


def guarded(*argv: str, where: Path) -> Told:
    """Run ``selftaught ARGV`` in a folder, in a copy of this process."""
    facts, out, err = (where.with_name(f"{where.name}.{kind}") for kind in ("facts", "out", "err"))
    sys.stdout.flush()
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        _run(argv, where, facts, out, err)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    seconds, grown = map(float, facts.read_text().split()) if facts.exists() else (float("inf"), float("inf"))
    facts.unlink(missing_ok=True)
    said = [file.read_text(encoding="utf-8", errors="replace") for file in (out, err)]
    return Told(code if code >= 0 else 128 - code, seconds, grown, *said)


def in_a_copy(make: Callable[[Any], Path], given: Any) -> Path:
    """What ``make`` makes of ``given``, in a copy of this process: what it takes to make it is not held here."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, os.fsencode(make(given)))
        except BaseException:  # noqa: BLE001 the copy must end here, whatever happens
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        path = told.read()
    os.waitpid(child, 0)
    assert path, "it could not be made"
    return Path(os.fsdecode(path))


def _run(argv: tuple[str, ...], where: Path, facts: Path, out: Path, err: Path) -> None:
    """In the copy; it does not return."""
    code = 99
    try:
        os.chdir(where)
        for file, number in ((out, 1), (err, 2)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", errors="replace") for number in (1, 2))
        sys.argv = ["selftaught", *argv]
        taken = _memory("VmSize")
        resource.setrlimit(resource.RLIMIT_AS, (taken + _ROOM, taken + _ROOM))
        signal.alarm(LONGEST)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins here
        before, began = _memory("VmHWM"), time.process_time()
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 99
        seconds = time.process_time() - began
        facts.write_text(f"{seconds} {(_memory('VmHWM') - before) / 1e6}", encoding="ascii")
    except BaseException:  # noqa: BLE001 the copy must end here, whatever happens
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _memory(what: str) -> int:
    """Of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what + ":"))
