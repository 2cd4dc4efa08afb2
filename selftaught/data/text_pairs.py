"""Pairs of texts with a label or a score: a table, JSON or parquet with two text columns, as NLI sets have."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selftaught.data.columns import (
    Rows,
    columns_of,
    is_number,
    known_pair,
    label_by_name,
    labels_by_values,
    named,
    text_column,
)
from selftaught.data.examples import Columns, Examples
from selftaught.data.gather import SHOWN, gather, open_table, require_columns, require_examples
from selftaught.data.records import record_lines
from selftaught.data.tabular import RecordFile, Values
from selftaught.data.values import as_score, label_problem, score_problem, text_problem
from selftaught.errors import SelftaughtError

SCORE_NAMES = (
    "score", "similarity", "similarity_score", "relatedness", "relatedness_score", "rating", "stars", "value", "label",
    "labels", "target", "y", "gold", "gold_score", "分数", "得分", "评分", "相似度", "标签",
)  # fmt: skip
MANY = 0.01  # of all rows
UNDECIDED = "-"  # what SNLI and its heirs write where the annotators did not agree


@dataclass(frozen=True)
class LabelledPair:
    """Two texts and the label of what is between them."""

    first: str
    second: str
    label: str
    file: str
    line: int

    @property
    def inputs(self) -> dict[str, str]:
        return {"first": self.first, "second": self.second}


@dataclass(frozen=True)
class Scored:
    """One text or two, and a number."""

    texts: tuple[str, ...]
    score: float
    file: str
    line: int

    @property
    def inputs(self) -> dict[str, str]:
        return dict(zip(("text",) if len(self.texts) == 1 else ("first", "second"), self.texts, strict=True))


def read_pairs(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[LabelledPair]:
    """Reads labelled pairs; what the columns are is told by their names, or else by what they hold.

    A pair that is labelled ``-`` is undecided and set aside.

    Args:
        labelled: false to read the texts alone, whatever else there is.

    Raises:
        SelftaughtError: there is nothing to read, or a column is not found.
    """
    records, sample, note = _opened(path)
    first, second = _text_columns(records, sample, columns)
    label, others = _label_column(records, sample, columns, (first, second)) if labelled else ("", [])
    roles = {"text": first, "second": second} | ({"label": label} if labelled else {})
    require_columns(records, **roles)

    def parse(values: Values, line: int) -> LabelledPair | str:
        why = text_problem(values.get(first), first) or text_problem(values.get(second), second)
        if labelled:
            why = why or label_problem(values.get(label), label)
        answer = str(values.get(label)).strip() if labelled else ""
        if answer == UNDECIDED:
            why = why or f"column {label!r} is {UNDECIDED!r}: undecided"
        return why or LabelledPair(str(values[first]), str(values[second]), answer, records.file.name, line)

    description = f"{records.file.name}: {records}, texts in columns {first!r} and {second!r}"
    if labelled:
        description += f", label in column {label!r}"
    if others:
        description += f" (a guess; name it with --label if it is {' or '.join(map(repr, others[:SHOWN]))})"
    found, tally = gather(records, tuple(roles.values()), parse)
    require_examples(found, tally, description, "labelled rows" if labelled else "rows of text")
    return Examples(found, tally, description + note)


def read_scored(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[Scored]:
    """Reads scored pairs of texts, or scored texts where there is one text column only, or ``columns`` names only one.

    Raises:
        SelftaughtError: there is nothing to read, or a column is not found.
    """
    records, sample, note = _opened(path)
    texts = _one_or_two(records, sample, columns)
    score = _score_column(records, sample, columns, texts) if labelled else ""
    roles = dict(zip(("text", "second"), texts, strict=False)) | ({"label": score} if labelled else {})
    require_columns(records, **roles)

    def parse(values: Values, line: int) -> Scored | str:
        why = next((why for column in texts if (why := text_problem(values.get(column), column))), "")
        if labelled:
            why = why or score_problem(values.get(score), score)
        number = as_score(values.get(score)) if labelled else None
        return why or Scored(tuple(str(values[column]) for column in texts), number or 0.0, records.file.name, line)

    shown = f"text in column {texts[0]!r}" if len(texts) == 1 else f"texts in columns {texts[0]!r} and {texts[1]!r}"
    description = f"{records.file.name}: {records}, {shown}" + (f", score in column {score!r}" if labelled else "")
    found, tally = gather(records, tuple(roles.values()), parse)
    require_examples(found, tally, description, "labelled rows" if labelled else "rows of text")
    return Examples(found, tally, description + note)


def in_twos(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Each two texts that follow each other.

    Raises:
        SelftaughtError: one is left over.
    """
    if len(texts) % 2:
        raise SelftaughtError(
            f"{len(texts)} texts are no pairs",
            do="give the first and the second text of each pair, one after the other",
        )
    return list(zip(texts[::2], texts[1::2], strict=True))


def _opened(path: str | Path) -> tuple[RecordFile, list[Values], str]:
    """As `open_table`, and a note on rows with more fields than the others.

    Tables of tabs without a header may have sources behind the columns in some rows, as STS-B has. One stray tab is
    damage; where one row in a hundred has the same number of fields too many, they are no damage.
    """
    records, sample = open_table(path)
    layout, encoding = records.layout, records.encoding
    if encoding is None or layout is None or layout.header or layout.quoted or layout.delimiter != "\t":
        return records, sample, ""
    widths = Counter(line.text.count("\t") + 1 for line in record_lines(records.file, encoding))
    longer = [n for n in widths if n > len(layout.columns) and widths[n] > max(1, MANY * widths.total())]
    rows = sum(widths[n] for n in longer)
    note = f"; in {rows} rows, what follows column {len(layout.columns)} is passed over" if rows else ""
    return replace(records, layout=replace(layout, longer=tuple(longer))), sample, note


def _text_columns(records: RecordFile, sample: Rows, columns: Columns) -> tuple[str, str]:
    """The two text columns, in the order of the file unless they are named; "" for one that is not found."""
    there, where = records.columns, records.file.name
    first = named(columns.text, there, where) if columns.text is not None else ""
    second = named(columns.second, there, where) if columns.second is not None else ""
    if not first and not second and (known := known_pair(there)):
        return known
    label = columns.label or ""
    free = _without(sample, first, second, label)
    found = [name for name in (first, second) if name]
    while len(found) < 2 and (longest := text_column(free)):
        found.append(longest)
        free = _without(free, longest)
    if not first and not second:
        found.sort(key=there.index)
    elif second and not first:
        found.reverse()
    one, two = [*found, "", ""][:2]
    return one, two


def _one_or_two(records: RecordFile, sample: Rows, columns: Columns) -> tuple[str, ...]:
    """The text column or both; of unknown names a second one counts if its texts are about as long as the first's."""
    if columns.text is not None and columns.second is None:
        return (named(columns.text, records.columns, records.file.name),)
    first, second = _text_columns(records, sample, columns)
    if columns.second is None and (first, second) != known_pair(records.columns) and second:
        shorter, longer = sorted((first, second), key=lambda name: _mean_length(sample, name))
        if 3 * _mean_length(sample, shorter) < _mean_length(sample, longer):
            return (longer,)
    return (first, second) if second else (first,)


def _label_column(records: RecordFile, sample: Rows, columns: Columns, texts: tuple[str, ...]) -> tuple[str, list[str]]:
    """The label column and what else it may be."""
    if columns.label is not None:
        return named(columns.label, records.columns, records.file.name), []
    if label := label_by_name([name for name in records.columns if name not in texts]):
        return label, []
    guesses = labels_by_values(_without(sample, *texts), but="")
    return next(iter(guesses), ""), guesses[1:]


def _score_column(records: RecordFile, sample: Rows, columns: Columns, texts: tuple[str, ...]) -> str:
    """One that holds numbers: named as scores are, or else with fractions, or else with the fewest different values."""
    if columns.label is not None:
        return named(columns.label, records.columns, records.file.name)
    free = _without(sample, *texts)
    values = {name: [str(row.get(name)) for row in free] for name in columns_of(free)}
    numbers = {name: {n for n in some if is_number(n)} for name, some in values.items() if _mostly_numbers(some)}
    lower = {name.lower(): name for name in reversed(list(numbers))}
    if by_name := next((lower[hint] for hint in SCORE_NAMES if hint in lower), ""):
        return by_name
    varied = {name: found for name, found in numbers.items() if len(found) > 1}
    return min(varied, key=lambda name: (all("." not in n for n in varied[name]), len(varied[name])), default="")


def _mostly_numbers(values: Sequence[str]) -> bool:
    return 2 * sum(map(is_number, values)) > len(values)


def _without(rows: Rows, *columns: str) -> list[Values]:
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]


def _mean_length(rows: Rows, column: str) -> float:
    return sum(len(str(row.get(column))) for row in rows) / max(len(rows), 1)
