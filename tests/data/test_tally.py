import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.tally import IN_MEMORY, Tally


def test_the_summary_is_one_sentence() -> None:
    tally = Tally()
    tally.keep(999)
    tally.quarantine("a.jsonl", 17, "is not JSON")
    assert tally.summary() == "1000 rows: 999 kept, 1 quarantined"
    assert str(tally.records[0]) == "a.jsonl:17: is not JSON"
    assert tally.note("labels") == [
        "labels: 1000 rows: 999 kept, 1 quarantined; the first: a.jsonl:17: is not JSON",
    ]
    assert Tally().note("labels") == []


def test_a_whole_file_is_named_without_a_line() -> None:
    tally = Tally()
    tally.quarantine("a.png", 0, "is a picture")
    assert str(tally.records[0]) == "a.png: is a picture"


@given(st.lists(st.booleans()))
def test_rows_are_kept_or_quarantined(rows: list[bool]) -> None:
    tally = Tally()
    for number, good in enumerate(rows, 1):
        if good:
            tally.keep()
        else:
            tally.quarantine("a.txt", number, "bad")
    assert tally.rows == len(rows) == tally.kept + tally.quarantined
    assert [record.line for record in tally.records] == [n for n, good in enumerate(rows, 1) if not good]


def test_memory_is_bounded_and_the_log_loses_nothing(tmp_path: Path) -> None:
    tally = Tally(log=tmp_path / "quarantine.jsonl")
    for number in range(IN_MEMORY + 5):
        tally.quarantine("文.txt", number, "bad")
    assert tally.quarantined == IN_MEMORY + 5
    assert len(tally.records) == IN_MEMORY
    logged = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text("utf-8").splitlines()]
    assert [entry["line"] for entry in logged] == list(range(IN_MEMORY + 5))
    assert logged[0] == {"file": "文.txt", "line": 0, "why": "bad"}


def test_json_has_the_stable_shape() -> None:
    tally = Tally()
    tally.keep(2)
    tally.quarantine("a.txt", 3, "bad")
    assert tally.to_json() == {
        "rows": 3,
        "kept": 2,
        "quarantined_rows": 1,
        "quarantined": [{"file": "a.txt", "line": 3, "why": "bad"}],
    }


def test_what_another_reading_set_aside_is_taken_over_to_the_last_row() -> None:
    one, other = Tally(), Tally()
    for line in range(IN_MEMORY + 5):
        other.quarantine("a.txt", line, "is bad")
    one.quarantine("b.txt", 1, "is bad")
    one.take_over(other)
    assert one.quarantined == IN_MEMORY + 6
    assert len(one.records) == IN_MEMORY
