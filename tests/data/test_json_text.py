import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selftaught.data import json_text, records, streams
from selftaught.data.encoding import Encoding
from selftaught.data.files import given_file
from selftaught.data.json_text import json_lines, json_objects
from selftaught.data.records import record_lines
from selftaught.data.source import open_text
from selftaught.data.tally import Tally

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab"\\{}[], 字\n', max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
objects = st.lists(st.dictionaries(st.text("abc", max_size=2), values, max_size=3))
UTF_8 = Encoding("utf-8")
in_tmp = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_tmp
@given(objects=objects, indent=st.sampled_from([None, 1]), piece=st.integers(1, 40))
def test_a_list_is_read_in_a_stream(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    objects: list[dict[str, object]],
    indent: int | None,
    piece: int,
) -> None:
    monkeypatch.setattr(json_text, "PIECE", piece)
    monkeypatch.setattr(streams, "CHUNK", piece)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(objects, indent=indent), "utf-8")
    found = list(json_objects(given_file(path, "a.json"), UTF_8))
    assert [record.values for record in found] == objects
    text = path.read_text("utf-8").splitlines()
    assert all("{" in text[record.line - 1] for record in found)


@in_tmp
@given(objects=objects)
def test_an_object_a_line(tmp_path: Path, objects: list[dict[str, object]]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects), "utf-8")
    found = list(json_lines(record_lines(given_file(path, "a.jsonl"), UTF_8)))
    assert [(record.line, record.values) for record in found] == list(enumerate(objects, 1))


def test_after_broken_objects_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    good = [f'{{"text": "row {number}"}}' for number in range(50)]
    broken = [*good]
    broken[7], broken[30] = '{"text": row 7"}', '{"text" "row 30"}'
    path.write_text("[" + ",\n".join(broken) + "]")
    found = list(json_objects(given_file(path, "a.json"), UTF_8))
    assert [record.line for record in found if record.why] == [8, 31]
    assert [record.values["text"] for record in found if not record.why] == [
        f"row {number}" for number in range(50) if number not in (7, 30)
    ]


def test_a_list_on_one_line_may_be_longer_than_any_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 512)
    monkeypatch.setattr(records, "LONGEST_RECORD", 2048)
    objects = [{"text": f"row number {number}"} for number in range(500)]
    (tmp_path / "a.json").write_text(json.dumps(objects))
    tally = Tally()
    rows = list(open_text(tmp_path / "a.json").rows(tally))
    assert [row.text for row in rows] == [one["text"] for one in objects]
    assert (tally.kept, tally.quarantined) == (500, 0)
