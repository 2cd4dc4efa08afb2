"""Files with two text columns, as the field has them: nothing is converted, every row is kept or named."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.examples import Columns
from selftaught.data.text_pairs import LabelledPair, Scored, in_twos, read_pairs, read_scored
from selftaught.data.tokenise import cut_pair
from selftaught.errors import SelftaughtError

LONG = "a sentence of some length that says nothing in particular and is number"


def stsb(rows: int, extra: int = 0) -> str:
    """As STS-B: no header, seven columns, in some rows two more."""
    return "".join(
        f"main-captions\tMSRvid\t2012test\t{row:04}\t{row % 7 / 2:.3f}\t{LONG} {row}\t{LONG} {row + 1}"
        + ("\thttp://a\thttp://b" if row < extra else "")
        + "\n"
        for row in range(rows)
    )


@pytest.mark.parametrize(
    ("name", "content", "pair"),
    [
        ("rte.tsv", "index\tsentence1\tsentence2\tlabel\n7\tIt rains.\tIt is wet.\tentailment\n", "It rains."),
        ("mnli.jsonl", '{"premise": "It rains.", "hypothesis": "It is wet.", "label": "entailment"}\n', "It rains."),
        ("bustm.json", '{"id": 0, "sentence1": "下雨了", "sentence2": "地湿了", "label": "entailment"}\n', "下雨了"),
        ("qqp.csv", 'id,question1,question2,is_it\n1,"Why, then?",Why?,entailment\n', "Why, then?"),
    ],
)
def test_files_of_the_field(name: str, content: str, pair: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content + content.splitlines()[-1].replace("entailment", "other") + "\n", "utf-8")
    columns = Columns(label="is_it") if name == "qqp.csv" else Columns()
    found = read_pairs(tmp_path / name, columns)
    assert [example.label for example in found.examples] == ["entailment", "other"]
    assert found.examples[0].first == pair
    assert list(found.examples[0].inputs) == ["first", "second"]


def test_quotes_in_mrpc_are_text(tmp_path: Path) -> None:
    rows = [f'{row % 2}\t70{row}\t71{row}\t"{LONG}" {row}, he said.\tHe said: "{LONG} {row}' for row in range(30)]
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    (tmp_path / "mrpc.tsv").write_text("\n".join([header, *rows]), encoding="utf-8")
    found = read_pairs(tmp_path / "mrpc.tsv", Columns())
    assert found.tally.kept == 30
    assert found.examples[1] == LabelledPair(
        f'"{LONG}" 1, he said.', f'He said: "{LONG} 1', "1", str(tmp_path / "mrpc.tsv"), 3
    )
    assert "label in column 'Quality'" in found.description


def test_sts_b_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "sts.csv").write_text(stsb(200, extra=40), encoding="utf-8")
    found = read_scored(tmp_path / "sts.csv", Columns())
    assert (found.tally.kept, found.tally.quarantined) == (200, 0)
    assert found.examples[3] == Scored((f"{LONG} 3", f"{LONG} 4"), 1.5, str(tmp_path / "sts.csv"), 4)
    assert "score in column '5'" in found.description
    assert "in 40 rows, what follows column 7 is passed over" in found.description


def test_a_stray_tab_is_damage_all_the_same(tmp_path: Path) -> None:
    text = stsb(200).replace("number 7\t", "number\t7\t")
    (tmp_path / "sts.csv").write_text(text, encoding="utf-8")
    found = read_scored(tmp_path / "sts.csv", Columns())
    assert [(record.line, record.why) for record in found.tally.records] == [
        (8, "has 8 fields where 7 are expected")
    ]  # fmt: skip


BAD = """sentence1\tsentence2\tscore
one text\tanother text\t2.5
one text\t \t3
one text\tanother text\tmuch
one text\tanother text
one text\tanother text\tnan
one text\tanother text\t0
"""


def test_bad_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_text(BAD, encoding="utf-8")
    found = read_scored(tmp_path / "bad.tsv", Columns())
    assert found.tally.kept == len(found.examples) == 2
    assert [(record.line, record.why) for record in found.tally.records] == [
        (3, "column 'sentence2' is empty"),
        (4, "column 'score' holds 'much', not a number"),
        (5, "has 2 fields where 3 are expected"),
        (6, "column 'score' holds 'nan', not a number"),
    ]


def test_a_pair_that_nobody_could_decide_is_set_aside(tmp_path: Path) -> None:
    rows = [("It rains.", "It is wet.", "entailment"), ("It rains.", "I am.", "-"), ("It rains.", "No.", "")]
    lines = [f'{{"sentence1": "{a}", "sentence2": "{b}", "gold_label": "{c}"}}' for a, b, c in rows]
    (tmp_path / "snli.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = read_pairs(tmp_path / "snli.jsonl", Columns())
    assert len(found.examples) == 1
    assert [record.why for record in found.tally.records] == [
        "column 'gold_label' is '-': undecided",
        "column 'gold_label' is empty",
    ]


def test_columns_that_are_named(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"b": ["short"] * 3, "a": [LONG] * 3, "c": [LONG + "!"] * 3, "x": [1, 2, 1]}), tmp_path / "a.parquet"
    )
    found = read_pairs(tmp_path / "a.parquet", Columns(text="b", second="a", label="x"))
    assert found.examples[1].inputs == {"first": "short", "second": LONG}
    assert found.examples[1].label == "2"
    with pytest.raises(SelftaughtError, match="no column 'd'"):
        read_pairs(tmp_path / "a.parquet", Columns(second="d"))
    with pytest.raises(SelftaughtError, match="one and the same column"):
        read_pairs(tmp_path / "a.parquet", Columns(text="a", second="a"))


def test_one_text_is_enough_for_a_score(tmp_path: Path) -> None:
    rows = "".join(f"{LONG} {row},books,{row % 5 + 1}\n" for row in range(30))
    (tmp_path / "reviews.csv").write_text("review,shelf,stars\n" + rows, encoding="utf-8")
    found = read_scored(tmp_path / "reviews.csv", Columns())
    assert found.examples[3].inputs == {"text": f"{LONG} 3"}
    assert found.examples[3].score == 4.0
    two = read_scored(tmp_path / "reviews.csv", Columns(second="shelf"))
    assert two.examples[3].inputs == {"first": f"{LONG} 3", "second": "books"}


def test_without_two_texts_or_a_target_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(f"text,label\n{LONG},1\n{LONG}!,0\n", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no second text column is found"):
        read_pairs(tmp_path / "one.csv", Columns())
    (tmp_path / "two.csv").write_text(f"sentence1,sentence2\n{LONG},{LONG}\n{LONG}!,{LONG}\n", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no label column is found"):
        read_scored(tmp_path / "two.csv", Columns())
    assert len(read_pairs(tmp_path / "two.csv", Columns(), labelled=False).examples) == 2
    (tmp_path / "many").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "many" / name).write_text(f"sentence1,sentence2\n{LONG},{LONG}\n", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="a folder of 2 files"):
        read_pairs(tmp_path / "many", Columns())


def test_texts_in_twos() -> None:
    assert in_twos(["a", "b", "c", "d"]) == [("a", "b"), ("c", "d")]
    with pytest.raises(SelftaughtError, match="3 texts are no pairs"):
        in_twos(["a", "b", "c"])


ids = st.lists(st.integers(0, 9), max_size=30)


@given(ids, ids, st.integers(0, 40))
def test_a_pair_is_cut_from_its_longer_side(first: list[int], second: list[int], room: int) -> None:
    one, other = cut_pair(first, second, room)
    assert (one, other) == (first[: len(one)], second[: len(other)])
    assert len(one) + len(other) == min(room, len(first) + len(second))
    shorter, longer = sorted([(len(first), len(one)), (len(second), len(other))])
    assert shorter[1] == min(shorter[0], max(room // 2, room - longer[0]))
