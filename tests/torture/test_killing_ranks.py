"""Ranks that are killed, orphaned or started twice: nothing is lost, and none goes on alone."""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.torture.table import Tried

_GONE_SECONDS = 10.0


@dataclass(frozen=True)
class Ranks:
    """Starts one and the same pretraining on two ranks, with torchrun.

    Args:
        more: arguments.
    """

    text: Path
    steps: int
    more: tuple[str, ...]

    def start(self, out: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command += ["-m", "selftaught", "pretrain", str(self.text), "--out", str(out), "--steps", str(self.steps)]
        command += ["--size", "tiny", "--batch", "4", "--device", "cpu", *self.more]
        command += [f"--set=train.{pair}" for pair in ("length=16", "save_seconds=0", "precision=fp32")]
        log = (out.parent / f"{out.name}.log").open("w", encoding="utf-8")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stdout=log, stderr=log, text=True, env=environment, start_new_session=True)

    def finish(self, out: Path) -> str:
        assert self.start(out).wait(180) == 0, said(out)
        return said(out)


def said(out: Path) -> str:
    return (out.parent / f"{out.name}.log").read_text(encoding="utf-8")


def workers(agent: int) -> list[int]:
    """The processes that torchrun has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(agent)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(what: Callable[[], bool], seconds: float = 90.0) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if what():
            return True
        time.sleep(0.001)
    return False


def logged(run: Path) -> int:
    return (run / "metrics.jsonl").read_bytes().count(b"\n") if (run / "metrics.jsonl").exists() else 0


def being_saved(run: Path) -> bool:
    folder = run / "checkpoints"
    return folder.is_dir() and any(name.endswith(".partial") for name in os.listdir(folder))


def state(run: Path) -> str:
    """A hash of the model and of the last checkpoint."""
    last = sorted((run / "checkpoints").iterdir())[-1]
    files = [run / "model" / "model.safetensors", *sorted(last.glob("*.safetensors"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def kill(every: list[int], agent: "subprocess.Popen[str]", victim: int) -> float:
    """Kill one of the processes; seconds until all others are gone by themselves."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: agent.poll() is not None and not any(map(alive, every)), 60)
    took = time.monotonic() - began
    for pid in filter(alive, every):
        os.kill(pid, signal.SIGKILL)
    agent.wait()
    return took


@pytest.mark.torture
@pytest.mark.parametrize(("what", "more"), [("DDP", ()), ("FSDP2", ("--shard",))], ids=["DDP", "FSDP2"])
def test_killed_at_random_moments(
    what: str, more: tuple[str, ...], texts: list[str], tmp_path: Path, tried: Tried
) -> None:
    (tmp_path / "text").mkdir()
    for i in range(20):
        lines = "\n".join(f"{text} {i}" for text in texts)
        (tmp_path / "text" / f"{i}.md").write_text(lines, encoding="utf-8")
    ranks, out, moments = Ranks(tmp_path / "text", 1500, more), tmp_path / "run", random.Random(0)
    ranks.finish(tmp_path / "undisturbed")
    while_saving, orphans, refused = 0, [], 0
    for attempt in range(10):
        agent, before = ranks.start(out), logged(out)
        assert wait_until(lambda before=before: logged(out) != before), said(out)
        if attempt == 3:
            second = ranks.start(tmp_path / "run" / ".." / "run")
            second.wait(90)
            refused += said(out).count("is writing this run") == 1
        every = [agent.pid, *sorted(workers(agent.pid))]
        victim = agent.pid if attempt % 3 == 0 else every[1] if attempt % 2 else moments.choice(every[1:])
        if attempt % 2:
            wait_until(lambda: being_saved(out), 5)
        else:
            time.sleep(moments.uniform(0.0, 1.0))
        took = kill(every, agent, victim)
        while_saving += being_saved(out)
        orphans += [took]
        assert not (out / "model").exists(), "it was done before it was killed"
    resumed = "resuming at step" in ranks.finish(out)
    other = state(out) != state(tmp_path / "undisturbed")
    late = sum(took > _GONE_SECONDS for took in orphans)
    note = f"{while_saving} while saving; the others gone in {max(orphans):.1f} s at most; second launcher refused"
    assert resumed
    assert refused == 1
    tried(f"SIGKILL, 2 ranks, {what}", len(orphans), len(orphans) * other + late, note)
