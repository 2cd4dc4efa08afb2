"""Starts the program to be killed: each time a process of its own, forked from one that has it imported already.

Importing takes five seconds and is the same each time. Only what happens after it differs from a start by the shell.
"""

import hashlib
import multiprocessing
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(
    [
        "selftaught.cli",
        "selftaught.verbs.pretrain",
        "selftaught.run.curve",
        "sklearn.linear_model",
        "matplotlib.pyplot",
        "transformers.models.bert.modeling_bert",
        "transformers.models.llama.modeling_llama",
        "transformers.models.vit.modeling_vit",
        "tests.torture.running",
    ]
)
_LONGEST = 300  # seconds that a run may take, beside others too


@dataclass(frozen=True)
class Started:
    """A process of the program.

    Args:
        process: it.
        log: the file with what it says.
    """

    process: Any
    log: Path

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def wait(self, seconds: float = _LONGEST) -> int:
        """Its exit code, by a signal -number; what still runs then is ended, and the test with it."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.kill()
            raise AssertionError(f"still running after {seconds} s: {self.said()}")
        return self.process.exitcode

    def until(self, what: Callable[[], bool]) -> bool:
        """Whether it came about before the process ended."""
        while self.process.exitcode is None:
            if what():
                return True
            time.sleep(0.0002)
        return False

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Program:
    """The same run, as often as wanted.

    Args:
        arguments: of the command line, without ``--out``.
        threads: of torch.
        largest_file: bytes that the system lets it write into one file; None for no limit.
    """

    arguments: Sequence[str]
    threads: int = 1
    largest_file: int | None = None

    def start(self, out: Path, *more: str) -> Started:
        log = out.with_name(out.name + ".said")
        arguments = [*self.arguments, "--out", str(out), *more]
        process = _FORKED.Process(target=_main, args=(arguments, log, self.threads, self.largest_file))
        process.start()
        return Started(process, log)

    def finish(self, out: Path, *more: str) -> str:
        """Run to the end; what was said on the way."""
        started = self.start(out, *more)
        code = started.wait()
        assert code == 0, started.said()
        return started.said()


def _main(arguments: list[str], log: Path, threads: int, largest_file: int | None) -> None:
    import torch

    from selftaught.cli import main

    os.setsid()  # a group of its own, with those it starts
    multiprocessing.set_start_method("fork", force=True)  # as by the shell: what forked this process is the test's
    to_file(log)
    torch.set_num_threads(threads)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = ["selftaught", *arguments]
    main()


def to_file(log: Path) -> None:
    """Whatever this process says goes into a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 for as long as the process lives


def weights(run: Path) -> str:
    """A hash of the model and of the last checkpoint: weights, moments and progress."""
    last = newest(run)
    assert last is not None
    files = [*sorted((run / "model").rglob("*.safetensors")), *sorted(last.glob("*.safetensors"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in [*files, run / "heads.safetensors"])).hexdigest()


def newest(run: Path) -> Path | None:
    """The last checkpoint that stands in its place."""
    found = sorted(p for p in (run / "checkpoints").glob("step-*") if not p.name.endswith(".partial"))
    return found[-1] if found else None


def step_of(checkpoint: Path | None) -> int:
    return int(checkpoint.name.removeprefix("step-")) if checkpoint else 0


def logged(run: Path) -> int:
    """How many steps are in the log."""
    return (run / "metrics.jsonl").read_bytes().count(b"\n") if (run / "metrics.jsonl").exists() else 0


def being_saved(run: Path) -> list[Path]:
    return list((run / "checkpoints").glob("step-*.partial"))


@dataclass(frozen=True)
class Moments:
    """Random moments of a run.

    Args:
        seconds: that it takes.
        drawn: from.
    """

    seconds: float
    drawn: random.Random = field(default_factory=lambda: random.Random(0))

    @classmethod
    def of(cls, program: Program, out: Path) -> "Moments":
        """Of a run as long as this one, which is run to the end."""
        started = program.start(out)
        started.until((out / ".lock").exists)  # the first start of all takes seconds more
        began = time.perf_counter()
        assert started.wait() == 0, started.said()
        return cls(time.perf_counter() - began)

    def within(self, program: Program, out: Path, *more: str) -> Started:
        """A run that is at some moment of it: begun, and not ended."""
        while True:
            started = program.start(out, *more)
            started.until((out / ".lock").exists)
            time.sleep(self.drawn.uniform(0.0, self.seconds))
            if started.process.exitcode is None:
                return started
            shutil.rmtree(out)


SMALL = ["--set=train.save_seconds=0", "--set=train.precision=fp32", "--device=cpu"]


def text_program(data: Path, steps: int, objective: str = "mlm") -> Program:
    few = ["--objective", objective, "--size", "tiny", "--batch", "4", "--set=train.length=16", "--steps", str(steps)]
    return Program(["pretrain", str(data), *few, *SMALL])


def picture_program(data: Path, steps: int) -> Program:
    few = ["--objective", "simclr", "--size", "conv-tiny", "--batch", "8", "--steps", str(steps)]
    return Program(["pretrain", str(data), *few, *SMALL])


def pair_program(data: Path, steps: int) -> Program:
    few = ["--objective", "clip", "--size", "clip-tiny", "--batch", "8", "--steps", str(steps)]
    return Program(["pretrain", str(data), *few, *SMALL])
