"""A file of records, whatever its format: how it is written is found out once, then it is streamed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from selftaught.data.columns import columns_of
from selftaught.data.encoding import Encoding
from selftaught.data.files import DataFile, Kind
from selftaught.data.json_text import is_line_by_line, json_lines, json_objects
from selftaught.data.parquet import parquet_columns, parquet_records
from selftaught.data.records import Line, Record, record_lines
from selftaught.data.sniff import text_encoding
from selftaught.data.table import Layout, find_layout, table_records

Values = dict[str, object]
SAMPLE = 300  # records, or lines, from which the layout and the columns are told
SAMPLE_SIZE = 4 << 20  # characters


@dataclass(frozen=True)
class RecordFile:
    """One file of records and how it is written: ``layout`` if a table, ``by_line`` if JSON, parquet else."""

    file: DataFile
    columns: tuple[str, ...] = ()
    encoding: Encoding | None = None
    layout: Layout | None = None
    by_line: bool = True

    def __str__(self) -> str:
        return ", ".join(str(part) for part in (self.file.suffix, self.layout, self.encoding) if part)

    def records(self, *columns: str) -> Iterator[Record]:
        """Streams the records, with at least these columns."""
        if self.encoding is None:
            return parquet_records(self.file, columns)
        if self.layout is not None:
            return table_records(record_lines(self.file, self.encoding), self.layout)
        if self.by_line:
            return json_lines(record_lines(self.file, self.encoding))
        return json_objects(self.file, self.encoding)


def open_records(file: DataFile, kind: Kind) -> tuple[RecordFile, list[Values]]:
    """Finds out how a file is written, as a file of this kind; also gives its first good records.

    Raises:
        Damaged: the file cannot be read, or is not of this kind.
    """
    if kind == "parquet":
        opened = RecordFile(file, parquet_columns(file))
        return opened, _first(opened.records(*opened.columns))
    encoding = text_encoding(file)
    lines = _first_lines(record_lines(file, encoding))
    if kind == "table":
        layout = find_layout(lines)
        opened = RecordFile(file, layout.columns, encoding, layout)
        return opened, _first(opened.records())
    endless = file.suffix != ".json" and bool(lines) and bool(lines[0].why)  # its name says that it is a line
    opened = RecordFile(file, (), encoding, by_line=endless or is_line_by_line(lines))
    sample = _first(json_lines(lines) if opened.by_line else opened.records())
    return replace(opened, columns=columns_of(sample)), sample


def _first_lines(lines: Iterator[Line]) -> list[Line]:
    first, size = [], 0
    for line in islice(lines, SAMPLE):
        first.append(line)
        size += len(line.text)
        if size > SAMPLE_SIZE:
            break
    return first


def _first(records: Iterator[Record]) -> list[Values]:
    """The first good ones."""
    first, size = [], 0
    for record in islice(records, SAMPLE):
        if not record.why:
            first.append(record.values)
            size += sum(map(_size, record.values.values()))
        if size > SAMPLE_SIZE:
            break
    return first


def _size(value: object) -> int:
    """Of a string or of bytes; other values are small."""
    if isinstance(value, dict):
        return _size(value.get("bytes"))
    return len(value) if isinstance(value, str | bytes) else 0
