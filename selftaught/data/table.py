"""Delimited text: its delimiter, its quotes, the names of its columns, and its records."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from selftaught.data.columns import LABEL_NAMES, TEXT_NAMES, is_number, known_pair
from selftaught.data.records import LONGEST_RECORD, TOO_LONG, Line, Record
from selftaught.data.sights import SUFFIXES

DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
WHOLE_LINE = "\x1f"  # the delimiter of a table with one column
LONGEST_NAME = 40
WELL_QUOTED = re.compile(r'"(?:[^"]|"")*"')
NEVER_CLOSED = "a quote is opened and never closed"
NEARLY = 0.02


@dataclass(frozen=True)
class Layout:
    """How a table is written; its columns are "1", "2", … where it has no header.

    ``longer`` are other numbers of fields that a record may have; those after the last column are passed over.
    """

    delimiter: str
    quoted: bool
    header: bool
    columns: tuple[str, ...]
    longer: tuple[int, ...] = ()

    def __str__(self) -> str:
        between = f"separated by {DELIMITERS[self.delimiter]}" if self.delimiter in DELIMITERS else "one column"
        return between if self.header else f"{between}, no header"


class Fields(NamedTuple):
    line: int
    fields: list[str]
    why: str = ""


def find_layout(lines: Sequence[Line]) -> Layout:
    """The layout that explains the first lines of a table best."""
    delimiter, quoted = _dialect(lines)
    records = [found.fields for found in _sample(lines, delimiter, quoted) if not found.why]
    width = _usual_width(records)
    header = bool(records) and _is_header(records[0], [one for one in records[1:] if len(one) == width])
    names = [name.strip() for name in records[0]] if header else []
    names += [str(position + 1) for position in range(len(names), width)]
    return Layout(delimiter, quoted, header, _distinct(names))


def table_records(lines: Iterable[Line], layout: Layout) -> Iterator[Record]:
    """The records below the header; ``line`` is where a record starts.

    A quote that is never closed costs its own line only: reading goes on with the next.
    """
    found = _split(lines, layout.delimiter, layout.quoted)
    header = layout.header
    for line, fields, why in found:
        if why:
            yield Record(line, {}, why)
        elif header:
            header = False
        elif len(fields) not in (len(layout.columns), *layout.longer):
            yield Record(line, {}, f"has {len(fields)} fields where {len(layout.columns)} are expected")
        else:
            yield Record(line, dict(zip(layout.columns, fields, strict=False)))


def _split(lines: Iterable[Line], delimiter: str, quoted: bool) -> Iterator[Fields]:
    return _split_quoted(lines, delimiter) if quoted else _split_plain(lines, delimiter)


def _split_plain(lines: Iterable[Line], delimiter: str) -> Iterator[Fields]:
    for number, text, why in lines:
        fields = text.rstrip("\n").split(delimiter)
        if why:
            yield Fields(number, [], why)
        elif not _is_blank(fields):
            yield Fields(number, fields)


def _split_quoted(lines: Iterable[Line], delimiter: str) -> Iterator[Fields]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
    window = _Window(iter(lines))
    reader = csv.reader(window, delimiter=delimiter, strict=True)
    while True:
        try:
            fields = next(reader)
            why = next((line.why for line in window.taken if line.why), "")
        except csv.Error as error:
            fields, why = [], _explain(error, window)
        except StopIteration:
            return
        start = window.taken[0].number
        if why:
            window.give_back_all_but_one()
            yield Fields(start, [], why)
        else:
            window.taken.clear()
            if not _is_blank(fields):
                yield Fields(start, fields)


def _is_blank(fields: list[str]) -> bool:
    return len(fields) <= 1 and not "".join(fields).strip()


class _Window:
    """Hands lines to the csv reader, remembers those of the current record, and can hand them out again."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self.lines, self.again = lines, deque[Line]()
        self.taken: list[Line] = []
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.taken:
            self.size = 0
        if self.size > LONGEST_RECORD:
            raise StopIteration
        line = self.again.popleft() if self.again else next(self.lines)
        self.taken.append(line)
        self.size += len(line.text)
        return line.text

    def give_back_all_but_one(self) -> None:
        self.again.extendleft(reversed(self.taken[1:]))
        self.taken.clear()


def _explain(error: csv.Error, window: _Window) -> str:
    if why := window.taken[0].why:
        return why
    if window.size > LONGEST_RECORD:
        return f"a quote is opened and not closed, or the record is {TOO_LONG}"
    if "unexpected end" in str(error):
        return NEVER_CLOSED
    if len(window.taken) > 1:
        return "a quote is opened and not closed on this line"
    return "text follows a closing quote" if "expected after" in str(error) else str(error)


def _dialect(lines: Sequence[Line]) -> tuple[str, bool]:
    best, best_share = (WHOLE_LINE, True), 0.5
    for delimiter in DELIMITERS:
        quoted = _quotes(lines, delimiter)
        share = _share(lines, delimiter, quoted)
        if share > best_share + NEARLY:
            best, best_share = (delimiter, quoted), share
    return best


def _quotes(lines: Sequence[Line], delimiter: str) -> bool:
    """Whether quotes are markup: in tab separated text only on evidence, elsewhere by default."""
    gain = _share(lines, delimiter, True) - _share(lines, delimiter, False)
    if delimiter != "\t" or abs(gain) > NEARLY:
        return gain >= -NEARLY
    rows = [found.fields for found in _split_plain(lines, delimiter)][1:]
    opened = [field for fields in rows for field in fields if field.startswith('"')]
    if not all(WELL_QUOTED.fullmatch(field) for field in opened):
        return False
    columns = Counter(place for fields in rows for place, field in enumerate(fields) if field.startswith('"'))
    most = max(columns.values(), default=0) >= 0.9 * len(rows) > 0
    return most or any('""' in field[1:-1] for field in opened)


def _sample(lines: Sequence[Line], delimiter: str, quoted: bool) -> list[Fields]:
    """The records of the sample, without the one that its end seems to cut."""
    found = []
    for fields in _split(lines, delimiter, quoted):
        if fields.why == NEVER_CLOSED and fields.line > lines[len(lines) // 2].number:
            break
        found.append(fields)
    return found


def _share(lines: Sequence[Line], delimiter: str, quoted: bool) -> float:
    """How many records have the usual width, two or more; a header we know counts for half of all."""
    records = [found.fields for found in _sample(lines, delimiter, quoted)]
    width = _usual_width(records)
    if width < 2:
        return 0.0
    known = any(_is_known(name) for name in records[0])
    return sum(len(fields) == width for fields in records) / len(records) + 0.5 * known


def _usual_width(records: Sequence[Sequence[str]]) -> int:
    return Counter(len(fields) for fields in records if fields).most_common(1)[0][0] if any(records) else 0


def _is_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    if any(_is_known(name) for name in first) or known_pair([name.strip() for name in first]):
        return True
    if any(not name.strip() or is_number(name) or len(name) > LONGEST_NAME for name in first):
        return False
    if any(name.rstrip().endswith((".", "!", "。", "！", "？")) for name in first):  # a sentence, as short as it may be
        return False
    columns = [[fields[position] for fields in others] for position in range(len(first))] if _fit(first, others) else []
    if any(_heads_pictures(name, column) for name, column in zip(first, columns, strict=False)):
        return True
    if any(name in column for name, column in zip(first, columns, strict=False)):
        return False
    return any(
        all(map(is_number, column)) or sum(map(len, column)) > 3 * len(name) * len(column)
        for name, column in zip(first, columns, strict=False)
        if column
    )


def _heads_pictures(name: str, column: Sequence[str]) -> bool:
    """Whether this names no picture or video, where most of the values below do."""
    below = sum(value.lower().endswith(SUFFIXES) for value in column)
    return 2 * below > len(column) and not name.lower().endswith(SUFFIXES)


def _fit(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    return bool(others) and all(len(fields) >= len(first) for fields in others)


def _is_known(name: str) -> bool:
    return name.strip().lower() in TEXT_NAMES or name.strip().lower() in LABEL_NAMES


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """``text, text`` -> ``text, text_2``: every column can be named."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(distinct)
