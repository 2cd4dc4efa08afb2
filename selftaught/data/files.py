"""Which files hold data: a path or a folder becomes named files, each with its kind and its packing."""

import difflib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from selftaught.data.prepared import prepared_shards
from selftaught.data.tally import WHOLE_FILE, Quarantined
from selftaught.errors import SelftaughtError

Kind = Literal["text", "json", "table", "parquet"]
Packing = Literal["", ".gz", ".zst"]

KINDS: dict[str, Kind] = {
    ".txt": "text",
    ".md": "text",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "table",
    ".tsv": "table",
    ".parquet": "parquet",
}
PACKINGS: tuple[Packing, ...] = (".gz", ".zst")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class DataFile:
    """One file: where it lies, how the user would name it, and what its suffix promises."""

    path: Path
    name: str
    suffix: str
    kind: Kind
    packing: Packing


@dataclass
class Found:
    """What a folder holds: files to read, files nobody can read, and how many of what were passed over."""

    files: list[DataFile] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def find_files(path: Path, name: str) -> Found:
    """The data files at ``path``, a file or a folder that is walked in the sorted order of its path parts.

    Hidden entries are passed over. A folder reached twice, by a link, is read once; one that this one lies in is not.
    Of a prepared corpus the shards are the files.

    Raises:
        SelftaughtError: nothing is there, it is neither a file nor a folder, or a prepared corpus that is not whole.
    """
    if not name:
        raise SelftaughtError("no file or folder is named", do="name one; the folder you are in is .")
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # a name with a NUL byte is a ValueError
        raise SelftaughtError(
            f"nothing can be read at {printable(name)!r}: {_reason(error)}",
            do=_nearest(path) or "check the path",
        ) from None
    found = Found()
    if stat.S_ISDIR(mode):
        if (shards := prepared_shards(path)) is not None:
            return Found([given_file(shard, f"{name.rstrip('/' + os.sep) or name}/{shard.name}") for shard in shards])
        _gather(path, name.rstrip("/" + os.sep) or name, _above(path), found)
    elif stat.S_ISREG(mode):
        found.files.append(given_file(path, name))
    else:
        raise SelftaughtError(
            f"{printable(name)!r} is {_not_a_file(mode)}, not a file or a folder",
            do="copy its content into a file first",
        )
    return found


def given_file(path: Path, name: str) -> DataFile:
    """The file a user names outright: an unknown suffix counts as plain text."""
    suffix, packing = split_suffix(path.name)
    return DataFile(path, printable(name), suffix, KINDS.get(suffix, "text"), packing)


def split_suffix(filename: str) -> tuple[str, Packing]:
    """``reviews.csv.gz`` -> ``(".csv", ".gz")``."""
    stem, suffix = os.path.splitext(filename.lower())
    for packing in PACKINGS:
        if suffix == packing:
            return os.path.splitext(stem)[1], packing
    return suffix, ""


def printable(name: str) -> str:
    """The name with all that is no text replaced, and what terminals obey: it can be shown and written anywhere."""
    return _UNPRINTABLE.sub("\ufffd", name)


def not_a_file(path: Path) -> str:
    """Why a path leads to nothing that can be opened and read to an end, such as a pipe; empty if it is a file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        return _reason(error)
    return "" if stat.S_ISREG(mode) else f"is {_not_a_file(mode)}, not a file"


def read_json(file: Path) -> Any:
    """What a JSON file of facts holds.

    Raises:
        OSError, ValueError: it cannot be read, is no JSON, or no file that would end.
    """
    if why := not_a_file(file):
        raise ValueError(f"it {why}")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def walk(folder: Path) -> Iterator[Path]:
    """Files by sorted path; hidden ones are passed over, and a folder reached twice by a link is read once.

    A link to a folder that this one lies in is not followed: nobody asked for all that is there.
    """
    seen = _above(folder)
    for place, folders, files in os.walk(folder, followlinks=True):
        identity = _identity(place)
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def suggestion(wrong: str, right: Iterable[str]) -> str:
    """``did you mean 'x'?``, or nothing when no name is near."""
    near = difflib.get_close_matches(wrong, list(right), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def _gather(folder: Path, name: str, seen: set[tuple[int, int]], found: Found) -> None:
    identity = _identity(folder)
    if identity in seen:
        found.skipped["links to a folder already read, or around this one"] += 1
        return
    seen.add(identity)
    for entry in sorted(_visible(folder), key=lambda entry: entry.name):
        child = f"{name}/{entry.name}"
        try:
            mode = entry.stat().st_mode
            if stat.S_ISDIR(mode):
                _gather(Path(entry.path), child, seen, found)
            elif not stat.S_ISREG(mode):
                found.refused.append(Quarantined(printable(child), WHOLE_FILE, f"is {_not_a_file(mode)}"))
            elif split_suffix(entry.name)[0] in KINDS:
                found.files.append(given_file(Path(entry.path), child))
            else:
                found.skipped[os.path.splitext(entry.name)[1].lower() or printable(entry.name)] += 1
        except OSError as error:
            found.refused.append(Quarantined(printable(child), WHOLE_FILE, _reason(error)))


def _identity(folder: str | Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _above(folder: Path) -> set[tuple[int, int]]:
    """The folders that a folder lies in."""
    return {_identity(parent) for parent in folder.resolve().parents}


def _visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))


def _reason(error: OSError | ValueError) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return f"cannot be read: {(words or str(error)).lower()}"


def _not_a_file(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _nearest(path: Path) -> str:
    try:
        return suggestion(path.name, os.listdir(path.parent))
    except OSError:
        return ""
