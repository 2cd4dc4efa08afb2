import gzip
import pickle
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selftaught.data import streams, text
from selftaught.data.encoding import Encoding
from selftaught.data.files import DataFile
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.data.text import PlainFile, Row

in_tmp = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path) -> tuple[list[Row], Tally]:
    tally = Tally()
    return list(open_text(path).rows(tally)), tally


def test_a_row_is_a_line_with_the_blank_lines_after_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\none\n\n \ntwo\nthree")
    rows, tally = read(tmp_path / "a.txt")
    name = str(tmp_path / "a.txt")
    assert rows == [Row("one\n\n \n", name, 2, 0), Row("two\n", name, 5, 0), Row("three", name, 6, 0)]
    assert tally.summary() == "3 rows: 3 kept, 0 quarantined"


@in_tmp
@given(content=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0\x1a\ufeff")))
def test_joining_the_rows_of_a_document_gives_the_file_back(tmp_path: Path, content: str) -> None:
    content = content.lstrip()
    (tmp_path / "a.txt").write_text(content, "utf-8", newline="")
    file = DataFile(tmp_path / "a.txt", "a.txt", ".txt", "text", "")
    rows = list(PlainFile(file, Encoding("utf-8")).rows(Tally(), iter([0])))
    assert "".join(row.text for row in rows) == content
    assert all(row.text.strip() for row in rows)


@in_tmp
@given(lines=st.lists(st.binary().map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))))
def test_of_any_bytes_each_line_is_kept_as_it_is_or_quarantined(tmp_path: Path, lines: list[bytes]) -> None:
    (tmp_path / "a.txt").write_bytes(b"\n".join(lines))
    file = DataFile(tmp_path / "a.txt", "a.txt", ".txt", "text", "")
    tally = Tally()
    rows = list(PlainFile(file, Encoding("utf-8")).rows(tally, iter([0])))
    kept, bad = {}, set()
    for number, line in enumerate(lines, 1):
        try:
            if b"\0" in line:
                bad.add(number)
            elif line.decode().strip():
                kept[number] = line.decode()
        except UnicodeDecodeError:
            bad.add(number)
    assert {row.line: row.text.split("\n")[0] for row in rows} == kept
    assert {record.line for record in tally.records} == bad
    assert tally.rows == len(kept) + len(bad)


@in_tmp
@given(words=st.lists(st.text("ab字é\U0001f600", min_size=1, max_size=40), min_size=1), chunk=st.integers(1, 50))
@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "utf-16-le"])
def test_a_long_line_comes_in_pieces_that_join_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, words: list[str], chunk: int
) -> None:
    monkeypatch.setattr(streams, "CHUNK", chunk)
    monkeypatch.setattr(text, "LONGEST_LINE", 16)
    line = " ".join(words)
    (tmp_path / "a.txt").write_bytes(f"first\n{line}\nlast\n".encode(codec))
    file = DataFile(tmp_path / "a.txt", "a.txt", ".txt", "text", "")
    tally = Tally()
    rows = list(PlainFile(file, Encoding(codec)).rows(tally, iter([0])))
    assert "".join(row.text for row in rows) == f"first\n{line}\nlast\n"
    assert [row.line for row in rows] == sorted(row.line for row in rows)
    assert {row.line for row in rows} == {1, 2, 3}
    assert tally.kept == 3
    assert all(len(row.text.encode("utf-8")) <= 4 * 16 + chunk + 8 for row in rows)


def test_packed_files_read_as_unpacked_ones(tmp_path: Path) -> None:
    content = "".join(f"line {number} 字\n" for number in range(2000)).encode()
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(content[:9000]) + gzip.compress(content[9000:]))
    (tmp_path / "c.txt.zst").write_bytes(zstandard.compress(content[:9000]) + zstandard.compress(content[9000:]))
    rows, _ = read(tmp_path)
    texts = [[row.text for row in rows if row.document == document] for document in range(3)]
    assert len(texts[0]) == 2000
    assert texts[0] == texts[1] == texts[2]


def test_a_file_is_a_document_and_so_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one\ntwo\n")
    (tmp_path / "b.jsonl").write_text('{"text": "three"}\n{"text": "four"}\n')
    (tmp_path / "c.txt").write_text("five\n")
    rows, _ = read(tmp_path)
    assert [(row.text, row.document) for row in rows] == [
        ("one\n", 0), ("two\n", 0), ("three", 1), ("four", 2), ("five\n", 3),
    ]  # fmt: skip


def test_a_source_can_be_read_again_and_pickled(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,one or two\n")
    source = open_text(tmp_path)
    first = list(source.rows(Tally()))
    assert list(source.rows(Tally())) == first
    assert list(pickle.loads(pickle.dumps(source)).rows(Tally())) == first
