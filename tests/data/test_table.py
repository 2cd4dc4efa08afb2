import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.records import Line
from selftaught.data.table import Layout, find_layout, table_records


def lines_of(text: str) -> list[Line]:
    return [Line(number, line) for number, line in enumerate(io.StringIO(text, newline="\n"), 1)]


def written(rows: list[list[str]], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("text,label\na b,1\n", Layout(",", True, True, ("text", "label"))),
        ("a stirring film\t1\nreassembled , and\t0\n", Layout("\t", False, False, ("1", "2"))),
        ("Quality\t#1 ID\t#1 String\n1\t70\tthe \"witness\", he said\n0\t71\t\"so\" it is\n",
         Layout("\t", False, True, ("Quality", "#1 ID", "#1 String"))),
        ('id|name\n1|"a|b"\n2|c\n', Layout("|", True, True, ("id", "name"))),
        ('text\tn\n"say ""hi"""\t1\nplain\t2\n', Layout("\t", True, True, ("text", "n"))),
        ("text,text\na,b\n", Layout(",", True, True, ("text", "text_2"))),
        ("体验十大创新概览\t8\n60年铁树开花\t5\n", Layout("\t", False, False, ("1", "2"))),
        ("i like it\tpos\nnot me\tneg\nso so\tpos\n", Layout("\t", False, False, ("1", "2"))),
        ("", Layout("\x1f", True, False, ())),
    ],
)  # fmt: skip
def test_the_layout_is_found(text: str, layout: Layout) -> None:
    assert find_layout(lines_of(text)) == layout


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=20)


@given(
    rows=st.lists(st.tuples(cells.map(lambda cell: "x" + cell), cells, cells)),
    delimiter=st.sampled_from(",;\t"),
)
def test_what_csv_writes_is_read_back(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    text = written([["id", "text", "label"], *map(list, rows)], delimiter)
    layout = Layout(delimiter, True, True, ("id", "text", "label"))
    records = list(table_records(lines_of(text), layout))
    assert [tuple(record.values.values()) for record in records] == rows
    start = 2
    for record, row in zip(records, rows, strict=True):
        assert record.line == start
        start += 1 + sum(cell.count("\n") for cell in row)


@given(st.lists(st.text('ab",\n', max_size=12)))
def test_no_line_is_lost_whatever_its_quotes(rows: list[str]) -> None:
    """Each line is in a record that was read, or is named, or is blank."""
    text = "".join(row + "\n" for row in rows)
    lines = lines_of(text)
    layout = Layout(",", True, False, ("1", "2"))
    records = list(table_records(lines, layout))
    starts = [record.line for record in records] + [len(lines) + 1]
    assert starts == sorted(set(starts))
    for record, after in zip(records, starts[1:], strict=False):
        between = lines[record.line : after - 1]
        inside = sum(str(value).count("\n") for value in record.values.values())
        blank = sum(not line.text.strip('"\n') for line in between)
        assert record.why or len(between) - inside <= blank


def test_one_unclosed_quote_costs_one_row() -> None:
    rows = [[str(number), f"text {number}"] for number in range(100)]
    lines = lines_of(written(rows, ",").replace("50,text 50", '50,"text 50'))
    records = list(table_records(lines, Layout(",", True, False, ("1", "2"))))
    assert [record.line for record in records if record.why] == [51]
    assert len(records) == 100
