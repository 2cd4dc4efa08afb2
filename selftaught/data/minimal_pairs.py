"""Minimal pairs: two sentences that differ in one point, of which speakers accept the first only.

The files are those of BLiMP (Warstadt et al. 2020, section 3), one JSON object a pair; a table or parquet file with
the same columns is read as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selftaught.data.files import DataFile, find_files, printable
from selftaught.data.records import Record
from selftaught.data.streams import Damaged
from selftaught.data.tabular import open_records
from selftaught.data.tally import WHOLE_FILE, Tally
from selftaught.data.values import text_problem
from selftaught.errors import SelftaughtError

GOOD, BAD = "sentence_good", "sentence_bad"
PARADIGM, PHENOMENON, FIELD = "UID", "linguistics_term", "field"
COLUMNS = (GOOD, BAD, PARADIGM, PHENOMENON, FIELD)
UNNAMED = "unnamed"
SHOWN = 5


@dataclass(frozen=True)
class MinimalPair:
    """One pair: ``good`` is acceptable, ``bad`` is not; what it is about, from the narrowest to the widest."""

    good: str
    bad: str
    paradigm: str
    phenomenon: str
    field: str
    file: str
    line: int


@dataclass(frozen=True)
class MinimalPairs:
    """Pairs in the order of the files; ``tally`` names the rows that are not among them."""

    pairs: tuple[MinimalPair, ...]
    tally: Tally


def read_minimal_pairs(path: str | Path, problem: Callable[[str], str] = lambda text: "") -> MinimalPairs:
    """The pairs in a file, or in the files of a folder and those below it.

    A pair without a ``UID`` is called by its file. Plain text beside the files of pairs is passed over.

    Args:
        problem: says what else keeps a sentence from being used; "" where nothing does.

    Raises:
        SelftaughtError: if there is nothing there, or not one pair.
    """
    name, place = str(path), Path(path)
    found, tally, pairs = find_files(place, name), Tally(), []
    for one in found.refused:
        tally.quarantine(one.file, one.line, one.why)
    for file in found.files:
        if file.kind == "text" and place.is_dir():
            continue
        for line, values, why in _records(file):
            if why := why or _problem(values, problem):
                tally.quarantine(file.name, line, why)
            else:
                tally.keep()
                pairs.append(_pair(values, file, line))
    if not pairs:
        why = "; ".join(str(record) for record in tally.records[:SHOWN])
        raise SelftaughtError(
            f"there are no minimal pairs in {printable(name)!r}" + (f" ({tally.summary()}: {why})" if why else ""),
            do=f"name BLiMP's folder, or a .jsonl file whose rows have {GOOD!r} and {BAD!r}",
        )
    return MinimalPairs(tuple(pairs), tally)


def _records(file: DataFile) -> Iterator[Record]:
    try:
        records, _ = open_records(file, "json" if file.kind == "text" else file.kind)
    except Damaged as damaged:
        yield Record(WHOLE_FILE, {}, str(damaged))
        return
    yield from records.records(*(column for column in COLUMNS if column in records.columns))


def _problem(values: dict[str, object], problem: Callable[[str], str]) -> str:
    for column in (GOOD, BAD):
        value = values.get(column)
        if why := text_problem(value, column):
            return why
        if why := problem(str(value)):
            return f"column {column!r} {why}"
    return ""


def _pair(values: dict[str, object], file: DataFile, line: int) -> MinimalPair:
    paradigm, phenomenon, field = (str(values.get(column) or "").strip() for column in (PARADIGM, PHENOMENON, FIELD))
    return MinimalPair(
        str(values[GOOD]),
        str(values[BAD]),
        paradigm or file.path.name.partition(".")[0],
        phenomenon or UNNAMED,
        field.replace("/", "_")
        or UNNAMED,  # one file of BLiMP says syntax/semantics where the others say syntax_semantics
        file.name,
        line,
    )
