"""SIGINT and SIGTERM at any moment: a checkpoint that is whole, a clear end, and soon."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.torture.running import Moments, Started, being_saved, logged, newest, step_of, text_program, weights
from tests.torture.table import Tried

_SECONDS = 25


def ended_well(started: Started, out: Path) -> str | None:
    """What is wrong with how an interrupted process ends; None if nothing is."""
    code, said, step = started.wait(_SECONDS), started.said(), step_of(newest(out))
    if code == 0 and (out / "report.json").exists():
        return None  # it was done before it heard
    if code != 130 or "interrupted" not in said:
        return f"exit code {code}: {said[-300:]}"
    if "Traceback" in said:
        return said
    if "interrupted at step" in said and f"interrupted at step {step};" not in said:
        return f"step {step} is saved, and it says: {said[-300:]}"
    return None if last_step(out) <= step + 1 else f"{last_step(out)} steps were taken, and {step} saved"


def last_step(out: Path) -> int:
    lines = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines() if (out / "metrics.jsonl").exists() else []
    return int(lines[-1].partition('"step": ')[2].partition(",")[0]) if lines else 0


def interrupt(started: Started, number: int, *, all_of_it: bool) -> float:
    """Send a signal to a process, or to all that it has started too; the moment."""
    os.killpg(started.process.pid, number) if all_of_it else started.signal(number)
    return time.perf_counter()


@pytest.mark.torture
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [0, 2])
def test_interrupted(number: signal.Signals, workers: int, text_folder: Path, tmp_path: Path, tried: Tried) -> None:
    """Ten runs: two interrupted before their first step, three while saving, five at random; then ended."""
    program, wrong, longest = text_program(text_folder, steps=60), list[str](), 0.0
    moments = Moments.of(program, tmp_path / "undisturbed")
    expected = weights(tmp_path / "undisturbed")
    for attempt in range(10):
        out = tmp_path / str(attempt)
        more = f"--set=train.workers={workers}"
        if attempt < 5:
            started = program.start(out, more)
            started.until((out / ".lock").exists)
            if attempt < 2:
                time.sleep(moments.drawn.uniform(0.0, 0.1) * moments.seconds)
            else:
                started.until(lambda out=out, attempt=attempt: logged(out) > attempt and bool(being_saved(out)))
        else:
            started = moments.within(program, out, more)
        if started.process.exitcode is None:
            began = interrupt(started, number, all_of_it=workers > 0)
            problem = ended_well(started, out)
            longest = max(longest, time.perf_counter() - began)
            wrong += [problem] if problem else []
        said = program.finish(out)
        wrong += [said] if "damaged" in said or weights(out) != expected else []
    whom = "all processes of a run with 2 workers" if workers else "a run"
    print(*wrong, sep="\n\n")
    tried(f"5 · {number.name} to {whom}", 10, len(wrong), f"exit after {longest:.1f} s at most; ≤ 1 step lost")


def test_terminated_before_the_first_step(text_folder: Path, tmp_path: Path) -> None:
    """SIGTERM ends it as Ctrl-C does, though nobody waits for a step yet."""
    program = text_program(text_folder, steps=1)
    started = program.start(tmp_path / "run")
    assert started.until(lambda: (tmp_path / "run" / ".lock").exists())
    started.signal(signal.SIGTERM)
    assert ended_well(started, tmp_path / "run") is None
    assert not (tmp_path / "run" / "report.json").exists()
