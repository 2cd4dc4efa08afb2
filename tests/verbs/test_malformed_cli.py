"""Damaged files at the command line: one sentence that names the file, exit code 1, and nothing on standard output.

What reading makes of each kind of damage is in tests/data/test_malformed.py; here it is what a user is shown.
"""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Call

PLAIN = b"A plain sentence about foxes.\n" * 50
LABELLED = b"text,label\n" + b"".join(b"a text about foxes %d,%s\n" % (i, b"ab"[i % 2 :][:1]) for i in range(40))

UNREADABLE = {
    "empty.txt": b"",
    "mark.txt": b"\xef\xbb\xbf",
    "blank.md": b"\n \t\n\r\n",
    "picture.txt": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
    "cut.txt.gz": gzip.compress(os.urandom(3000))[:40],
    "not.txt.gz": b"this was never packed\n",
    "not.jsonl.zst": b"this was never packed\n",
    "broken.jsonl": b"{broken\n" * 20,
    "numbers.csv": b"a,b\n1,2\n3,4\n",
    "header.csv": b"text,label\n",
    "not.parquet": b"PAR1 and then nothing of the kind",
}

WITHOUT_LABELS = {
    "one_label.csv": b"text,label\n" + b"a text,x\n" * 30,
    "all_different.csv": b"text,label\n" + b"".join(b"text %d,label %d\n" % (i, i) for i in range(30)),
    "no_label.csv": b"text\n" + b"a text\n" * 30,
    "header.csv": b"text,label\n",
    "not.parquet": b"PAR1 and then nothing of the kind",
    "cut.csv.gz": gzip.compress(LABELLED)[:30],
}


def shown(content: bytes, name: str, folder: Path) -> Path:
    place = folder / name
    place.write_bytes(content)
    return place


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("verb", ["check", "pretrain"])
def test_a_file_without_a_row_of_text(verb: str, name: str, tmp_path: Path, call: Call) -> None:
    place = shown(UNREADABLE[name], name, tmp_path)
    more = ["--steps", "2", "--out", str(tmp_path / "run")] if verb == "pretrain" else ["--json"]
    heard = call(verb, str(place), *more)
    assert heard.code == 1
    assert name in heard.err
    assert heard.out == ""


@pytest.mark.parametrize("name", WITHOUT_LABELS)
@pytest.mark.parametrize("verb", ["finetune", "verdict", "evaluate"])
def test_a_file_without_labels_to_learn(verb: str, name: str, here: Path, call: Call) -> None:
    shown(WITHOUT_LABELS[name], name, here)
    heard = call(verb, "mine" if verb == "evaluate" else "run", name, "--json")
    assert heard.code == 1
    assert name in heard.err
    assert heard.out == ""


def test_a_damaged_row_costs_that_row_and_is_named(here: Path, call: Call) -> None:
    shown(PLAIN + b"caf\xe9 in an old encoding\n" + PLAIN, "mixed.txt", here)
    text = call("check", "mixed.txt")
    assert text.code == 0
    assert "101 rows: 100 kept, 1 quarantined" in text.out
    assert "mixed.txt:51: " in text.out
    shown(LABELLED + b"too,many,fields\n", "ragged.csv", here)
    labels = call("verdict", "run", "ragged.csv", "--seeds", "1", "--json")
    assert any("ragged.csv:42: has 3 fields where 2 are expected" in note for note in labels.report["notes"])
    shown(b'{"text": "a fox"}\n{"text": 7}\n', "texts.jsonl", here)
    assert "texts.jsonl:2: " in call("predict", "mine", "texts.jsonl").out


def test_the_exit_code_of_the_process(tmp_path: Path) -> None:
    place = shown(b"\0" * 1000, "nothing.txt", tmp_path)
    done = subprocess.run([sys.executable, "-m", "selftaught", "check", str(place)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "nothing.txt" in done.stderr
    assert "Traceback" not in done.stderr
