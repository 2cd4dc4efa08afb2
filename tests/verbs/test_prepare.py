"""``prepare``: documents in = kept + dropped, the same corpus whoever makes it, and pretrain reads it."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from selftaught.corpus.quality import RULES
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.verbs.prepare import prepare
from tests.verbs.conftest import Call

NAMES = ["anna", "boris", "clara", "dmitri", "elena", "felix", "greta", "hugo"]


def story(number: int) -> str:
    """Some 90 words of English that no other number has."""
    drawn = random.Random(number)
    words = ["".join(drawn.choices("abcdefghilmnoprstu", k=drawn.randint(3, 8))) for _ in range(60)]
    for place in range(0, 60, 2):
        words[place] += drawn.choice([" and", " of the", " to", " that was", " with"])
    return (
        f"{drawn.choice(NAMES).title()} said that " + " ".join(words) + f". Number {number} was not the last of them."
    )


def write(file: Path, texts: list[str]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps({"text": text, "id": 1}) + "\n" for text in texts), encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write(folder / "a.jsonl", [story(0), story(1), "short", story(0), story(2) + " Mail me@example.com."])
    near = story(1).replace("Number 1", "number one")
    german = "Der alte Hafen lag still im Nebel, und niemand hatte die Läden des Gasthauses geöffnet. " * 3
    write(folder / "b.jsonl", [near, story(3), german, story(4)])
    with (folder / "b.jsonl").open("ab") as out:
        out.write(b"{broken\n")
    return folder


def texts_of(corpus: Path) -> list[str]:
    return [text for file in sorted(corpus.glob("*.parquet")) for text in pq.read_table(file)["text"].to_pylist()]


def digest(corpus: Path) -> str:
    files = sorted(file for file in corpus.rglob("*") if file.is_file() and file.name != ".lock")
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


def named(corpus: Path) -> list[tuple[str, int, str]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in (corpus / "rejected.jsonl").open(encoding="utf-8")]
    return [(Path(row["file"]).name, row["line"], row["rule"]) for row in rows]


def test_every_document_is_kept_or_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text(story(4)[20:140] + "\n", encoding="utf-8")
    out = tmp_path / "corpus"
    report = prepare(str(data), out=str(out), personal=True, held_out=str(tmp_path / "test.txt"), workers=1)
    assert texts_of(out) == [story(0), story(1), story(2) + " Mail [EMAIL].", story(3)]
    assert sorted(named(out)) == [
        ("a.jsonl", 3, "too short"),
        ("a.jsonl", 4, "same"),
        ("b.jsonl", 1, "alike"),
        ("b.jsonl", 3, "language"),
        ("b.jsonl", 4, "held out"),
        ("b.jsonl", 5, "unreadable"),
    ]
    assert report["documents"] == report["kept"] + sum(report["dropped"].values()) == 9
    assert (report["kept"], report["rows"], report["unreadable"]) == (4, 10, 1)
    assert report["personal"] == {"e-mail": 1}
    whole = b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())
    assert b"me@example.com" not in whole
    said = (out / "rejected.jsonl").read_text(encoding="utf-8")
    assert f"is the same as {data}/a.jsonl:1" in said
    assert f"is much like {data}/a.jsonl:2" in said
    assert [row.text for row in open_text(out).rows(Tally())] == texts_of(out)


def test_workers_units_and_rereading_change_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selftaught.corpus.units._SMALLEST", 1000)
    for out, workers in (("one", 1), ("two", 2)):
        report = prepare(str(data), out=str(tmp_path / out), workers=workers)
        assert report["made"]
        assert len(report["shards"]) > 1
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    before = digest(tmp_path / "one")
    assert not prepare(str(data), out=str(tmp_path / "one"), workers=1)["made"]
    (tmp_path / "one" / "shard-00000.parquet").write_bytes(b"damaged")
    with pytest.raises(SelftaughtError, match="does not match its SHA-256"):
        open_text(tmp_path / "one")
    assert prepare(str(data), out=str(tmp_path / "one"), workers=1)["made"]
    assert digest(tmp_path / "one") == before


def test_a_large_file_of_lines_is_parted(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its documents and broken lines are named by their lines in it."""
    lines = [*(data / "a.jsonl").read_bytes().splitlines(True), *(data / "b.jsonl").read_bytes().splitlines(True)]
    (tmp_path / "all.jsonl").write_bytes(b"".join([*lines, *lines[1:]]))
    for out, size in (("whole", 1 << 20), ("parted", 1500)):
        monkeypatch.setattr("selftaught.corpus.units._SMALLEST", size)
        prepare(str(tmp_path / "all.jsonl"), out=str(tmp_path / out), workers=1)
    assert len(list((tmp_path / "parted").glob("shard-*"))) > 1
    assert texts_of(tmp_path / "parted") == texts_of(tmp_path / "whole")
    assert sorted(named(tmp_path / "parted")) == sorted(named(tmp_path / "whole"))
    assert ("all.jsonl", 10, "unreadable") in named(tmp_path / "parted")


def test_urls_give_the_same_shards(data: Path, tmp_path: Path) -> None:
    import fsspec

    prepare(str(data), out=str(tmp_path / "near"), workers=1)
    memory = fsspec.filesystem("memory")
    memory.put(str(data), "/data", recursive=True)
    prepare("memory://data", out="memory://corpus", workers=1)
    prepare("memory://data", out="memory://corpus", workers=1)
    memory.get("/corpus", str(tmp_path / "far"), recursive=True)
    memory.rm("/data", recursive=True)
    memory.rm("/corpus", recursive=True)
    before = sorted((file.name, file.read_bytes()) for file in data.iterdir())
    prepare(f"file://{data}", out=f"file://{tmp_path / 'file'}", workers=1)
    assert texts_of(tmp_path / "file") == texts_of(tmp_path / "near")
    assert sorted((file.name, file.read_bytes()) for file in data.iterdir()) == before
    assert texts_of(tmp_path / "far") == texts_of(tmp_path / "near")
    assert named(tmp_path / "far") == named(tmp_path / "near")
    assert not [file for file in (tmp_path / "far").iterdir() if file.name.startswith(".")]


def test_without_rules_everything_is_kept(data: Path, tmp_path: Path) -> None:
    rules = ",".join([*RULES, "same", "alike"])
    report = prepare(str(data), out=str(tmp_path / "all"), languages="any", without=rules, workers=1)
    assert report["kept"] == report["documents"] == 9


def test_mistakes_are_told(data: Path, tmp_path: Path, call: Call) -> None:
    out = str(tmp_path / "out")
    prepare(str(data), out=str(tmp_path / "there"), workers=1)
    for arguments, what in [
        ((str(data), "--out", out, "--without", "to short"), "did you mean 'too short'?"),
        ((str(data), "--out", out, "--languages", "de"), "cannot be told"),
        ((str(data), "--out", out, "--workers", "0"), "0 workers"),
        ((str(data), "--out", out, "--engine", "spark"), "there is no engine"),
        ((str(data), "--out", out, "--text", "body"), "no column 'body'"),
        ((str(tmp_path / "no"), "--out", out), "nothing can be read at"),
        (("memory://nowhere", "--out", out), "there is no file"),
        (("nosuch://x", "--out", out), "nosuch"),
        ((str(data), "--out", str(data / "out")), "within its own data"),
        ((str(data), "--out", str(tmp_path)), "not empty"),
        ((str(data), "--out", str(tmp_path / "there"), "--personal"), "another corpus"),
    ]:
        said = call("prepare", *arguments, *(() if "--workers" in arguments else ("--workers", "1")))
        assert said.code == 1, arguments
        assert what in said.err, said.err
        assert "Traceback" not in said.err
        assert not said.out
    assert not (data / "out").exists()


def test_the_command_line(data: Path, tmp_path: Path, call: Call) -> None:
    said = call("prepare", str(data), "--out", str(tmp_path / "out"), "--workers", "1")
    assert said.code == 0, said.err
    assert "documents   9 in = 5 kept + 4 dropped" in said.out
    again = call("prepare", str(data), "--out", str(tmp_path / "out"), "--workers", "1", "--json")
    assert again.report["made"] is False


def test_a_corpus_that_is_not_finished_is_not_read(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(str(data), out=str(out), workers=1)
    manifest = json.loads((out / "MANIFEST.json").read_text(encoding="utf-8"))
    (out / "MANIFEST.json").write_text(json.dumps({**manifest, "finished": False}), encoding="utf-8")
    with pytest.raises(SelftaughtError, match="not finished"):
        open_text(out)
