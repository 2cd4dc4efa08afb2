"""Memory that runs out in the middle of a run: which step, what needs less, and nothing that was saved is lost."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.data import write_array, write_texts
from tests.torture.table import Tried

STARVED = """
import resource, sys, threading, time
from pathlib import Path

out, step = Path(sys.argv.pop(1)), int(sys.argv.pop(1))
size = lambda: int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

def starve():
    seen = []  # how much is held in the course of a step
    while True:
        time.sleep(0.0005)
        lines = (out / "metrics.jsonl").read_bytes().count(b"\\n") if (out / "metrics.jsonl").exists() else 0
        if lines >= 2:
            seen.append(size())
        if lines >= step and list(out.glob("checkpoints/step-*[0-9]")):
            limit = min(seen) + (max(seen) - min(seen)) // 2
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            return

threading.Thread(target=starve, daemon=True).start()
from selftaught.cli import main
main()
"""


def command(data: Path, out: Path, objective: str, batch: int) -> list[str]:
    size = "conv-tiny" if objective == "simclr" else "tiny"
    settings = ["train.save_seconds=0", "train.precision=fp32", "train.device=cpu", "train.length=64"]
    asked = ["pretrain", str(data), "--objective", objective, "--out", str(out), "--steps", "14", "--size", size]
    return [*asked, "--batch", str(batch), *(f"--set={setting}" for setting in settings)]


def run(program: list[str], arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    # each tensor is asked of the system anew, and one thread asks
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    words = [sys.executable, *program, *arguments]
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.fixture(scope="module")
def many_texts(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    return write_texts(tmp_path_factory.mktemp("text"), texts, files=200)


@pytest.fixture(scope="module")
def many_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_array(tmp_path_factory.mktemp("pictures"), 512, 32)


@pytest.mark.torture
@pytest.mark.parametrize("objective", ["mlm", "causal_lm", "simclr"])
def test_memory_runs_out_at_a_step(
    request: pytest.FixtureRequest, tmp_path: Path, tried: Tried, times: Callable[[int, int], int], objective: str
) -> None:
    data = request.getfixturevalue("many_pictures" if objective == "simclr" else "many_texts")
    steps, lost = [4, 6, 8][: times(3, 1)], []
    for step in steps:
        out = tmp_path / str(step)
        asked = command(data, out, objective, 64)
        ended = run(["-c", STARVED, str(out), str(step)], asked)
        told = re.search(r"step (\d+) needed more memory", ended.stderr)
        if ended.returncode != 1 or told is None or "Traceback" in ended.stderr:
            lost.append(ended.stderr[-600:])
            continue
        proposed = re.search(r"--batch (\d+)(?: --set train.accumulate=(\d+))?", ended.stderr[told.start() :])
        assert proposed is not None
        less = int(proposed[1])
        if proposed[2]:
            again = [*command(data, out, objective, less), f"--set=train.accumulate={proposed[2]}"]
        else:  # its samples must meet: the checkpoint is good with all the memory that there was
            again = asked
        ended = run(["-m", "selftaught"], again)
        if ended.returncode != 0 or "resuming at step" not in ended.stderr or "damaged" in ended.stderr:
            lost.append(ended.stderr[-600:])
    tried(f"memory runs out at a step: {objective}", len(steps), len(lost), "\n".join(lost))
