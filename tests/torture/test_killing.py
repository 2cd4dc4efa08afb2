"""A run that is killed at any moment and started again ends where it would have ended, to the bit."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.running import (
    Moments,
    Program,
    being_saved,
    logged,
    newest,
    pair_program,
    picture_program,
    text_program,
    weights,
)
from tests.torture.table import Tried

_WHILE_SAVING = 10  # of twenty: some are killed a moment too late, and at least five are wanted


def kill_while_saving(program: Program, out: Path, saves: int = 0) -> bool:
    """Whether a checkpoint was half written when the process died: one after ``saves`` whole ones."""
    started, seen = program.start(out), set[Path | None]()

    def saving() -> bool:
        seen.add(newest(out))
        return len(seen) > saves and bool(being_saved(out))

    started.until(saving)
    started.kill()
    return bool(being_saved(out))


def test_killed_while_saving_killed_in_between_and_interrupted(text_folder: Path, tmp_path: Path) -> None:
    program, out = text_program(text_folder, steps=40), tmp_path / "run"
    program.finish(tmp_path / "undisturbed")
    assert kill_while_saving(program, out)

    started = program.start(out)
    steps = logged(out)
    assert started.until(lambda: logged(out) > steps + 3)
    started.kill()

    started = program.start(out)
    steps = logged(out)
    assert started.until(lambda: logged(out) != steps)
    started.signal(signal.SIGINT)
    assert started.wait() == 130
    assert "The same command resumes" in started.said()

    assert "resuming at step" in program.finish(out)
    assert weights(out) == weights(tmp_path / "undisturbed")
    assert "nothing was trained" in program.finish(out)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("objective", "make"), [("mlm", text_program), ("simclr", picture_program), ("clip", pair_program)]
)
def test_killed_once_at_a_random_moment(
    objective: str,
    make: Callable[..., Program],
    text_folder: Path,
    picture_folder: Path,
    tmp_path: Path,
    tried: Tried,
) -> None:
    """Twenty runs, each killed once and started again."""
    program = make(text_folder if objective == "mlm" else picture_folder, steps=60)
    moments = Moments.of(program, tmp_path / "undisturbed")
    expected, other, while_saving = weights(tmp_path / "undisturbed"), 0, 0
    for number in range(20):
        out = tmp_path / str(number)
        if number < _WHILE_SAVING:
            while_saving += kill_while_saving(program, out, number % 3)
        else:
            moments.within(program, out).kill()
        program.finish(out)
        other += weights(out) != expected
    assert while_saving >= 5
    tried(f"1 · SIGKILL, {objective}: final weights", 20, other, f"20 runs; {while_saving} killed while saving")


@pytest.mark.torture
def test_one_run_killed_again_and_again(text_folder: Path, tmp_path: Path, tried: Tried) -> None:
    program, out = text_program(text_folder, steps=600), tmp_path / "run"
    program.finish(tmp_path / "undisturbed")
    moments, while_saving = random.Random(0), 0
    for _ in range(10):
        while_saving += kill_while_saving(program, out)
        started, before = program.start(out), logged(out)
        started.until(lambda before=before: logged(out) != before)
        time.sleep(moments.uniform(0.0, 1.0))
        started.kill()
    assert "resuming at step" in program.finish(out)
    other = weights(out) != weights(tmp_path / "undisturbed")
    tried("1 · SIGKILL, mlm: one run, 20 times", 20, 20 * other, f"{while_saving} while saving")
