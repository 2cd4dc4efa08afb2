"""Minimal pairs as BLiMP has them; every row that is not used is named."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selftaught.data.minimal_pairs import MinimalPair, read_minimal_pairs
from selftaught.errors import SelftaughtError

ROW: dict[str, Any] = {
    "sentence_good": "Who have those men revealed they helped?",
    "sentence_bad": "Who have those men revealed who helped?",
    "field": "syntax",
    "linguistics_term": "island_effects",
    "UID": "wh_island",
    "simple_LM_method": True,
    "pairID": "0",
}


def lines(*rows: object) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def test_a_row_of_the_original_release(tmp_path: Path) -> None:
    file = tmp_path / "wh_island.jsonl"
    file.write_text(lines(ROW), encoding="utf-8")
    found = read_minimal_pairs(file)
    pair = MinimalPair(ROW["sentence_good"], ROW["sentence_bad"], "wh_island", "island_effects", "syntax", str(file), 1)
    assert found.pairs == (pair,)


def test_all_files_of_a_folder_but_for_notes_beside_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "SOURCE.txt").write_text("where this is from\n", encoding="utf-8")
    (tmp_path / "data" / "a.jsonl").write_text(lines(ROW, ROW), encoding="utf-8")
    (tmp_path / "data" / "b.jsonl.gz").write_bytes(gzip.compress(lines(ROW).encode()))
    pq.write_table(pa.Table.from_pylist([ROW] * 4), tmp_path / "data" / "c.parquet")
    found = read_minimal_pairs(tmp_path)
    assert len(found.pairs) == found.tally.rows == 7


def test_two_spellings_of_one_field_are_one(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(lines({**ROW, "field": "syntax/semantics"}, {**ROW, "field": "syntax_semantics"}), encoding="utf-8")
    assert {pair.field for pair in read_minimal_pairs(file).pairs} == {"syntax_semantics"}


def test_a_pair_without_a_name_is_called_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "my_pairs.jsonl"
    file.write_text(lines({"sentence_good": "I am.", "sentence_bad": "I is."}), encoding="utf-8")
    (pair,) = read_minimal_pairs(file).pairs
    assert (pair.paradigm, pair.phenomenon, pair.field) == ("my_pairs", "unnamed", "unnamed")


def test_bad_rows_are_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows: list[object] = [
        ROW,
        "{broken",
        {**ROW, "sentence_bad": ""},
        {"sentence_good": "Half a pair."},
        {**ROW, "sentence_good": 7},
        ["a", "list"],
        {**ROW, "sentence_bad": "far too long for it"},
        ROW,
    ]
    file.write_text(lines(*rows), encoding="utf-8")
    found = read_minimal_pairs(file, lambda text: "has 9 tokens too many" if "too long" in text else "")
    assert [pair.line for pair in found.pairs] == [1, 8]
    assert found.tally.rows == 8
    assert {(record.file, record.line) for record in found.tally.records} == {(str(file), n) for n in range(2, 8)}
    whys = {record.line: record.why for record in found.tally.records}
    assert "not JSON" in whys[2]
    assert whys[3] == "column 'sentence_bad' is empty"
    assert whys[4] == "has no value in column 'sentence_bad'"
    assert whys[5] == "column 'sentence_good' holds a number, not text"
    assert whys[7] == "column 'sentence_bad' has 9 tokens too many"


def test_a_file_without_pairs_says_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(lines({"text": "no pair"}), encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no minimal pairs") as told:
        read_minimal_pairs(file)
    assert "sentence_good" in str(told.value)
    with pytest.raises(SelftaughtError):
        read_minimal_pairs(tmp_path / "absent")


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(SelftaughtError, match="no minimal pairs"):
        read_minimal_pairs(tmp_path)
