"""A preparation that is killed at any moment, and goes on with another number of workers, leaves the same corpus."""

import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selftaught.verbs.prepare import prepare
from tests.torture.table import Tried

Times = Callable[[int, int], int]


def write_data(folder: Path, files: int) -> None:
    """Documents of drawn words, of which some are copies, near copies, or hold a telephone number."""
    drawn = random.Random(0)
    vocabulary = ["".join(drawn.choices("abcdefghilmnoprstu", k=drawn.randint(2, 9))) for _ in range(3000)]
    folder.mkdir()
    texts: list[str] = []
    for number in range(files):
        with (folder / f"{number:03d}.jsonl").open("w", encoding="utf-8") as out:
            for _ in range(30):
                words = drawn.choices(vocabulary, k=150)
                words[::5] = drawn.choices(["the", "of", "that", "and", "with", "was", "for"], k=30)
                text = " ".join(words) + "."
                if texts and drawn.random() < 0.3:
                    text = drawn.choice(texts) + drawn.choice(["", " Once more.", " Call 212-555-0123."])
                texts.append(text)
                out.write(json.dumps({"text": text}) + "\n")
    shutil.copy(folder / "000.jsonl", folder / "zzz.jsonl")


def start(data: Path, out: Path, workers: int) -> "subprocess.Popen[bytes]":
    """With units so small that each file is one."""
    program = "from selftaught import cli; from selftaught.corpus import units; units._SMALLEST = 1 << 14; cli.main()"
    command = [sys.executable, "-c", program, "prepare", str(data), "--out", str(out), "--personal"]
    return subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def done(out: Path) -> int:
    """How many steps are; none once the corpus is there."""
    return len(list(out.glob(".work-*/*/*.json")))


def digest(corpus: Path) -> str:
    """Of every file that is left, the hidden ones too, but not the lock."""
    whole = hashlib.sha256()
    for file in sorted(file for file in corpus.rglob("*") if file.is_file() and file.name != ".lock"):
        whole.update(f"{file.relative_to(corpus)} {len(file.read_bytes())}\n".encode() + file.read_bytes())
    return whole.hexdigest()


def test_killed_and_resumed_with_other_numbers_of_workers(
    tmp_path: Path, tried: Tried, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selftaught.corpus.units._SMALLEST", 1 << 14)
    tries, moments = times(20, 2), random.Random(1)
    data, out, midway = tmp_path / "data", tmp_path / "corpus", 0
    write_data(data, times(100, 4))
    began = time.perf_counter()
    prepare(str(data), out=str(tmp_path / "undisturbed"), personal=True, workers=1)
    seconds = time.perf_counter() - began
    for number in range(tries):
        process = start(data, out, (1, 2, 3)[number % 3])
        while not done(out) and process.poll() is None:
            time.sleep(0.001)
        before = done(out)
        time.sleep(moments.uniform(0.0, 4 / tries) * seconds)
        process.kill()
        process.communicate()
        midway += before <= done(out)
    prepare(str(data), out=str(out), personal=True, workers=2 if tries > 2 else 1)
    assert len(list(out.glob("shard-*.parquet"))) > 1
    lost = digest(out) != digest(tmp_path / "undisturbed")
    tried("SIGKILL while preparing, workers 1, 2, 3", tries, tries * lost, f"{midway} with work half done")


@pytest.mark.torture
def test_workers_end_when_the_one_they_work_for_is_killed(tmp_path: Path, tried: Tried) -> None:
    write_data(tmp_path / "data", 60)
    process = start(tmp_path / "data", tmp_path / "corpus", 2)
    while not any((tmp_path / "corpus").glob(".work-*/clean/*.json")):
        time.sleep(0.05)
        assert process.poll() is None
    children = _children(process.pid)
    assert len(children) >= 2
    process.kill()
    process.communicate()
    began = time.perf_counter()
    while (left := [pid for pid in children if _lives(pid)]) and time.perf_counter() - began < 10:
        time.sleep(0.05)
    tried("workers whose parent is killed", len(children), len(left), f"gone in {time.perf_counter() - began:.1f} s")


@pytest.mark.torture
def test_a_ray_cluster_leaves_the_same_corpus(tmp_path: Path, tried: Tried) -> None:
    pytest.importorskip("ray")
    write_data(tmp_path / "data", 6)
    prepare(str(tmp_path / "data"), out=str(tmp_path / "pool"), workers=2)
    prepare(str(tmp_path / "data"), out=str(tmp_path / "ray"), workers=2, engine="ray")
    tried("Ray in the place of a pool", 1, digest(tmp_path / "pool") != digest(tmp_path / "ray"))


def _children(pid: int) -> list[int]:
    """Every process below this one."""
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(below for one in found for below in _children(one))]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.torture
def test_datatrove_under_the_same(tmp_path: Path, tried: Tried) -> None:
    """Its stages find what they have done again; killed with all its workers, so that none is left to interfere."""
    pytest.importorskip("datatrove")
    data, out, moments = tmp_path / "data", tmp_path / "corpus", random.Random(1)
    write_data(data, 6)

    def start_peer(out: Path, workers: int) -> "subprocess.Popen[bytes]":
        program = (
            "from pathlib import Path; from benchmarks.datatrove_side import prepare; "
            f"prepare(Path({str(data)!r}), Path({str(out)!r}), workers={workers}, tasks=4)"
        )
        quiet = subprocess.DEVNULL
        return subprocess.Popen([sys.executable, "-c", program], stdout=quiet, stderr=quiet, start_new_session=True)

    began = time.perf_counter()
    assert start_peer(tmp_path / "undisturbed", 2).wait(600) == 0
    seconds, killed, lost = time.perf_counter() - began, 0, 0
    undisturbed = kept_by_peer(tmp_path / "undisturbed")
    for number in range(20):
        process = start_peer(out, (1, 2, 3)[number % 3])
        try:
            lost += process.wait(moments.uniform(0.1, 0.4) * seconds) != 0 or kept_by_peer(out) != undisturbed
            shutil.rmtree(out)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
    lost += start_peer(out, 2).wait(600) != 0 or kept_by_peer(out) != undisturbed
    tried("datatrove: SIGKILL, workers 1, 2, 3", killed, lost, f"{20 - killed} came to their end", peer=True)


def kept_by_peer(out: Path) -> list[str]:
    """Every document that is left, in order."""
    files = sorted((out / "deduplicated").glob("*.jsonl.gz"))
    return [line for file in files for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
