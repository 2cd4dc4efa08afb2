"""Sources and targets: which columns they are, what lists mean, and no row is lost."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.examples import Columns, Examples
from selftaught.data.source_target import SourceTarget, of_one_record, read_source_target
from selftaught.errors import SelftaughtError


def written(folder: Path, name: str, content: str) -> Path:
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return file


def records(folder: Path, *rows: Any) -> Path:
    return written(folder, "a.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def pairs(found: Examples[SourceTarget]) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.source, one.targets) for one in found.examples]


def test_a_table_without_a_header_is_read_from_left_to_right(tmp_path: Path) -> None:
    """Tatoeba's file, as it is published."""
    file = written(tmp_path, "cmn.txt", "Hi.\t嗨。\nHow are you?\t你好吗？\nI know that.\t我知道。\n")
    found = read_source_target(file, Columns())
    assert pairs(found)[1] == ("How are you?", ("你好吗？",))
    assert found.tally.kept == 3


def test_a_column_that_never_changes_is_neither(tmp_path: Path) -> None:
    """CSL's file: a word that names the task stands before the abstract and the title."""
    rows = "".join(f"to title\t本文研究了{i}号对象的许多性质和用途。\t{i}号对象\n" for i in "甲乙丙丁")
    found = read_source_target(written(tmp_path, "dev.tsv", rows), Columns())
    assert pairs(found)[0] == ("本文研究了甲号对象的许多性质和用途。", ("甲号对象",))


def test_two_columns_called_after_languages_are_a_translation(tmp_path: Path) -> None:
    rows = "page\ten\tzh\tcommand\nls.md\tList all of the files.\t列出文件。\tls\nrm.md\tRemove a file.\t删除文件。\t\n"
    file = written(tmp_path, "tldr.tsv", rows)
    assert pairs(read_source_target(file, Columns()))[1] == ("Remove a file.", ("删除文件。",))
    turned = read_source_target(file, Columns(text="zh"))
    assert pairs(turned)[1] == ("删除文件。", ("Remove a file.",))
    named = read_source_target(file, Columns(text="command", label="zh"))
    assert pairs(named) == [("ls", ("列出文件。",))]
    assert [(one.line, one.why) for one in named.tally.records] == [(3, "column 'command' is empty")]


def test_a_list_is_a_source_line_by_line_and_several_targets(tmp_path: Path) -> None:
    """SciTLDR: the sentences of an abstract, and summaries by several people."""
    file = records(tmp_path, {"source": ["One.", "Two."], "target": ["1", "2"], "labels": [0, 1]})
    assert pairs(read_source_target(file, Columns())) == [("One.\nTwo.", ("1", "2"))]


def test_every_turn_that_answers_is_a_target_of_all_that_was_said_before(tmp_path: Path) -> None:
    chat = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Me."},
    ]
    found = read_source_target(records(tmp_path, {"messages": chat}, {"messages": chat[:2]}), Columns())
    assert pairs(found) == [("Be short.\nHello?", ("Hi.",)), ("Be short.\nHello?\nHi.\nWho?", ("Me.",))]
    assert [(one.line, one.why) for one in found.tally.records] == [(2, "holds no turn that answers another")]
    asked = read_source_target(records(tmp_path, {"messages": chat[:2]}), Columns(), labelled=False)
    assert pairs(asked) == [("Be short.\nHello?", ())]
    plain = read_source_target(records(tmp_path, {"dialog": ["a", "b", "c"]}), Columns())
    assert pairs(plain) == [("a", ("b",)), ("a\nb", ("c",))]


def test_the_fields_of_an_object_are_columns_of_their_own(tmp_path: Path) -> None:
    """WMT's and OPUS' files."""
    file = records(tmp_path, {"translation": {"de": "Ein Fuchs.", "en": "A fox."}}, {"translation": {"de": "Zwei."}})
    found = read_source_target(file, Columns())
    assert pairs(found) == [("Ein Fuchs.", ("A fox.",))]
    assert [(one.line, one.why) for one in found.tally.records] == [(2, "has no value in column 'translation.en'")]
    assert pairs(read_source_target(file, Columns(text="translation.en"))) == [("A fox.", ("Ein Fuchs.",))]


def test_an_instruction_is_read_with_its_input(tmp_path: Path) -> None:
    """Alpaca's files."""
    rows = [
        {"instruction": "Add.", "input": "1, 2", "output": "3"},
        {"instruction": "Sing.", "input": "", "output": "la"},
    ]
    found = read_source_target(records(tmp_path, *rows), Columns())
    assert pairs(found) == [("Add.\n1, 2", ("3",)), ("Sing.", ("la",))]


def test_the_turns_of_a_dialogue_stay_on_one_side_of_a_split(tmp_path: Path) -> None:
    found = read_source_target(records(tmp_path, {"dialog": ["a", "b", "c"]}, {"dialog": ["a", "d"]}), Columns())
    one, other, alone = of_one_record(found.examples)
    assert one == other != alone == "a"


def test_bad_rows_are_named_by_line_and_the_rest_is_kept(tmp_path: Path) -> None:
    rows = ["source,target", "a fox,un renard", "a heron,", ",une loutre", "an otter,une loutre", "b,c,d"]
    found = read_source_target(written(tmp_path, "a.csv", "\n".join(rows) + "\n"), Columns())
    assert [one.source for one in found.examples] == ["a fox", "an otter"]
    assert [one.line for one in found.tally.records] == [3, 4, 6]
    assert found.tally.records[0].why == "column 'target' is empty"
    assert found.tally.rows == 5


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"source": "a", "target": []}, "column 'target' is empty"),
        ({"source": "a", "target": ["b", ""]}, "column 'target' is empty"),
        ({"source": ["a", 3], "target": "b"}, "column 'source' holds a list, not text"),
        ({"source": "a", "target": 3}, "column 'target' holds a number, not text"),
        ({"source": "a"}, "has no value in column 'target'"),
    ],
)
def test_what_is_no_target(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    found = read_source_target(records(tmp_path, {"source": "a", "target": "b"}, row), Columns())
    assert [(one.line, one.why) for one in found.tally.records] == [(2, why)]


def test_one_column_of_text_is_no_pair(tmp_path: Path) -> None:
    file = written(tmp_path, "a.csv", "text,label\nsome words here,1\nother words there,2\n")
    with pytest.raises(SelftaughtError, match="no label column is found"):
        read_source_target(file, Columns())
    with pytest.raises(SelftaughtError, match="--second"):
        read_source_target(file, Columns(second="label"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner),
    max_leaves=6,
)


@given(rows=st.lists(st.fixed_dictionaries({"source": _JSON, "target": _JSON}), min_size=1, max_size=6))
def test_every_record_is_kept_or_named(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    file = records(tmp_path_factory.mktemp("any"), {"source": "a fox", "target": "un renard"}, *rows)
    found = read_source_target(file, Columns("source", None, "target"))
    assert found.tally.rows == len(rows) + 1
    assert len(found.examples) == found.tally.kept
    assert all(one.source and one.targets and all(one.targets) for one in found.examples)
