"""Examples out of a file of records: a table, JSON or parquet; every record becomes an example or is named."""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from selftaught.data.columns import listed
from selftaught.data.files import DataFile, find_files, printable
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.streams import Damaged
from selftaught.data.tabular import RecordFile, Values, open_records
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError

E = TypeVar("E")
SHOWN = 5


def open_table(path: str | Path) -> tuple[RecordFile, list[Values]]:
    """The one file of records at ``path`` (or ``hf:NAME``), and its first good records.

    Raises:
        SelftaughtError: there is no file, a folder, or a file that cannot be read or holds nothing.
    """
    name = str(path)
    place = hub_folder(name.removeprefix(HUB)) if name.startswith(HUB) else Path(path)
    found = find_files(place, name)
    if place.is_dir() and len(found.files) != 1:
        raise SelftaughtError(
            f"{printable(name)!r} is a folder of {len(found.files)} files, and only one can be read",
            do="name the file: a table, JSON lines or parquet",
        )
    return opened(found.files[0])


def opened(file: DataFile) -> tuple[RecordFile, list[Values]]:
    """How a file of records is written, and its first good records; a ``.txt`` file is read as a table.

    Raises:
        SelftaughtError: it cannot be read or holds nothing.
    """
    try:
        records, sample = open_records(file, "table" if file.kind == "text" else file.kind)
    except Damaged as damaged:
        raise SelftaughtError(f"no labels can be read from it: {damaged}", where=file.name) from None
    if not records.columns:
        raise SelftaughtError("there is nothing in it", where=file.name)
    return records, sample


def gather(
    records: RecordFile, columns: Sequence[str], parse: Callable[[Values, int], E | str]
) -> tuple[tuple[E, ...], Tally]:
    """The examples that ``parse`` makes of the records, and the tally that names every record it refuses.

    Args:
        columns: those that are needed.
        parse: makes an example of a record's values and its line, or says as a string why it cannot.
    """
    tally, examples = Tally(), []
    for line, values, why in records.records(*columns):
        found = why or parse(values, line)
        if isinstance(found, str):
            tally.quarantine(records.file.name, line, found)
        else:
            tally.keep()
            examples.append(found)
    return tuple(examples), tally


def require_columns(records: RecordFile, **columns: str) -> None:
    """Each role must have a column of its own.

    Raises:
        SelftaughtError: a role has none, or two roles have the same.
    """
    where = records.file.name
    for role, column in columns.items():
        if not column:
            tabs = "; in a file of plain text tabs part the columns" if records.file.kind == "text" else ""
            raise SelftaughtError(
                f"no {_spelled(role)} column is found; the columns are {listed(records.columns)}",
                where=where,
                do=f"name the {_spelled(role)} column with --{role}{tabs}",
            )
    for one, other in combinations(columns, 2):
        if columns[one] == columns[other]:
            what = f"{_spelled(one)} and {_spelled(other)} are one and the same column, {columns[one]!r}"
            raise SelftaughtError(what, where=where)


def require_examples(examples: Sequence[object], tally: Tally, description: str, what: str = "labelled rows") -> None:
    """There must be one example at least.

    Raises:
        SelftaughtError: there is none; it says why the first records were refused.
    """
    if examples:
        return
    why = "; ".join(str(record) for record in tally.records[:SHOWN])
    raise SelftaughtError(f"there are no {what}" + (f" ({tally.summary()}: {why})" if why else ""), where=description)


def _spelled(role: str) -> str:
    return "second text" if role == "second" else role
