"""The corpus in units of work: files in their order, some megabytes together, whoever will work on them.

Small files are put together. A large one of JSON lines is parted between lines; others stay whole.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from selftaught.corpus.place import Place, is_url
from selftaught.data.builtin import BUILTIN
from selftaught.data.files import KINDS, DataFile, find_files, given_file, split_suffix
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.source import open_file, open_text
from selftaught.data.streams import Damaged
from selftaught.data.tally import WHOLE_FILE, Tally
from selftaught.data.text import Row
from selftaught.errors import SelftaughtError

LONGEST = 1 << 20  # characters: a longer document is cut between lines, and each part is a document
_UNITS = 256  # are wanted; a unit has a power of two of bytes between these two
_SMALLEST, _LARGEST = 1 << 21, 1 << 28
_BLOCK = 1 << 20
_LINES = ((".jsonl", ""), (".ndjson", ""))  # suffixes and packings of files that can be parted


@dataclass(frozen=True)
class File:
    """One file of the data.

    Args:
        path: local, or a URL.
        name: as the user would name it.
        size: in bytes.
        version: changes when the file does.
        begin: the byte that this part of the file begins at.
        line: the number of the line before it.
    """

    path: str
    name: str
    size: int
    version: str
    begin: int = 0
    line: int = 0


@dataclass(frozen=True)
class Unit:
    """Files that are worked on together.

    Args:
        number: from 0.
        files: in order; none for data that is built in.
        data: what the user named.
    """

    number: int
    files: tuple[File, ...]
    data: str

    @property
    def name(self) -> str:
        return f"{self.number:05d}"


@dataclass(frozen=True)
class Document:
    """A text, and the file and line that it begins at."""

    text: str
    file: str
    line: int


def units_of(data: str, *, refused: Tally) -> list[Unit]:
    """How the data is parted; it depends on the files and their sizes alone.

    Raises:
        SelftaughtError: there is no file that can be read.
    """
    data = data.removeprefix("file://")
    if data.startswith(BUILTIN):
        return [Unit(0, (), data)]
    files = _far_files(data) if is_url(data) else _near_files(data, refused)
    if not files:
        raise SelftaughtError(
            "there is no file that can be read", where=data, do=f"text is read from {' '.join(KINDS)}, also .gz or .zst"
        )
    wanted = sum(file.size for file in files) // _UNITS
    size = min(max(1 << wanted.bit_length(), _SMALLEST), _LARGEST)
    files = [part for file in files for part in _parts(file, size)]
    units: list[Unit] = []
    gathered: list[File] = []
    for file in files:
        if gathered and sum(one.size for one in gathered) + file.size > size:
            units.append(Unit(len(units), tuple(gathered), data))
            gathered = []
        gathered.append(file)
    return [*units, Unit(len(units), tuple(gathered), data)]


def documents(unit: Unit, text: str | None, tally: Tally) -> Iterator[Document]:
    """The documents of a unit in their order; the tally counts rows, and names what nobody can read."""
    gathered: list[str] = []
    begins: Row | None = None
    length = 0
    for row in _rows(unit, text, tally):
        if begins is not None and (row.document != begins.document or length >= LONGEST):
            yield Document("".join(gathered), begins.file, begins.line)
            gathered, begins, length = [], None, 0
        begins = begins or row
        gathered.append(row.text)
        length += len(row.text)
    if begins is not None:
        yield Document("".join(gathered), begins.file, begins.line)


def _rows(unit: Unit, text: str | None, tally: Tally) -> Iterator[Row]:
    if not unit.files:
        yield from open_text(unit.data, text=text).rows(tally)
    numbers = count()
    for file in unit.files:
        with tempfile.TemporaryDirectory() as scratch:
            log = Path(scratch, "log")
            own = Tally(log) if file.line else tally
            try:
                with _at_hand(file) as here:
                    for row in open_file(here, text).rows(own, numbers):
                        yield row._replace(line=row.line + file.line)
            except Damaged as damaged:
                tally.quarantine(file.name, WHOLE_FILE, str(damaged))
            except SelftaughtError as error:
                if is_url(file.path) and error.where == file.path:
                    raise  # the store, not the file
                tally.quarantine(file.name, WHOLE_FILE, error.what)
            if own is not tally:
                tally.keep(own.kept)
                for row in map(json.loads, log.open(encoding="utf-8") if log.exists() else ()):
                    tally.quarantine(row["file"], row["line"] + file.line, row["why"])


@contextmanager
def _at_hand(file: File) -> Iterator[DataFile]:
    """The file, or the part of it, on this machine."""
    if is_url(file.path):
        folder, _, name = file.path.rpartition("/")
        with Place(folder).fetched(name) as copy:
            yield replace(given_file(copy, name), name=file.name)
        return
    whole = Path(file.path)
    if file.size == whole.stat().st_size:
        yield given_file(whole, file.name)
        return
    with tempfile.TemporaryDirectory() as scratch, whole.open("rb") as source:
        part = Path(scratch, whole.name)
        with part.open("wb") as target:
            source.seek(file.begin)
            for begin in range(0, file.size, _BLOCK):
                target.write(source.read(min(_BLOCK, file.size - begin)))
        yield given_file(part, file.name)


def _parts(file: File, size: int) -> Iterator[File]:
    """The file in parts of about so many bytes, if it is one of JSON lines on this machine."""
    if file.size <= 2 * size or is_url(file.path) or split_suffix(file.path) not in _LINES:
        yield file
        return
    with Path(file.path).open("rb") as source:
        head = source.read(_BLOCK)
        if b"\0" in head or not head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{"):  # UTF-16, or a list
            yield file
            return
        source.seek(0)
        begin = at = line = lines = 0
        while block := source.read(min(_BLOCK, size)):
            end = block.rfind(b"\n") + 1
            lines += block.count(b"\n")
            if end and at + end - begin >= size:
                yield replace(file, size=at + end - begin, begin=begin, line=line)
                begin, line = at + end, lines
            at += len(block)
        if at > begin:
            yield replace(file, size=at - begin, begin=begin, line=line)


def _near_files(data: str, refused: Tally) -> list[File]:
    path = hub_folder(data.removeprefix(HUB)) if data.startswith(HUB) else Path(data)
    found = find_files(path, data)
    for one in found.refused:
        refused.quarantine(one.file, one.line, one.why)
    files = []
    for file in found.files:
        facts = file.path.stat()
        files.append(File(str(file.path), file.name, facts.st_size, str(facts.st_mtime_ns)))
    return files


def _far_files(url: str) -> list[File]:
    found = Place(url).sizes()
    names = [name for name in found if "/." not in name.removeprefix(url) and split_suffix(name)[0] in KINDS]
    return [File(name, name, *found[name]) for name in (names or found if len(found) == 1 else names)]
