"""A run that is killed or interrupted at any moment and started again ends where it would have ended, to the bit."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.torture.table import Tried


@dataclass(frozen=True)
class Runner:
    """Starts one and the same pretraining, each time as a process of its own.

    Args:
        text: what it reads.
        steps: how long it trains; some 20 ms a step.
    """

    text: Path
    steps: int

    def start(self, out: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "selftaught", "pretrain", str(self.text), "--out", str(out)]
        command += ["--steps", str(self.steps), "--size", "tiny", "--batch", "4"]
        settings = {"length": 16, "save_seconds": 0, "precision": "fp32", "device": "cpu"}
        command += [f"--set=train.{key}={value}" for key, value in settings.items()]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def finish(self, out: Path) -> str:
        """Run to the end; what was said on the way."""
        process = self.start(out)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said


def weights(run: Path) -> str:
    """A hash of the model and of the last checkpoint: weights, moments and progress."""
    (last,) = sorted((run / "checkpoints").iterdir())[-1:]
    files = [run / "model" / "model.safetensors", last / "learner.safetensors", last / "optimizer.safetensors"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def wait_until(process: "subprocess.Popen[str]", what: Callable[[], bool]) -> bool:
    """Whether it came about before the process ended."""
    while process.poll() is None:
        if what():
            return True
        time.sleep(0.0002)
    return False


def logged(run: Path) -> int:
    """How many steps are in the log."""
    return (run / "metrics.jsonl").read_bytes().count(b"\n") if (run / "metrics.jsonl").exists() else 0


def being_saved(run: Path) -> list[Path]:
    return list((run / "checkpoints").glob("step-*.partial"))


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def kill_while_saving(runner: Runner, out: Path) -> bool:
    """Whether a checkpoint was half written when the process died."""
    process = runner.start(out)
    wait_until(process, lambda: bool(being_saved(out)))
    kill(process)
    return bool(being_saved(out))


def kill_while_training(runner: Runner, out: Path, seconds: float) -> None:
    """So long after the first step."""
    process = runner.start(out)
    before = logged(out)
    wait_until(process, lambda: logged(out) != before)
    time.sleep(seconds)
    kill(process)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Runner:
    folder = tmp_path_factory.mktemp("text")
    for i in range(20):
        (folder / f"{i}.md").write_text("\n".join(f"{text} {i}" for text in texts), encoding="utf-8")
    return Runner(folder, steps=60)


@pytest.fixture(scope="module")
def undisturbed(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    runner.finish(out)
    return weights(out)


def test_killed_while_saving_killed_in_between_and_interrupted(
    runner: Runner, undisturbed: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert kill_while_saving(runner, out)

    process = runner.start(out)
    steps = logged(out)
    assert wait_until(process, lambda: logged(out) > steps + 3)
    kill(process)

    process = runner.start(out)
    steps = logged(out)
    assert wait_until(process, lambda: logged(out) != steps)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The same command resumes" in said

    assert "resuming at step" in runner.finish(out)
    assert weights(out) == undisturbed
    assert "nothing was trained" in runner.finish(out)


@pytest.mark.torture
def test_killed_at_random_moments(runner: Runner, tmp_path: Path, tried: Tried) -> None:
    longer, out, moments = replace(runner, steps=600), tmp_path / "run", random.Random(0)
    longer.finish(tmp_path / "undisturbed")
    while_saving = 0
    for _ in range(10):
        while_saving += kill_while_saving(longer, out)
        kill_while_training(longer, out, moments.uniform(0.0, 1.0))
    assert "resuming at step" in longer.finish(out)
    other = weights(out) != weights(tmp_path / "undisturbed")
    tried("SIGKILL, mlm", 20, 20 * other, f"{while_saving} while saving")
