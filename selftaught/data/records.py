"""What the record formats share: a record with its line, and lines that are held whole."""

import io
from collections.abc import Iterator
from typing import NamedTuple

from selftaught.data.encoding import Encoding
from selftaught.data.files import DataFile
from selftaught.data.lines import Bad, Block, read_lines

LONGEST_RECORD = 32 << 20
TOO_LONG = f"longer than {LONGEST_RECORD >> 20} MiB"


class Record(NamedTuple):
    """One record: its values by column, or why it has none."""

    line: int
    values: dict[str, object]
    why: str = ""


class Line(NamedTuple):
    """One line with its end; ``why`` says what is wrong with it, if anything."""

    number: int
    text: str
    why: str = ""


def record_lines(file: DataFile, encoding: Encoding) -> Iterator[Line]:
    """The lines of a file; one that is longer than 32 MiB is named and not held."""
    for event in read_lines(file, encoding, LONGEST_RECORD, hold=False):
        if isinstance(event, Block):
            for number, text in enumerate(io.StringIO(event.text, newline="\n"), event.line):
                yield Line(number, text)
        elif isinstance(event, Bad):
            yield Line(*event)
        elif event.last:
            yield Line(event.line, "", TOO_LONG)
