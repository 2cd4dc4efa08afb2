"""Two ranks on two cores beside one process with two threads: tokens a second of a pretraining at its defaults."""

import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import cyclopts

from benchmarks.pairs import alternate, compared, tell

_BAR = 0.9


def measure(*, data: Path, steps: int = 150, pairs: int = 3, size: str = "tiny", batch: int = 16) -> None:
    """Train on both sides in turn.

    Args:
        data: What pretrain would be given.
        steps: Of each run; the speed is that of the latest twenty or so.
        pairs: Runs of each side.
        size: Of the network.
        batch: Rows a step.
    """
    numbers = count()
    with TemporaryDirectory() as scratch:

        def speed(launcher: list[str], threads: int) -> float:
            run = Path(scratch) / str(next(numbers))
            budget = ["--steps", str(steps), "--size", size, "--batch", str(batch), "--out", str(run)]
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
            command = [sys.executable, *launcher, "-m", "selftaught", "pretrain", str(data), *budget]
            subprocess.run(command, check=True, capture_output=True, env=environment)
            lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            return float(json.loads(lines[-1])["per_second"])

        ranks = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        sides = {"ours": lambda: speed(ranks, 1), "peer": lambda: speed([], 2), "one core": lambda: speed([], 1)}
        found = compared("ranks_vs_threads", "tokens/s", alternate(sides, pairs), bar=_BAR, floor=0.0)
    tell({**found, "steps": steps, "size": size, "batch": batch})


if __name__ == "__main__":
    cyclopts.run(measure)
