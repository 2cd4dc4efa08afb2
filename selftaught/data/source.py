"""What a user calls DATA (a folder, a file, ``builtin:NAME``, ``hf:NAME``) becomes a source of text."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from selftaught.data.builtin import BUILTIN, builtin_text
from selftaught.data.columns import listed, named, text_column
from selftaught.data.files import KINDS, DataFile, Found, find_files, printable
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.prepared import has_tokens_by
from selftaught.data.ready_tokens import TokenisedFile
from selftaught.data.sniff import text_encoding
from selftaught.data.streams import Damaged
from selftaught.data.tabular import open_records
from selftaught.data.tally import WHOLE_FILE, Quarantined, Tally
from selftaught.data.text import ColumnFile, PlainFile, TextFiles, TextSource
from selftaught.errors import SelftaughtError

SHOWN = 5


def open_text(data: str | Path, *, text: str | None = None, tokenizer: str | None = None) -> TextSource:
    """The text in a folder, a file, ``builtin:docs`` or ``hf:NAME[@revision][/subfolder]``.

    Formats, encodings and text columns are detected; ``text`` names the column instead. A prepared corpus that has
    tokens by the tokenizer with the fingerprint ``tokenizer`` gives them with its rows.

    Raises:
        SelftaughtError: there is nothing there to read, or no file has such a column.
    """
    name = str(data)
    if name.startswith(BUILTIN):
        if text is not None:
            raise SelftaughtError(f"a column {text!r} was asked for, but {name} has no columns")
        return builtin_text(name.removeprefix(BUILTIN))
    folder = hub_folder(name.removeprefix(HUB)) if name.startswith(HUB) else Path(data)
    found = _text_files(find_files(folder, name), text, name)
    if tokenizer is None or not has_tokens_by(folder, tokenizer):
        return found
    shards = [TokenisedFile(one.records, one.column) for one in found.files if isinstance(one, ColumnFile)]
    return replace(found, files=tuple(shards))


def require_rows(source: TextSource, tally: Tally) -> None:
    """To be called after a reading.

    Raises:
        SelftaughtError: not one row was kept; the message names what was quarantined.
    """
    if tally.kept:
        return
    why = "; ".join(str(record) for record in tally.records[:SHOWN])
    raise SelftaughtError(
        f"there is no text in {source.description}" + (f" ({tally.summary()}: {why})" if why else ""),
        do="name a folder or a file with text in it",
    )


def _text_files(found: Found, text: str | None, name: str) -> TextFiles:
    files: list[PlainFile | ColumnFile] = []
    refused = list(found.refused)
    mistakes: list[SelftaughtError] = []
    for file in found.files:
        try:
            files.append(open_file(file, text))
        except Damaged as damaged:
            refused.append(Quarantined(file.name, WHOLE_FILE, str(damaged)))
        except SelftaughtError as error:
            mistakes.append(error)
            refused.append(Quarantined(file.name, WHOLE_FILE, error.what))
    if mistakes and not any(isinstance(file, ColumnFile) for file in files):
        raise mistakes[0]
    if not files:
        raise _nothing_to_read(name, refused, found)
    if text is not None and all(isinstance(file, PlainFile) for file in files):
        raise SelftaughtError(f"a column {text!r} was asked for, but there are only files of plain text", where=name)
    size = sum(file.file.path.stat().st_size for file in files)
    return TextFiles(tuple(files), tuple(refused), _describe(files, refused, found, size), size, _fingerprint(files))


def open_file(file: DataFile, text: str | None) -> PlainFile | ColumnFile:
    """How one file is read.

    Raises:
        Damaged: nobody can read it.
        SelftaughtError: no column of it holds text, or not the one asked for.
    """
    if file.kind == "text":
        return PlainFile(file, text_encoding(file))
    records, sample = open_records(file, file.kind)
    if text is not None and records.columns:
        return ColumnFile(records, named(text, records.columns, file.name))
    column = text_column(sample)
    if sample and not column:
        raise SelftaughtError(
            f"no column holds text; the columns are {listed(records.columns)}",
            where=file.name,
            do="name the text column with --text",
        )
    return ColumnFile(records, column or text or "text")


def _nothing_to_read(name: str, refused: Sequence[Quarantined], found: Found) -> SelftaughtError:
    details = [str(one) for one in refused[:SHOWN]] + _passed_over(found)
    return SelftaughtError(
        f"nothing can be read in {printable(name)!r}" + (f": {'; '.join(details)}" if details else ": it is empty"),
        do=f"text is read from {' '.join(KINDS)}, each also .gz or .zst",
    )


def _describe(files: Sequence[PlainFile | ColumnFile], refused: Sequence[Quarantined], found: Found, size: int) -> str:
    kinds = Counter(str(file) for file in files)
    if len(files) == 1:
        parts = [f"{files[0].file.name}: {files[0]}, {megabytes(size)}"]
    else:
        parts = [f"{len(files)} files, {megabytes(size)}"]
        parts += [f"{number} {what}" for what, number in kinds.most_common(SHOWN)]
        parts += [f"{len(kinds) - SHOWN} other kinds"] if len(kinds) > SHOWN else []
    if refused:
        names = ", ".join(str(one) for one in refused[:SHOWN])
        parts.append(f"{len(refused)} refused ({names}{', …' if len(refused) > SHOWN else ''})")
    return "; ".join(parts + _passed_over(found))


def _passed_over(found: Found) -> list[str]:
    if not found.skipped:
        return []
    kinds = ", ".join(f"{number} {what}" for what, number in found.skipped.most_common(SHOWN))
    more = ", …" if len(found.skipped) > SHOWN else ""
    return [f"{found.skipped.total()} passed over ({kinds}{more})"]


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size:,} bytes"


def _fingerprint(files: Sequence[PlainFile | ColumnFile]) -> str:
    digest = hashlib.sha256()
    for file in files:
        status = file.file.path.stat()
        entry = (str(file.file.path.resolve()), status.st_size, status.st_mtime_ns, str(file))
        digest.update(repr(entry).encode())
    return digest.hexdigest()
