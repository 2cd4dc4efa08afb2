"""Flipped bits, truncated files and files that are gone: each is found and named, and what is whole is used."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
@pytest.mark.parametrize("objective", ["mlm", "clip"])
def test_a_damaged_file_elsewhere(
    damage: Damage, objective: str, text_folder: Path, picture_folder: Path, tmp_path: Path, tried: Tried
) -> None:
    run, drawn, lost = tmp_path / "run", random.Random(0), list[str]()

    def open_text() -> None:
        open_pretrained(run)
        prepare(text_folder, run / "tokens", seed=0, keep=True)

    def open_pairs() -> None:
        PairModel.load(run)
        read_store(run / "pictures")

    if objective == "mlm":
        text_program(text_folder, steps=5).finish(run)
    else:
        pair_program(picture_folder, steps=5).finish(run)
    open_all, files = (open_text if objective == "mlm" else open_pairs), where_numbers_come_from(run)
    open_all()
    for _ in range(200):
        file = drawn.choice(files)
        with with_damage(file, damage, drawn):
            lost += [] if refused(open_all, file) else [str(file)]
    open_all()
    print(*sorted(lost), sep="\n")
    tried(f"7 · {objective}: model, heads, recipe, store, {damage.__name__}", 200, len(lost), f"{len(files)} files")


@pytest.mark.torture
@pytest.mark.parametrize("objective", ["mlm", "clip"])
def test_each_file_of_a_finished_run_deleted(
    objective: str, text_folder: Path, picture_folder: Path, tmp_path: Path, tried: Tried
) -> None:
    """The same command names it and makes it anew; the recipe it does not guess, and the log of the steps is lost."""
    run, lost = tmp_path / "run", list[str]()
    program = text_program(text_folder, 20) if objective == "mlm" else pair_program(picture_folder, 20)
    program.finish(run)
    expected, files = (
        weights(run),
        [f for f in files_below(run) if not {"checkpoints", "tokens", "pictures"} & {*f.parts}],
    )
    files = [file for file in files if file.name != ".lock"]
    for file in files:
        content = file.read_bytes()
        file.unlink()
        started = program.start(run)
        code, said = started.wait(), started.said()
        if file.name == "recipe.yaml":
            well = code == 1
            file.write_bytes(content)
        else:
            remade = file.is_file() or file.name == "metrics.jsonl"  # the log of steps that nobody takes again
            well = code == 0 and remade and weights(run) == expected
        lost += [] if well and str(file) in said else [f"{file}: {code} {said[-500:]}"]
    print(*lost, sep="\n\n")
    tried(f"7 · {objective}: each file of a finished run deleted", len(files), len(lost), "named, and made anew")


def unfinished(program: Program, out: Path) -> None:
    """A run with two checkpoints that was killed."""
    started = program.start(out)
    assert started.until(lambda: len([*(out / "checkpoints").glob("step-*[0-9]")]) == 2)
    started.kill()
    for partial in (out / "checkpoints").glob("*.partial"):
        shutil.rmtree(partial)


@pytest.mark.torture
@pytest.mark.parametrize("objective", ["mlm", "clip"])
def test_each_file_of_an_unfinished_run_deleted(
    objective: str, text_folder: Path, picture_folder: Path, tmp_path: Path, tried: Tried
) -> None:
    """Of the newest checkpoint: the one before is used. Of what was read, or the recipe: it is refused."""
    run, lost = tmp_path / "run", list[str]()
    program = text_program(text_folder, 40) if objective == "mlm" else pair_program(picture_folder, 40)
    program.finish(tmp_path / "undisturbed")
    expected = weights(tmp_path / "undisturbed")
    unfinished(program, tmp_path / "killed")
    last = newest(tmp_path / "killed")
    assert last is not None
    names = [
        f.relative_to(tmp_path / "killed") for f in [*files_below(last), *where_numbers_come_from(tmp_path / "killed")]
    ]
    for name in names:
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(tmp_path / "killed", run)
        (run / name).unlink()
        started = program.start(run)
        code, said = started.wait(), started.said()
        well = str(run / name) in said
        if name.parts[0] == "checkpoints":
            well &= code == 0 and weights(run) == expected and f"resuming at step {step_of(last)}\n" not in said
        elif name.name in ("corpus.json", "pairs.json"):
            well = code == 0 and weights(run) == expected  # it is written last: without it all is read again
        else:
            well &= code == 1
        lost += [] if well else [f"{name}: {code} {said[-500:]}"]
    print(*lost, sep="\n\n")
    note = "named; the checkpoint before is used, or refused"
    tried(f"7 · {objective}: each file of an unfinished run deleted", len(names), len(lost), note)
