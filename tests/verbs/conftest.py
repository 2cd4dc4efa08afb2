"""A pretrained run and a fine-tuned one, made once, and the command line called in this process."""

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from selftaught.cli import main
from selftaught.verbs.finetune import finetune
from selftaught.verbs.pretrain import pretrain


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, and what it wrote to stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """``notes/``, ``labels.csv`` with odd column names, and the runs ``run`` and ``mine``, by relative paths."""
    place = tmp_path_factory.mktemp("runs")
    (place / "notes").mkdir()
    for i in range(20):
        text = "\n".join(f"{text} It was number {i}." for text in texts)
        (place / "notes" / f"note {i}.md").write_text(text, encoding="utf-8")
    with (place / "labels.csv").open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["Q7 free comment", "bucket (final)", "rater"])
        for i, text in enumerate(texts * 3):
            rows.writerow(
                [f"{text} {i}", next(a for a in ("fox", "heron", "otter", "badger") if a in text), "ab"[i % 2]]
            )
    before = Path.cwd()
    os.chdir(place)
    try:
        small = ["train.length=16", "train.precision=fp32"]
        pretrain("notes", steps=4, size="tiny", out=Path("run"), set_=small)
        finetune(Path("run"), "labels.csv", label="bucket (final)", steps=4, out=Path("mine"), set_=small)
    finally:
        os.chdir(before)
    return place


@pytest.fixture
def here(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``runs`` to work in, and to spoil."""
    place = tmp_path / "here"
    shutil.copytree(runs, place)
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls a command; whatever goes wrong in it must not be a traceback."""

    def called(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["selftaught", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return called
