import contextlib
import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selftaught.data.labels import read_labels
from selftaught.data.source import open_text, require_rows
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError


def texts(path: Path, **options: str) -> list[str]:
    return [row.text for row in open_text(path, **options).rows(Tally())]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"id": 1, "text": "one, two"}\n{"id": 2, "text": "three"}\n'),
        ("a.ndjson", '{"id": 1, "body": "one, two"}\n\n{"id": 2, "body": "three"}\n'),
        ("a.json", '[{"id": 1, "text": "one, two"}, {"id": 2, "text": "three"}]'),
        ("a.json", '[\n {\n  "id": 1,\n  "text": "one, two"\n },\n {\n  "text": "three"\n }\n]\n'),
        ("a.json", '{\n "text": "one, two"\n}\n{\n "text": "three"\n}\n'),
        ("a.csv", 'id,text\n1,"one, two"\n2,three\n'),
        ("a.csv", "id;text\n1;one, two\n2;three\n"),
        ("a.csv", "id\ttext\n1\tone, two\n2\tthree\n"),
        ("a.csv", 'text\n"one, two"\nthree\n'),
        ("a.csv", "text\none, two\nthree\n"),
        ("a.tsv", "one, two\t1\nthree\t0\n"),
        ("a.tsv", 'text\tlabel\n"one, two"\t1\n"three"\t0\n'),
        ("a.tsv", "标签\t评论\r\n1\tone, two\r\n2\tthree\r\n"),
    ],
)
def test_the_text_is_found_in_every_habit_of_every_format(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert texts(tmp_path / name) == ["one, two", "three"]


def test_parquet_plain_and_packed(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "content": ["one", "two"]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert texts(tmp_path) == ["one", "two", "one", "two"]


def test_a_folder_is_read_in_the_order_of_its_path_parts(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.txt", "a b.txt", "a/.hidden.txt", ".git/c.txt", "a/picture.png", "LICENSE"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert texts(tmp_path) == ["a/z.txt", "a b.txt", "b.txt"]
    assert "2 passed over (1 LICENSE, 1 .png)" in open_text(tmp_path).description


def test_the_description_echoes_what_was_detected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("编号;内容\n1;你好，世界\n2;很高兴认识你\n".encode("gb18030"))
    description = open_text(tmp_path / "a.csv").description
    assert "a.csv: .csv, separated by semicolons, GB18030, text in column '内容'" in description


def test_the_text_column_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,body\nshort,a long body\n")
    assert texts(tmp_path / "a.csv") == ["a long body"]
    assert texts(tmp_path / "a.csv", text="title") == ["short"]


def test_a_wrong_column_name_lists_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,body\nshort,a long body\n")
    with pytest.raises(SelftaughtError, match=r"(?s)no column 'tilte'.*title, body.*mean 'title'"):
        open_text(tmp_path / "a.csv", text="tilte")


def test_a_column_of_plain_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words\n")
    with pytest.raises(SelftaughtError, match="only files of plain text"):
        open_text(tmp_path, text="body")


def test_an_unknown_suffix_is_sniffed(tmp_path: Path) -> None:
    (tmp_path / "reviews.pos").write_text("good\nfine\n")
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 9)
    assert texts(tmp_path / "reviews.pos") == ["good\n", "fine\n"]
    with pytest.raises(SelftaughtError, match="binary data"):
        open_text(tmp_path / "data.bin")


def test_the_fingerprint_follows_path_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one\n")
    os.utime(file, ns=(0, 1_000))
    first = open_text(tmp_path).fingerprint
    assert open_text(tmp_path).fingerprint == first
    os.utime(file, ns=(0, 2_000))
    later = open_text(tmp_path).fingerprint
    file.rename(tmp_path / "b.txt")
    assert len({first, later, open_text(tmp_path).fingerprint}) == 3


def test_no_rows_at_all_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n')
    source, tally = open_text(tmp_path / "a.jsonl", text="text"), Tally()
    assert list(source.rows(tally)) == []
    with pytest.raises(SelftaughtError, match=r"a\.jsonl:1: column 'text' is empty"):
        require_rows(source, tally)


RECORDS = [{"text": f'a "row", {number} 字', "label": number % 2} for number in range(30)]
SOUND = {
    "a.txt": "字\n".join(map(str, range(99))).encode("gb18030"),
    "a.md": "déjà vu\n\n".encode("utf-16") * 9,
    "a.jsonl": "".join(json.dumps(record) + "\n" for record in RECORDS).encode(),
    "a.json": json.dumps(RECORDS, indent=1).encode(),
    "a.csv": "".join(f'"a ""row"", {number}\n",{number}\n' for number in range(30)).encode(),
    "a.tsv": b'a "row\t1\nb\t2\n' * 9,
}
damages = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 9),
        st.sampled_from([b"", b'"', b"\n", b"\0", b"\xff", b"{]", b"\r\t"]),
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(list(SOUND)),
    packing=st.sampled_from(["", ".gz", ".zst"]),
    inner=damages,
    outer=damages,
)
def test_no_damage_is_a_traceback_or_a_row_unaccounted_for(
    tmp_path: Path,
    name: str,
    packing: str,
    inner: list[tuple[int, int, bytes]],
    outer: list[tuple[int, int, bytes]],
) -> None:
    content = damaged(SOUND[name], inner)
    if packing:
        pack = gzip.compress if packing == ".gz" else zstandard.compress
        content = damaged(pack(content), outer)
    path = tmp_path / (name + packing)
    path.write_bytes(content)
    tally, rows = Tally(), []
    with contextlib.suppress(SelftaughtError):
        rows = list(open_text(path).rows(tally))
    assert tally.kept == len({(row.line, row.document) for row in rows})
    assert all(row.text.strip() and "\0" not in row.text and row.text.encode() for row in rows)
    with contextlib.suppress(SelftaughtError):
        labels = read_labels(path)
        assert labels.tally.kept == len(labels.examples)


def damaged(content: bytes, damages: list[tuple[int, int, bytes]]) -> bytes:
    for place, removed, added in damages:
        content = content[:place] + added + content[place + removed :]
    return content
