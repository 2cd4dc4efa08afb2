"""Every reader is fed with damaged files: each ends in a clear error, or each of its rows is kept or named."""

import importlib
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from selftaught.data import records, streams, text
from selftaught.data.tally import IN_MEMORY
from selftaught.errors import SelftaughtError
from tests.data import test_malformed
from tests.torture.damaging import apply, damaged
from tests.torture.loaders import Loader, loaders, put
from tests.torture.table import Tried

LOADERS = {loader.name: loader for loader in loaders()}
AT_ONCE = 20  # inputs that hypothesis makes before the clock is looked at


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kilobytes stand for the megabytes of a line that is too long: lines of a few kilobytes are damage, too."""
    monkeypatch.setattr(text, "LONGEST_LINE", 4096)
    monkeypatch.setattr(streams, "CHUNK", 1024)
    monkeypatch.setattr(records, "LONGEST_RECORD", 8192)


def fed_with_damage(files: Mapping[str, bytes], seconds: float, feed: Callable[[str, bytes], None]) -> None:
    """Give ``feed`` the names and damaged contents of files for so many seconds, at least a few of them."""

    @settings(
        max_examples=AT_ONCE,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(sorted(files)), damaged())
    def generated(file: str, damage: tuple[tuple[str, ...], int]) -> None:
        feed(file, apply(files[file], *damage))

    until, rounds = time.monotonic() + seconds, 0
    while not rounds or time.monotonic() < until:
        seed(rounds)(generated)()
        rounds += 1


def read(loader: Loader, place: Path) -> bool:
    """Whether it was read at all; any error but ours is the test's."""
    try:
        found = loader.read(place)
    except SelftaughtError:
        return False
    if found is not None:
        tally, handed_out = found
        assert tally.kept == handed_out
        assert len(tally.records) == min(tally.quarantined, IN_MEMORY), "a row is counted and not named"
        assert all(record.file and record.why and record.line >= 0 for record in tally.records)
        broken = any("cannot be read" in record.why or "can be read" in record.why for record in tally.records)
        assert broken or in_file(place) in (None, tally.rows)
    return True


def in_file(place: Path) -> int | None:
    """How many rows there are, counted otherwise; None where that cannot be told."""
    if place.suffix == ".parquet":
        try:
            return pq.read_metadata(place).num_rows
        except Exception:  # noqa: BLE001 it is none
            return None
    return None


def tried_on(loader: Loader, folder: Path, name: str, content: bytes) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return read(loader, put(loader, name, content, folder))


def test_undamaged_files_are_read(tmp_path: Path) -> None:
    for loader in LOADERS.values():
        for name, content in loader.files.items():
            assert tried_on(loader, tmp_path / "x", name, content), (loader.name, name)


@pytest.mark.torture
def test_damage_by_hand(tmp_path: Path, tried: Tried) -> None:
    """What readers of text are tried with in tests/data/test_malformed.py, each under each reader's own names."""
    contents = {}
    for number, (make, _) in enumerate((*test_malformed.TEXTS.values(), *test_malformed.LABELS.values())):
        (tmp_path / str(number)).mkdir()
        made = make(tmp_path / str(number))
        contents |= {file: file.read_bytes() for file in (made, *made.rglob("*")) if file.is_file()}
    tries = was_read = 0
    for loader in LOADERS.values():
        for name in {Path(name).suffix: name for name in loader.files}.values():
            for content in contents.values():
                tries += 1
                was_read += tried_on(loader, tmp_path / "x", name, content)
    tried(f"files damaged by hand, {len(LOADERS)} readers", tries, 0, f"{was_read:,} could be read in part")


@pytest.mark.parametrize("name", LOADERS)
def test_generated_damage(name: str, tmp_path: Path, times: Callable[[int, int], int], tried: Tried) -> None:
    loader, tries, was_read = LOADERS[name], 0, 0

    def feed(file: str, content: bytes) -> None:
        nonlocal tries, was_read
        tries += 1
        was_read += tried_on(loader, tmp_path / "x", file, content)

    fed_with_damage(loader.files, times(600, 0) / len(LOADERS), feed)
    tried(f"damaged files, {name}", tries, 0, f"{was_read:,} could be read in part")


@pytest.mark.torture
def test_datatrove_on_damaged_tables(tmp_path: Path, times: Callable[[int, int], int], tried: Tried) -> None:
    readers = pytest.importorskip("datatrove.pipeline.readers")
    reading = {"a.jsonl": readers.JsonlReader, "a.csv": readers.CSVReader, "a.parquet": readers.ParquetReader}
    files = {name: content for name, content in LOADERS["text"].files.items() if name in reading}
    tries = failed = nothing = 0

    def feed(name: str, content: bytes) -> None:
        nonlocal tries, failed, nothing
        tries += 1
        shutil.rmtree(tmp_path / "x", ignore_errors=True)
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / name).write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = sum(1 for _ in reading[name](str(tmp_path / "x")).run())
            except Exception:  # noqa: BLE001 that is what is counted
                failed += 1
                return
        nothing += not found

    logger = importlib.import_module("datatrove.utils.logging").logger
    logger.remove()
    fed_with_damage(files, times(60, 0), feed)
    note = f"a traceback each; of {nothing:,} more nothing was read"
    tried("datatrove: damaged .jsonl, .csv, .parquet", tries, failed, note, peer=True)
