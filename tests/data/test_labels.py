from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selftaught.data.examples import LabelledText
from selftaught.data.labels import read_labels, read_unlabelled
from selftaught.errors import SelftaughtError


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.csv", "text,label\ngood film,pos\nbad film,neg\n", ("text", "label")),
        ("a.csv", "label,review\npos,good film\nneg,bad film\n", ("review", "label")),
        ("a.csv", "id,intent,utterance\n7,pos,good film\n8,neg,bad film\n", ("utterance", "intent")),
        ("a.tsv", "good film\tpos\nbad film\tneg\ngood film\tpos\nbad film\tneg\n", ("1", "2")),
        ("a.txt", "good film\tpos\nbad film\tneg\ngood film\tpos\nbad film\tneg\n", ("1", "2")),
        ("a.jsonl", '{"y": "pos", "text": "good film"}\n{"y": "neg", "text": "bad film"}\n', ("text", "y")),
        ("a.json", '[{"class": "pos", "x": "good film"}, {"class": "neg", "x": "bad film"}]', ("x", "class")),
    ],
)
def test_the_columns_are_found(tmp_path: Path, name: str, content: str, columns: tuple[str, str]) -> None:
    (tmp_path / name).write_text(content)
    labels = read_labels(tmp_path / name)
    assert (labels.text_column, labels.label_column) == columns
    assert [(one.text, one.label) for one in labels.examples[:2]] == [
        ("good film", "pos"),
        ("bad film", "neg"),
    ]


def test_an_example_knows_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"good\nfilm",1\nbad film,0\n')
    name = str(tmp_path / "a.csv")
    assert read_labels(name).examples == (
        LabelledText("good\nfilm", "1", name, 2),
        LabelledText("bad film", "0", name, 4),
    )


def test_labels_of_any_plain_type_are_strings(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a b", "c d", "e f"], "label": [0, 1, None]}), tmp_path / "a.parquet")
    labels = read_labels(tmp_path / "a.parquet")
    assert [one.label for one in labels.examples] == ["0", "1"]
    assert [(record.line, record.why) for record in labels.tally.records] == [(3, "has no value in column 'label'")]


def test_a_column_of_few_values_is_the_label(tmp_path: Path) -> None:
    rows = "".join(f"{number},some words of row {number},{number % 3}\n" for number in range(30))
    (tmp_path / "a.csv").write_text("id,words,group\n" + rows)
    labels = read_labels(tmp_path / "a.csv")
    assert (labels.text_column, labels.label_column) == ("words", "group")
    assert labels.counts == {"0": 10, "1": 10, "2": 10}


def test_folders_named_by_class(tmp_path: Path) -> None:
    for name, content in {
        "neg/b.txt": "bad\n\nfilm\n",
        "pos/a.md": "good",
        "pos/in/c.txt": "fine",
        "x.txt": "-",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    labels = read_labels(tmp_path)
    assert [(one.text, one.label) for one in labels.examples] == [
        ("bad\n\nfilm", "neg"), ("good", "pos"), ("fine", "pos"),
    ]  # fmt: skip
    assert "1 files beside the subfolders passed over" in labels.description


def test_duplicates_and_conflicts_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na b,1\na b,1\na b,0\nc d,0\nc d,0\nc d,0\n")
    labels = read_labels(tmp_path / "a.csv")
    assert (len(labels.examples), labels.duplicates, labels.conflicts) == (6, 3, 1)


def test_the_description_echoes_columns_and_rare_labels(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na b,1\nc d,1\ne f,0\n")
    description = read_labels(tmp_path / "a.csv").description
    assert "text in column 'text', label in column 'label'" in description
    assert "3 examples of 2 labels; 1 labels seen once ('0')" in description


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: read_labels(path, text="text", label="text"), "one and the same column"),
        (lambda path: read_labels(path, label="lable"), "no column 'lable'"),
        (lambda path: read_labels(path, text="txt"), "mean 'text'"),
        (lambda path: read_labels(path.with_name("b.csv")), "nothing can be read"),
        (lambda path: read_labels("builtin:docs", label="x"), "has no columns"),
        (lambda path: read_labels("builtin:dogs"), "mean 'builtin:docs'"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, call: Callable[[Path], object], words: str) -> None:
    (tmp_path / "a.csv").write_text("text,label\na b,1\nc d,0\n")
    with pytest.raises(SelftaughtError, match=words):
        call(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.jsonl",
            '{"text": "a", "labels": ["x", "y"]}\n{"text": "b", "labels": []}\n'
            '{"text": "c", "labels": "y"}\n{"text": "d", "labels": [1, null]}\n',
        ),
        (
            "a.csv",
            'text,labels\na,"[""x"", ""y""]"\nb,[]\nc,y\nd,"[1, null]"\n',
        ),
    ],
)
def test_lists_are_several_labels(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = read_labels(tmp_path / name)
    assert [one.label for one in found.examples] == ['["x", "y"]', "[]", '["y"]']
    assert found.counts == {"y": 2, "x": 1}
    assert [record.why for record in found.tally.records] == ["has no value in column 'labels'"]
    assert "(lists of labels)" in found.description


def test_bars_and_semicolons_part_labels_only_where_that_is_asked_for(tmp_path: Path) -> None:
    rows = [f"text number {i},{'a;b' if i % 2 else 'a|c'}" for i in range(6)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *rows]))
    assert read_labels(tmp_path / "a.csv").counts == {"a|c": 3, "a;b": 3}


def test_labels_that_never_repeat_may_be_made_of_parts_that_do(tmp_path: Path) -> None:
    """30 rows with 30 sets of labels can be learned; 30 rows with 30 labels cannot."""
    sets = ["|".join(name for bit, name in enumerate("abcde") if n >> bit & 1) for n in range(1, 31)]
    rows = [f"text number {n},{names}" for n, names in enumerate(sets)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *rows]))
    assert len(read_labels(tmp_path / "a.csv").examples) == 30


def test_texts_alone_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na b,1\n,2\nc d,\n")
    found = read_unlabelled(tmp_path / "a.csv")
    assert [one.inputs for one in found.examples] == [{"text": "a b"}, {"text": "c d"}]
    assert {one.label for one in found.examples} == {""}
    assert found.tally.quarantined == 1
