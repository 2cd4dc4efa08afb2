"""A disk that is full, read-only or limited while a run saves: it says so, and earlier checkpoints go on."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.torture.running import Program, Started, logged, newest, text_program, weights
from tests.torture.table import Tried

_STEPS = 60
_AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def said_clearly(started: Started, out: Path) -> str | None:
    """What is wrong with how a run ends that cannot save; None if it names a place in it and what to do."""
    code, said = started.wait(), started.said()
    named = any(str(out) in line for line in said.splitlines() if "where:" in line)
    clear = code == 1 and named and "do:" in said and "Traceback" not in said
    return None if clear else f"exit code {code}: {said[-1500:]}"


def goes_on(program: Program, out: Path, expected: str) -> str | None:
    """What is wrong with how it goes on when there is room again; None if it is as if nothing had been."""
    begun, said = newest(out), program.finish(out)
    if "damaged" in said or (begun is not None and "resuming at step" not in said):
        return f"the checkpoint {begun} was not used: {said}"
    return None if weights(out) == expected else "the final weights are others"


@pytest.fixture
def program(text_folder: Path) -> Program:
    return text_program(text_folder, _STEPS)


@pytest.fixture
def expected(program: Program, tmp_path: Path) -> str:
    program.finish(tmp_path / "undisturbed")
    return weights(tmp_path / "undisturbed")


def in_the_midst(program: Program, out: Path, step: int) -> Started:
    """A run that has a checkpoint and has taken so many steps; more, if it began before."""
    started = program.start(out)
    started.until(lambda: logged(out) >= step and newest(out) is not None)
    return started


def fill(disk: Path, left: int) -> Path:
    """A file that takes all room of a disk but for some bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(1 << 16))
        except OSError:
            pass
    os.truncate(ballast, max(0, ballast.stat().st_size - left))
    return ballast


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@_AS_ROOT
@pytest.mark.torture
def test_the_disk_is_full(program: Program, expected: str, disk: Path, tried: Tried) -> None:
    drawn, wrong = random.Random(0), list[str]()
    for attempt in range(10):
        out = disk  # the run folder is the disk, so that what is said goes elsewhere
        for old in out.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        if attempt < 2:  # before anything is saved
            ballast = fill(disk, attempt * 100_000)
            started = program.start(out)
        else:
            started = in_the_midst(program, out, attempt)
            ballast = fill(disk, drawn.randrange(400_000))
        wrong += filter(None, [said_clearly(started, out)])
        ballast.unlink()
        wrong += filter(None, [goes_on(program, out, expected)])
    print(*wrong, sep="\n\n")
    tried("6 · disk full while saving", 10, len(wrong), "message, and the earlier checkpoint goes on")


def read_only(folder: Path) -> Callable[[], None]:
    """Nothing can be written into a folder from now on; what ends that."""
    if os.geteuid() == 0:  # whom modes do not stop
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        return lambda: subprocess.run(["umount", folder], check=True) and None
    folder.chmod(0o555)
    return lambda: folder.chmod(0o755)


@pytest.mark.torture
def test_the_folder_is_read_only(program: Program, expected: str, tmp_path: Path, tried: Tried) -> None:
    wrong = []
    for attempt in range(10):
        out = tmp_path / str(attempt)
        started = in_the_midst(program, out, attempt)
        if attempt < 7:
            end = read_only(out / "checkpoints")
        else:  # the whole run, when it is started again
            started.kill()
            end = read_only(out)
            started = program.start(out)
        wrong += filter(None, [said_clearly(started, out)])
        end()
        wrong += filter(None, [goes_on(program, out, expected)])
    print(*wrong, sep="\n\n")
    tried("6 · read-only while saving", 10, len(wrong), "message, and the earlier checkpoint goes on")


@pytest.mark.torture
def test_files_may_not_grow(program: Program, expected: str, tmp_path: Path, tried: Tried) -> None:
    """A limit of the system to the size of a file, as a quota is one to that of all."""
    wrong, drawn = [], random.Random(0)
    largest = max(file.stat().st_size for file in (tmp_path / "undisturbed" / "checkpoints").rglob("*.safetensors"))
    for attempt in range(10):
        out = tmp_path / str(attempt)
        if attempt >= 2:
            in_the_midst(program, out, attempt).kill()
        limited = Program(program.arguments, largest_file=drawn.randrange(2_000, largest))
        wrong += filter(None, [said_clearly(limited.start(out), out)])
        wrong += filter(None, [goes_on(program, out, expected)])
    print(*wrong, sep="\n\n")
    tried("6 · files limited in size (EFBIG)", 10, len(wrong), "message, and the earlier checkpoint goes on")
