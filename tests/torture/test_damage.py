"""Flipped bits, truncated files and files that are gone: each is found and named, and what is whole is used."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from selftaught.data.corpus import prepare
from selftaught.data.pair_store import read_store
from selftaught.errors import SelftaughtError
from selftaught.optim import adamw
from selftaught.pairs.model import PairModel
from selftaught.pretrained import open_pretrained
from selftaught.recipe import read_recipe
from selftaught.run.folder import Run
from selftaught.text.preparing import prepare_pretraining
from tests.torture.running import Program, newest, pair_program, step_of, text_program, weights
from tests.torture.table import Tried

_FOR_PEOPLE = (
    "metrics.jsonl",
    "plan.json",
    "taken.json",
    "report.json",
    "report.md",
    "README.md",
    "quarantine.jsonl",
)  # and pictures
Damage = Callable[[bytes, random.Random], bytes]


def flipped(content: bytes, drawn: random.Random) -> bytes:
    bit, changed = drawn.randrange(8 * len(content)), bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def truncated(content: bytes, drawn: random.Random) -> bytes:
    return content[: drawn.randrange(len(content))]


@contextmanager
def with_damage(file: Path, damage: Damage, drawn: random.Random) -> Iterator[None]:
    content = file.read_bytes()
    file.write_bytes(damage(content, drawn))
    yield
    file.write_bytes(content)


def files_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


@pytest.fixture(params=["mlm", "clip"])
def objective(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def program(objective: str, text_folder: Path, picture_folder: Path) -> Callable[[int], Program]:
    """A run of so many steps, on text or on pictures with words."""
    return partial(text_program, text_folder) if objective == "mlm" else partial(pair_program, picture_folder)


@pytest.fixture
def run(text_folder: Path, tmp_path: Path) -> Path:
    text_program(text_folder, steps=20).finish(tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.torture
@pytest.mark.parametrize("damage", [flipped, truncated])
def test_a_damaged_checkpoint(damage: Damage, run: Path, tried: Tried) -> None:
    """It is passed over for the one before, and the file is named."""
    ready = prepare_pretraining(Run(run), read_recipe(run / "recipe.yaml"))
    before, last = sorted((run / "checkpoints").iterdir())
    files, drawn, lost = files_below(last), random.Random(0), 0
    for _ in range(200):
        file = drawn.choice(files)
        with with_damage(file, damage, drawn):
            found = Run(run).load_checkpoint(ready.learner, adamw(ready.learner, 1e-3))
        assert found is not None
        (named,) = found.damaged or ("",)
        # a damaged manifest may say of another file that it does not match
        there = str(file) in named or (file.name == "MANIFEST.json" and str(last) in named)
        lost += not (there and found.progress.step == step_of(before))
    tried(f"7 · checkpoint, {damage.__name__}", 200, lost, "named; the checkpoint before is used")


def refused(open_all: Callable[[], object], file: Path) -> bool:
    """Whether whoever opens a run is told of a damaged file."""
    try:
        open_all()
    except SelftaughtError as error:
        return str(file) in str(error)
    return False


def where_numbers_come_from(run: Path) -> list[Path]:
    """All files of a run but the checkpoints and what is there for people."""
    files = [file for file in files_below(run) if "checkpoints" not in file.parts and file.name != ".lock"]
    return [file for file in files if file.name not in _FOR_PEOPLE and file.suffix != ".png"]


@pytest.mark.torture
@pytest.mark.parametrize("damage", [flipped, truncated])
def test_a_damaged_file_elsewhere(
    damage: Damage,
    objective: str,
    program: Callable[[int], Program],
    text_folder: Path,
    tmp_path: Path,
    tried: Tried,
) -> None:
    run, drawn, lost = tmp_path / "run", random.Random(0), list[str]()

    def open_text() -> None:
        open_pretrained(run)
        prepare(text_folder, run / "tokens", seed=0, keep=True)

    def open_pairs() -> None:
        PairModel.load(run)
        read_store(run / "pictures")

    program(5).finish(run)
    open_all, files = (open_text if objective == "mlm" else open_pairs), where_numbers_come_from(run)
    open_all()
    for _ in range(200):
        file = drawn.choice(files)
        with with_damage(file, damage, drawn):
            lost += [] if refused(open_all, file) else [str(file)]
    open_all()
    print(*sorted(lost), sep="\n")
    tried(f"7 · {objective}: model, heads, recipe, store, {damage.__name__}", 200, len(lost), f"{len(files)} files")


def without_each(
    names: list[Path], whole: Path, program: Program, well: Callable[[Path, int, str], bool], run: Path
) -> list[str]:
    """What the same command says where one of these files is missing from a copy of a run, if all is not well.

    Args:
        names: of the files, below the run.
        well: of the missing file, the exit code and what was said.
        run: where the copy is made.
    """
    lost = []
    for name in names:
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(whole, run)
        (run / name).unlink()
        started = program.start(run)
        code, said = started.wait(), started.said()
        lost += [] if well(run / name, code, said) else [f"{name}: {code} {said[-500:]}"]
    print(*lost, sep="\n\n")
    return lost


@pytest.mark.torture
def test_each_file_of_a_finished_run_deleted(
    objective: str, program: Callable[[int], Program], tmp_path: Path, tried: Tried
) -> None:
    """The same command names it and makes it anew; the recipe it does not guess, and the log of the steps is lost."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    program(20).finish(whole)
    expected, elsewhere = weights(whole), {"checkpoints", "tokens", "pictures", ".lock"}
    names = [file.relative_to(whole) for file in files_below(whole)]
    names = [name for name in names if not elsewhere & {*name.parts}]

    def well(file: Path, code: int, said: str) -> bool:
        if file.name == "recipe.yaml":
            return code == 1 and str(file) in said
        remade = file.is_file() or file.name == "metrics.jsonl"  # the log of steps that nobody takes again
        return code == 0 and remade and weights(run) == expected and str(file) in said

    lost = without_each(names, whole, program(20), well, run)
    tried(f"7 · {objective}: each file of a finished run deleted", len(names), len(lost), "named, and made anew")


def unfinished(program: Program, out: Path) -> None:
    """A run with two checkpoints that was killed."""
    started = program.start(out)
    assert started.until(lambda: len([*(out / "checkpoints").glob("step-*[0-9]")]) == 2)
    started.kill()
    for partial_one in (out / "checkpoints").glob("*.partial"):
        shutil.rmtree(partial_one)


@pytest.mark.torture
def test_each_file_of_an_unfinished_run_deleted(
    objective: str, program: Callable[[int], Program], tmp_path: Path, tried: Tried
) -> None:
    """Of the newest checkpoint: the one before is used. Of what was read, or the recipe: it is refused."""
    killed, run = tmp_path / "killed", tmp_path / "run"
    program(40).finish(tmp_path / "undisturbed")
    expected = weights(tmp_path / "undisturbed")
    unfinished(program(40), killed)
    last = newest(killed)
    assert last is not None
    names = [file.relative_to(killed) for file in [*files_below(last), *where_numbers_come_from(killed)]]

    def well(file: Path, code: int, said: str) -> bool:
        if "checkpoints" in file.parts:
            resumed = f"resuming at step {step_of(last)}\n" in said
            return code == 0 and weights(run) == expected and not resumed and str(file) in said
        if file.name in ("corpus.json", "pairs.json"):
            return code == 0 and weights(run) == expected  # it is written last: without it all is read again
        return code == 1 and str(file) in said

    lost = without_each(names, killed, program(40), well, run)
    note = "named; the checkpoint before is used, or refused"
    tried(f"7 · {objective}: each file of an unfinished run deleted", len(names), len(lost), note)
