"""Unlabelled text as a stream of rows: documents kept apart, memory bounded, every row accounted for."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np

from selftaught.data.encoding import Encoding
from selftaught.data.files import DataFile
from selftaught.data.lines import flat, read_lines
from selftaught.data.tabular import RecordFile
from selftaught.data.tally import Quarantined, Tally
from selftaught.data.values import text_problem

LONGEST_LINE = 1 << 20  # bytes: a longer line of plain text is handed on in pieces


class Row(NamedTuple):  # a tuple, because millions are made: half the time of a frozen dataclass
    """A piece of text and where it stands; consecutive rows with one ``document`` are one document.

    The rows of a plain text file, joined, are the file but for blank lines before the first row. ``ids`` are its
    tokens, where they are known already.
    """

    text: str
    file: str
    line: int
    document: int
    ids: np.ndarray | None = None


class TextSource(ABC):
    """Text that can be read again and again; it can be pickled.

    ``description`` says what was detected, ``size_bytes`` is the size of the files as they lie on disk, and
    ``fingerprint`` changes when a file's path, size or time of change does.
    """

    description: str
    size_bytes: int
    fingerprint: str

    @abstractmethod
    def rows(self, tally: Tally) -> Iterator[Row]:
        """Streams the rows; ``tally`` counts them, and names what was quarantined."""


@dataclass(frozen=True)
class PlainFile:
    """A text file that is one document; its rows are its lines that are not blank."""

    file: DataFile
    encoding: Encoding

    def __str__(self) -> str:
        return f"{self.file.suffix or 'no suffix'}, {self.encoding}"

    def rows(self, tally: Tally, documents: Iterator[int]) -> Iterator[Row]:
        """Blank lines belong to the row before them; the pieces of an over-long line count as one row."""
        name, document = self.file.name, next(documents)
        held, start, counted = "", 0, 0
        for number, text, why in flat(read_lines(self.file, self.encoding, LONGEST_LINE)):
            if not why and (not text or text.isspace()):
                if held and len(held) < LONGEST_LINE:
                    held += text
                continue
            if held:
                tally.kept += start != counted
                counted = start
                yield Row(held, name, start, document)
            held, start = text, number
            if why:
                held = ""
                tally.quarantine(name, number, why)
        if held:
            tally.kept += start != counted
            yield Row(held, name, start, document)


@dataclass(frozen=True)
class ColumnFile:
    """A file of records; each is a row and a document, whose text is in ``column``."""

    records: RecordFile
    column: str

    @property
    def file(self) -> DataFile:
        return self.records.file

    def __str__(self) -> str:
        return f"{self.records}, text in column {self.column!r}"

    def rows(self, tally: Tally, documents: Iterator[int]) -> Iterator[Row]:
        name = self.file.name
        for line, values, why in self.records.records(self.column):
            text = values.get(self.column)
            if why := why or text_problem(text, self.column):
                tally.quarantine(name, line, why)
            else:
                tally.kept += 1
                yield Row(str(text), name, line, next(documents))


@dataclass(frozen=True)
class TextFiles(TextSource):
    """The text in files; those that nobody can read are quarantined, each under its name."""

    files: tuple[PlainFile | ColumnFile, ...]
    refused: tuple[Quarantined, ...]
    description: str
    size_bytes: int
    fingerprint: str

    def rows(self, tally: Tally) -> Iterator[Row]:
        for one in self.refused:
            tally.quarantine(one.file, one.line, one.why)
        documents = count()
        for file in self.files:
            yield from file.rows(tally, documents)
