"""Questions from files: SQuAD's JSON, files side by side, records; every row is kept or named."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.examples import Columns, Examples
from selftaught.data.question_files import read_questions
from selftaught.data.questions import Question
from selftaught.data.squad import _lines
from selftaught.errors import SelftaughtError

CONTEXT = "The red fox met a red hen."


def qa(**values: Any) -> dict[str, Any]:
    return {"id": "q", "question": "Who?", "answers": [{"text": "fox", "answer_start": 8}], **values}


def squad(*questions: Any, context: Any = CONTEXT) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


def write(path: Path, content: Any, **options: Any) -> Path:
    path.write_text(json.dumps(content, **options), encoding="utf-8")
    return path


def read(path: Path, *, labelled: bool = True, **columns: str) -> Examples[Question]:
    found = read_questions(path, Columns(**columns), labelled=labelled)
    assert found.tally.kept == len(found.examples)
    assert all(record.line >= 1 for record in found.tally.records)
    return found


def test_squad_with_and_without_answers(tmp_path: Path) -> None:
    several = [{"text": "red hen", "answer_start": 18}, {"text": "hen", "answer_start": 22}]
    content = squad(qa(), qa(answers=several, is_impossible=False), qa(answers=[], is_impossible=True))
    found = read(write(tmp_path / "a.json", content, indent=1))
    assert [(one.answers, one.context[one.begin : one.end]) for one in found.examples] == [
        (("fox",), "fox"),
        (("red hen", "hen"), "red hen"),
        ((), ""),
    ]
    assert "SQuAD's JSON, UTF-8, 3 questions about 1 contexts, 1 of them without an answer" in found.description


def test_a_question_knows_its_line_and_a_bad_one_its_id_and_place(tmp_path: Path) -> None:
    content = squad(qa(), qa(id="off", answers=[{"text": "fox", "answer_start": 7}]), 5, qa(id="mute", question=" "))
    path = write(tmp_path / "a.json", content, indent=1)
    lines = path.read_text(encoding="utf-8").splitlines()
    found = read(path)
    assert '"question"' in lines[found.examples[0].line - 1]
    assert found.tally.summary() == "4 rows: 1 kept, 3 quarantined"
    off, five, mute = found.tally.records
    place = "data[0].paragraphs[0].qas"
    assert off.why == (
        f"question off ({place}[1]): the answer 'fox' does not stand at character 7 of its context, but at 8"
    )
    assert '"question"' in lines[off.line - 1]
    assert '"off"' in lines[off.line - 2]
    assert five.why == f"{place}[2]: is no object"
    assert mute.why == f"question mute ({place}[3]): column 'question' is empty"


def test_a_file_on_one_line_names_questions_all_the_same(tmp_path: Path) -> None:
    content = squad(qa(), qa(id="off", answers=[{"text": "cat", "answer_start": 7}]))
    found = read(write(tmp_path / "a.json", content))
    assert [str(record) for record in found.tally.records] == [
        f"{tmp_path}/a.json:1: question off (data[0].paragraphs[0].qas[1]): the answer 'cat' does not stand at "
        "character 7 of its context, nor anywhere else in it"
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"data": [{"paragraphs": [{"context": CONTEXT, "qas": [qa()]}, {"context": CONTEXT}]}]}, "it has no 'qas'"),
        ({"data": [{"paragraphs": [{"context": CONTEXT, "qas": [qa()]}, "text"]}]}, "paragraphs[1]: is no object"),
        ({"data": [squad(qa())["data"][0], {"paragraphs": None}]}, "data[1].paragraphs: is no object"),
        ({"data": [squad(qa())["data"][0], 4]}, "data[1]: is no object"),
        ({"data": [squad(qa())["data"][0], squad(qa(), context="")["data"][0]]}, "column 'context' is empty"),
        ({"data": [squad(qa())["data"][0], {"paragraphs": [{"context": CONTEXT, "qas": 3}]}]}, "qas: is no object"),
    ],
)
def test_what_is_no_question_is_named(content: Any, why: str, tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.json", content))
    assert found.tally.summary() == "2 rows: 1 kept, 1 quarantined"
    assert why in found.tally.records[0].why


def test_articles_need_no_data_around_them_and_paragraphs_no_articles(tmp_path: Path) -> None:
    paragraph = squad(qa())["data"][0]["paragraphs"][0]
    for content in ([{"paragraphs": [paragraph]}], {"data": [paragraph]}, {"data": [{**qa(), "context": CONTEXT}]}):
        assert [one.answers for one in read(write(tmp_path / "a.json", content)).examples] == [("fox",)]


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", squad(qa()), indent=1)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:12]), encoding="utf-8")
    with pytest.raises(SelftaughtError, match="is not JSON") as caught:
        read(path)
    assert caught.value.where == f"{path}:13"


@pytest.mark.parametrize(("byte", "why"), [(b"\xfc", "half a character"), (b"\0", "contains NUL bytes")])
def test_a_byte_that_is_no_text_spoils_its_own_question_only(byte: bytes, why: str, tmp_path: Path) -> None:
    content = squad(*(qa(question=f"Wo war der große Fuchs {i}?") for i in range(4)))
    raw = json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8")
    path = tmp_path / "a.json"
    path.write_bytes(raw.replace(b"Fuchs 2", b"F" + byte + b"chse"))
    found = read(path)
    assert found.tally.summary() == "4 rows: 3 kept, 1 quarantined"
    assert why in found.tally.records[0].why


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "gb18030"])
def test_other_encodings_and_packings(codec: str, tmp_path: Path) -> None:
    context = "《红楼梦》是曹雪芹所著的长篇小说，这是一部中国古典名著，大家都很喜欢它。" * 4
    content = squad(qa(answers=[{"text": "曹雪芹", "answer_start": 6}]), context=context)
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content, ensure_ascii=False).encode(codec)))
    assert [one.answers for one in read(path).examples] == [("曹雪芹",)]


@given(st.lists(st.integers(0, 3), max_size=8), st.sampled_from(["question", 'a "question": b', "\n\\"]))
def test_lines_are_those_of_the_questions_whatever_stands_in_texts(gaps: list[int], title: str) -> None:
    rows = [{"title": title, "question": f"{title} {i}"} for i in range(len(gaps))]
    text = "[" + ",".join("\n" * gap + json.dumps(row) for gap, row in zip(gaps, rows, strict=True)) + "]"
    expected = [1 + sum(gaps[: i + 1]) for i in range(len(gaps))]
    assert _lines(text, len(rows)) == expected
    assert _lines(text, len(rows) + 1) == [1] * (len(rows) + 1)


FLAT = {"question": "Who?", "context": CONTEXT, "answers": {"text": ["fox"], "answer_start": [8]}}


def test_records_in_lines(tmp_path: Path) -> None:
    rows = [FLAT, {**FLAT, "answers": {"text": ["fox"], "answer_start": [3]}}, {**FLAT, "answers": {"text": []}}]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n", encoding="utf-8")
    found = read(path)
    assert [(one.answers, one.line) for one in found.examples] == [(("fox",), 1), ((), 3)]
    assert [record.line for record in found.tally.records] == [2, 4]
    assert "question in column 'question', context in 'context', answers in 'answers'" in found.description


def test_records_in_parquet_and_tables(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([FLAT, FLAT]), tmp_path / "a.parquet")
    assert [one.begin for one in read(tmp_path / "a.parquet").examples] == [8, 8]
    (tmp_path / "a.csv").write_text(
        f"question,context,answer,answer_start\nWho?,{CONTEXT},red,18\nWho?,{CONTEXT},red,\n", encoding="utf-8"
    )
    found = read(tmp_path / "a.csv")
    assert [one.begin for one in found.examples] == [18, 4]


def test_columns_can_be_named_and_one_that_is_missing_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"ask": "Who?", "story": CONTEXT, "gold": "fox"}) + "\n", encoding="utf-8")
    found = read(path, text="ask", second="story", label="gold")
    assert found.examples[0].answers == ("fox",)
    with pytest.raises(SelftaughtError, match="no second text column is found; the columns are ask, story, gold"):
        read(path, text="ask")


def side_by_side(folder: Path, **parts: str) -> Path:
    content = {
        "context": "The red fox met it in 1920–1972 .\n",
        "question": "Who ?\n",
        "answer": "red fox\n",
        "span": "1 2\n",
    }
    for suffix, text in {**content, **parts}.items():
        (folder / f"set.{suffix}").write_text(text, encoding="utf-8")
    return folder / "set"


@pytest.mark.parametrize("named", ["", ".question", ".context", ".answer", ".span"])
def test_files_side_by_side_by_any_of_their_names(named: str, tmp_path: Path) -> None:
    stem = side_by_side(tmp_path)
    (found,) = read(Path(f"{stem}{named}")).examples
    assert (found.answers, found.begin, found.end, found.line) == (("red fox",), 4, 11, 1)
    assert found.file == f"{stem}.question"
    assert read(tmp_path).examples == (found,)


@pytest.mark.parametrize(
    ("answer", "span", "found"),
    [
        ("1972", "6 6", (27, 31)),  # within its token
        ("fox met it", "2 3", (8, 18)),  # longer than its span
        ("fox", "3 3", "the answer 'fox' does not stand at its span 3 3, 'met'"),
        ("fox", "2 8", "the span is 2 8, and the context has 8 tokens"),
        ("fox", "3 2", "the span is 3 2"),
        ("fox", "2", "the span is '2', not two whole numbers"),
        ("fox", "", "the span is ''"),
        ("", "2 2", "'answers' is empty"),
    ],
)
def test_an_answer_stands_at_its_span_or_is_named(answer: str, span: str, found: Any, tmp_path: Path) -> None:
    good = {"answer": "red fox\n", "span": "1 2\n"}
    twice = {"question": "Who ?\n" * 2, "context": "The red fox met it in 1920–1972 .\n" * 2}
    stem = side_by_side(tmp_path, **twice, answer=f"{answer}\n{good['answer']}", span=f"{span}\n{good['span']}")
    read_ = read(stem)
    if isinstance(found, str):
        assert read_.tally.summary() == "2 rows: 1 kept, 1 quarantined"
        assert found in read_.tally.records[0].why
        assert read_.tally.records[0].line == 1
    else:
        assert (read_.examples[0].begin, read_.examples[0].end) == found


def test_a_file_that_is_too_short_is_named_line_by_line(tmp_path: Path) -> None:
    stem = side_by_side(
        tmp_path, question="Who ?\nWhat ?\n", context="A fox .\nA hen .\n", answer="fox\n", span="1 1\n"
    )
    found = read(stem)
    assert [str(record) for record in found.tally.records] == [f"{stem}.question:2: set.answer has no such line"]
    assert [one.question for one in read(stem, labelled=False).examples] == ["Who ?", "What ?"]
    (tmp_path / "set.span").unlink()
    with pytest.raises(SelftaughtError, match="cannot be read") as caught:
        read(stem)
    assert caught.value.where == f"{stem}.span"


def test_one_of_several_sets_must_be_named(tmp_path: Path) -> None:
    side_by_side(tmp_path)
    for suffix in (".question", ".context"):
        (tmp_path / f"other{suffix}").write_text("a\n", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="2 sets of questions in it: other, set"):
        read(tmp_path)


def test_without_targets_nothing_of_them_is_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", squad({"question": "Who?"}, qa(answers=[{"text": "cat"}])))
    found = read(path, labelled=False)
    assert [(one.inputs["question"], one.answers) for one in found.examples] == [("Who?", ()), ("Who?", ())]


def test_a_column_of_a_file_without_columns_is_a_mistake(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", squad(qa()))
    with pytest.raises(SelftaughtError, match="a column 'ask' was asked for, but this file has no columns"):
        read(path, text="ask")


@pytest.mark.parametrize("name", ["none.json", "x" * 5000, "", "set.question"])
def test_what_is_not_there_is_a_clear_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SelftaughtError):
        read_questions(name, Columns())
