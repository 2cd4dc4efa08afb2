"""Damaged and misleading inputs, fifty and more: each ends in a clear error or in named quarantined rows.

An input is a function that makes it below a folder and returns its path, and what must come of it: words of
the error, or how many rows are kept and which lines are quarantined, and why.
"""

import gzip
import io
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from selftaught.data import records, streams, text
from selftaught.data.labels import read_labels
from selftaught.data.source import open_text, require_rows
from selftaught.data.tally import Tally
from selftaught.data.text import Row
from selftaught.errors import SelftaughtError

HUNDRED = b"".join(b"a plain sentence, number %d\n" % number for number in range(100))
WHOLE_BLOCKS = (HUNDRED * 100)[: 1 << 18].count(b"\n")  # zstd unpacks 128 KiB at a time
CHINESE = "这是一个很普通的中文句子，用来检查编码。\n" * 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def file(name: str, content: bytes | str) -> Callable[[Path], Path]:
    """An input that is one file."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def files(**contents: bytes | str) -> Callable[[Path], Path]:
    """An input that is a folder; ``a_txt`` is the file ``a.txt``."""

    def make(folder: Path) -> Path:
        for name, content in contents.items():
            file(".".join(name.rsplit("_", 1)), content)(folder)
        return folder

    return make


def parquet(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def bad_utf8_parquet() -> bytes:
    text = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\3\0\0\0\6\0\0\0"), pa.py_buffer(b"abc\xff\xfe\xfd"))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": text}), buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class Kept:
    """``rows`` are kept; ``quarantined`` is (line, words of the reason) for each that is not."""

    rows: int
    quarantined: tuple[tuple[int, str], ...] = ()


Expected = Kept | str
TEXTS: dict[str, tuple[Callable[[Path], Path], Expected]] = {}
LABELS: dict[str, tuple[Callable[[Path], Path], Expected]] = {}


def reading(name: str, make: Callable[[Path], Path], expected: Expected) -> None:
    TEXTS[name] = make, expected


def labels(name: str, make: Callable[[Path], Path], expected: Expected) -> None:
    LABELS[name] = make, expected


# plain text
reading("an empty file", file("a.txt", b""), "there is no text")
reading("a lone byte order mark", file("a.txt", b"\xef\xbb\xbf"), "there is no text")
reading("a lone UTF-16 mark", file("a.txt", b"\xff\xfe"), "there is no text")
reading("only blank lines", file("a.txt", b"\n \n\t\n\r\n"), "there is no text")
reading(
    "invalid UTF-8 in one row of 1000",
    file("a.txt", HUNDRED * 5 + b"caf\xe9 and more\n" + (HUNDRED * 5)[: -len("a plain sentence, number 99\n")]),
    Kept(999, ((501, "0xe9"),)),
)
reading(
    "invalid UTF-8 in Chinese text",
    file("a.txt", CHINESE.encode() + b"\xe4\xb8 \xff\n" + CHINESE.encode()),
    Kept(40, ((21, "not UTF-8"),)),
)
reading("UTF-8 cut within a character", file("a.txt", HUNDRED + "字".encode()[:2]), Kept(100, ((101, "UTF-8"),)))
reading("a line of NUL bytes", file("a.txt", HUNDRED + b"\0\0\0\0\n" + HUNDRED), Kept(200, ((101, "NUL"),)))
reading(
    "NUL bytes within a line",
    file("a.txt", b"one\ntw\0o\nthree\n" * 9 + HUNDRED),
    Kept(118, tuple((line, "NUL") for line in range(2, 28, 3))),
)
reading("UTF-16 with a mark", file("a.txt", CHINESE.encode("utf-16")), Kept(20))
reading("UTF-16 without a mark", file("a.txt", HUNDRED.decode().encode("utf-16-be")), Kept(100))
reading("UTF-16 cut within a character", file("a.txt", CHINESE.encode("utf-16")[:-1]), Kept(19, ((20, "UTF-8"),)))
reading(
    "UTF-16 with half a pair",
    file("a.txt", "a\nb\ud800c\nd\n".encode("utf-16", "surrogatepass")),
    Kept(2, ((2, "UTF-8"),)),
)
reading("UTF-32", file("a.txt", CHINESE.encode("utf-32")), Kept(20))
reading("GB18030", file("a.txt", CHINESE.encode("gb18030")), Kept(20))
reading(
    "GB18030 with a broken line",
    file("a.txt", CHINESE.encode("gb18030") * 9 + b"\xff\xff\xff\n"),
    Kept(180, ((181, "GB18030"),)),
)
reading("latin-1", file("a.txt", "déjà vu, señor Müller\n".encode("latin-1") * 9), Kept(9))
reading(
    "mixed encodings, mostly UTF-8",
    file("a.txt", CHINESE.encode() + "很普通的\n".encode("gb18030")),
    Kept(20, ((21, "not UTF-8"),)),
)
reading(
    "mixed encodings, mostly GB18030",
    file("a.txt", CHINESE.encode("gb18030") + CHINESE[:21].encode()),
    Kept(21),
)
reading("mixed encodings, by file", files(a_txt=CHINESE, b_txt=CHINESE.encode("gb18030")), Kept(40))
reading("old Mac line ends", file("a.txt", b"one\rtwo\rthree\r"), Kept(3))
reading("Windows line ends", file("a.txt", b"one\r\ntwo\r\n\r\nthree"), Kept(3))
reading("strange line separators", file("a.txt", "one\u2028still one\x0bstill\x85one\ntwo\n"), Kept(2))
reading("a line too long to hold", file("a.txt", b"short\n" + b"word " * 2000 + b"\nshort\n"), Kept(3))
reading("a long line without spaces", file("a.txt", "字" * 5000), Kept(1))
reading(
    "a long line, broken in one piece",
    file("a.txt", b"word " * 1000 + b"\xff\xfe " + b"word " * 1000 + b"\nx\n"),
    Kept(2, ((1, "not UTF-8"),)),
)

# files that are not what they are called
reading("a picture named .txt", file("a.txt", PNG), "PNG picture")
reading("gzip named .txt", file("a.txt", gzip.compress(HUNDRED)), "gzip")
reading("zstd named .txt", file("a.txt", zstandard.compress(HUNDRED)), "zstd")
reading("parquet named .csv", file("a.csv", parquet({"text": ["a"]})), "parquet")
reading("text named .parquet", file("a.parquet", HUNDRED), "parquet")
reading("text named .gz", file("a.txt.gz", HUNDRED), "gzip")
reading("text named .zst", file("a.txt.zst", HUNDRED), "zstd")
reading("random bytes", file("a.txt", bytes(range(256)) * 40), "binary")
reading("a picture among texts", files(a_txt=HUNDRED, b_txt=PNG), Kept(100, ((0, "PNG"),)))

# packed files
reading(
    "truncated gzip",
    file("a.txt.gz", gzip.compress(HUNDRED)[:-8]),
    Kept(100, ((101, "gzip data is damaged"),)),
)
reading(
    "gzip with rubbish after it",
    file("a.txt.gz", gzip.compress(HUNDRED) + b"rubbish"),
    Kept(100, ((101, "gzip data is damaged"),)),
)
reading(
    "truncated zstd",
    file("a.txt.zst", zstandard.compress(HUNDRED * 100)[:-3]),
    Kept(WHOLE_BLOCKS, ((WHOLE_BLOCKS + 1, "zstd"),)),
)
reading(
    "zstd with rubbish after it",
    file("a.txt.zst", zstandard.compress(HUNDRED) + b"rubbish"),
    Kept(100, ((101, "zstd"),)),
)
reading("empty gzip", file("a.txt.gz", b""), "there is no text")
reading("a bomb", file("a.txt.zst", zstandard.compress(b"x" * (8 << 20))), Kept(1))

# JSON
reading(
    "a broken JSON line",
    file("a.jsonl", b'{"text": "a b"}\n{"text": \n{"text": "c"}\n'),
    Kept(2, ((2, "not JSON"),)),
)
reading(
    "JSON lines that are no objects",
    file("a.jsonl", b'{"text": "a b"}\n["c"]\n"d"\n5\nnull\n'),
    Kept(1, ((2, "a list"), (3, "a string"), (4, "a number"), (5, "null"))),
)
reading(
    "texts missing, empty, no strings",
    file(
        "a.jsonl",
        b'{"text": "a b"}\n{"id": 1}\n{"text": ""}\n{"text": " "}\n{"text": 7}\n{"text": null}\n{"text": ["x"]}\n',
    ),
    Kept(1, ((2, "no value"), (3, "empty"), (4, "empty"), (5, "a number"), (6, "no value"), (7, "a list"))),
)
reading(
    "half a surrogate pair in JSON",
    file("a.jsonl", b'{"text": "a b"}\n{"text": "x\\ud800y"}\n'),
    Kept(1, ((2, "half a character"),)),
)
reading("NUL in JSON", file("a.jsonl", b'{"text": "a b"}\n{"text": "x\\u0000y"}\n'), Kept(1, ((2, "NUL"),)))
reading(
    "JSON nested too deep",
    file("a.jsonl", b'{"text": "a b"}\n' + b"[" * 7000 + b"\n"),
    Kept(1, ((2, "JSON"),)),
)
reading(
    "a JSON number too long",
    file("a.jsonl", b'{"text": "a b"}\n{"text": "b", "n": ' + b"9" * 9000 + b"}\n"),
    Kept(1, ((2, "too long"),)),
)
reading(
    "a record too long to hold",
    file("a.jsonl", b'{"text": "a b"}\n{"text": "' + b"x" * 20_000 + b'"}\n{"text": "c"}\n'),
    Kept(2, ((2, "longer than"),)),
)
reading(
    "a JSON list with a broken object",
    file("a.json", b'[{"text": "a"},\n {"text": "b" "c"},\n {"text": "d"}]\n'),
    Kept(2, ((2, "not JSON"),)),
)
reading(
    "a JSON list that is cut",
    file("a.json", b'[\n {"text": "a"},\n {"text": "b'),
    Kept(1, ((3, "not JSON"),)),
)
reading(
    "invalid UTF-8 in a JSON list",
    file("a.json", b'[\n{"text": "a"},\n{"text": "\xff"},\n{"text": "c"}\n]'),
    Kept(2, ((3, "not JSON"),)),
)
reading(
    "truncated gzip of JSON",
    file("a.jsonl.gz", gzip.compress(b'{"text": "a b c"}\n' * 5000)[:-8]),
    Kept(5000, ((5001, "gzip"),)),
)

# tables
reading(
    "ragged CSV",
    file("a.csv", "id,text\n1,one two\n2,three,four\n3\n4,five\n"),
    Kept(2, ((3, "3 fields where 2"), (4, "1 fields where 2"))),
)
reading(
    "an unclosed quote",
    file("a.csv", 'id,text\n1,one\n2,"two\n3,three\n4,"four, and"\n5,five\n'),
    Kept(4, ((3, "quote"),)),
)
reading(
    "an unclosed quote and no other",
    file("a.csv", 'id,text\n1,one\n2,"two\n' + "3,three\n" * 100),
    Kept(101, ((3, "never closed"),)),
)
reading(
    "quoted line ends and commas",
    file("a.csv", 'id,text\n1,"one,\ntwo"\n2,"a ""b"""\n3\n'),
    Kept(2, ((5, "fields"),)),
)
reading("quotes that mean nothing", file("a.tsv", '1\t"one is odd\n2\ttwo\n3\t5" wide\n4\t"x" and "y"\n'), Kept(4))
reading(
    "rows of nothing but delimiters",
    file("a.csv", "id,text\n1,one\n,\n\n2,two\n"),
    Kept(2, ((3, "'text' is empty"),)),
)
reading("a header only", file("a.csv", b"id,text\n"), "there is no text")
reading("an empty CSV", file("a.csv", b""), "there is no text")
reading("the same header twice", file("a.csv", "text,text\nan early one,b\nc and more,d\n"), Kept(2))
reading(
    "invalid UTF-8 in CSV",
    file("a.csv", b"id,text\n1,one\n2,tw\xff\n3,three\n" + b"4,four\n" * 100),
    Kept(102, ((3, "not UTF-8"),)),
)
reading("NUL bytes in CSV", file("a.csv", b"id,text\n1,one\n2,tw\0o\n3,three\n"), Kept(2, ((3, "NUL"),)))
reading("CSV in UTF-16", file("a.csv", "id,text\n1,一个句子\n2,两个\n".encode("utf-16")), Kept(2))
reading("a CSV of numbers", file("a.csv", "x,z\n1,2\n3,4\n"), "no column holds text")

# parquet
reading("truncated parquet", file("a.parquet", parquet({"text": ["a b", "c"]})[:-9]), "parquet")
reading("parquet without text", file("a.parquet", parquet({"n": [1, 2]})), "no column holds text")
reading(
    "parquet with gaps",
    file("a.parquet", parquet({"text": ["a b", None, "", "c"]})),
    Kept(2, ((2, "no value"), (3, "empty"))),
)
reading("parquet that is not UTF-8", file("a.parquet", bad_utf8_parquet()), Kept(1, ((2, "not UTF-8"),)))
reading(
    "truncated parquet among texts",
    files(a_txt=HUNDRED, b_parquet=parquet({"text": ["a b"]})[:-9]),
    Kept(100, ((0, "parquet"),)),
)


# folders
def _empty(folder: Path) -> Path:
    return folder


def _loop(folder: Path) -> Path:
    (folder / "in").mkdir()
    (folder / "in" / "a.txt").write_bytes(HUNDRED)
    (folder / "in" / "again").symlink_to(folder)
    return folder


def _self_link(folder: Path) -> Path:
    (folder / "a.txt").write_bytes(HUNDRED)
    (folder / "b.txt").symlink_to(folder / "b.txt")
    return folder


def _dangling(folder: Path) -> Path:
    (folder / "a.txt").write_bytes(HUNDRED)
    (folder / "b.txt").symlink_to(folder / "nothing")
    return folder


def _pipe_inside(folder: Path) -> Path:
    (folder / "a.txt").write_bytes(HUNDRED)
    os.mkfifo(folder / "b.txt")
    return folder


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "b.txt")
    return folder / "b.txt"


def _socket(folder: Path) -> Path:
    os.chdir(folder)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("b.txt")
    return folder / "b.txt"


def _folder_named_csv(folder: Path) -> Path:
    (folder / "x.csv").mkdir()
    return file("x.csv/a.txt", HUNDRED)(folder)


def _name_that_is_no_text(folder: Path) -> Path:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_bytes(HUNDRED + b"x\0y\n")
    return folder


reading("an empty folder", _empty, "it is empty")
reading("nothing there", lambda folder: file("notes.txt", b"")(folder).with_name("note.txt"), "mean 'notes.txt'")
reading("a folder that contains itself", _loop, Kept(100))
reading("a link to itself", _self_link, Kept(100, ((0, "cannot be read"),)))
reading("a link to nothing", _dangling, Kept(100, ((0, "no such file"),)))
reading("a pipe among files", _pipe_inside, Kept(100, ((0, "pipe"),)))
reading("a pipe", _pipe, "a pipe, not a file")
reading("a socket", _socket, "a socket, not a file")
reading("a folder named .csv", lambda folder: _folder_named_csv(folder).parent.parent, Kept(100))
reading("nothing but pictures", files(a_png=PNG, b_jpg=PNG), "passed over (1 .png, 1 .jpg)")
reading("a file name that is no text", _name_that_is_no_text, Kept(100, ((101, "NUL"),)))
reading("an unknown built-in", lambda folder: Path("builtin:dogs"), "mean 'builtin:docs'")

# labels
PAIR = "text,label\ngood film,pos\nbad film,neg\n"
labels("all one label", file("a.csv", "text,label\ngood film,pos\nfine film,pos\n"), "one label, 'pos'")
labels("no label column", file("a.csv", "text\ngood film\nbad film\n"), "no label column is found")
labels(
    "a label for every row",
    file("a.csv", "text,label\n" + "".join(f"film {n},l{n}\n" for n in range(30))),
    "a label of its own",
)
labels(
    "labels that are times of no calendar",
    file("a.parquet", parquet({"text": ["a b", "b c"], "label": pa.array([0, 2**52], pa.timestamp("ms"))})),
    "a.parquet:2: holds a value that cannot be read",
)
labels("no rows", file("a.csv", "text,label\n"), "there are no labelled rows")
labels("an empty label file", file("a.csv", b""), "there is nothing in it")
labels(
    "labels missing",
    file("a.csv", PAIR + "some film,\n,pos\n"),
    Kept(2, ((4, "'label' is empty"), (5, "'text' is empty"))),
)
labels(
    "labels that are lists",
    file("a.jsonl", b'{"text": "a b", "label": 1}\n{"text": "b", "label": 0}\n{"text": "c", "label": [1]}\n'),
    Kept(2, ((3, "a list"),)),
)
labels("labels in a damaged file", file("a.csv.gz", gzip.compress(PAIR.encode())[:-8]), Kept(2, ((4, "gzip"),)))
labels("labels in a picture", file("a.csv", PNG), "PNG picture")
labels("label seen once", file("a.csv", PAIR + "a fine film,pos\n"), Kept(3))
labels("a folder without classes", files(a_txt=HUNDRED), "no subfolders")
labels(
    "a file of classes that is no text",
    lambda folder: _classes(folder),
    Kept(2, ((0, "PNG"), (0, "is empty"), (2, "NUL"))),
)


def _classes(folder: Path) -> Path:
    for name, content in {
        "pos/a.txt": b"good",
        "neg/b.txt": b"bad",
        "neg/c.txt": PNG,
        "neg/d.txt": b"\n",
        "neg/e.txt": b"x\ny\0z\n" + HUNDRED,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kilobytes stand for the megabytes of a line that is too long, so that the tests are quick."""
    monkeypatch.setattr(text, "LONGEST_LINE", 4096)
    monkeypatch.setattr(streams, "CHUNK", 1024)
    monkeypatch.setattr(records, "LONGEST_RECORD", 8192)
    monkeypatch.chdir(tmp_path)


def test_there_are_fifty_malformed_inputs() -> None:
    assert len(TEXTS) + len(LABELS) >= 50


@pytest.mark.parametrize("name", TEXTS)
def test_text(name: str, tmp_path: Path) -> None:
    make, expected = TEXTS[name]
    path = make(tmp_path)
    if isinstance(expected, str):
        with pytest.raises(SelftaughtError, match=re.escape(expected)):
            read_text(path)
    else:
        rows, tally = read_text(path)
        assert len({(row.file, row.line) for row in rows}) == tally.kept
        check(tally, expected)


@pytest.mark.parametrize("name", LABELS)
def test_labels(name: str, tmp_path: Path) -> None:
    make, expected = LABELS[name]
    path = make(tmp_path)
    if isinstance(expected, str):
        with pytest.raises(SelftaughtError, match=re.escape(expected)):
            read_labels(path)
    else:
        found = read_labels(path)
        assert len(found.examples) == found.tally.kept
        check(found.tally, expected)


def read_text(path: Path) -> tuple[list[Row], Tally]:
    tally = Tally()
    source = open_text(path)
    rows = list(source.rows(tally))
    require_rows(source, tally)
    return rows, tally


def check(tally: Tally, expected: Kept) -> None:
    found = [(record.line, record.why) for record in tally.records]
    assert [line for line, _ in found] == [line for line, _ in expected.quarantined], found
    for (_, why), (_, words) in zip(found, expected.quarantined, strict=True):
        assert words in why
    assert tally.kept == expected.rows
    assert tally.rows == tally.kept + len(tally.records)
    assert all(record.file.encode() for record in tally.records)
