"""Tagged text in the files of its field: columns as the shared tasks of CoNLL have them, JSON lines, parquet."""

from collections.abc import Sequence
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path

from selftaught.data.conll import has_tags, read_columns
from selftaught.data.examples import Columns, Examples
from selftaught.data.files import DataFile, find_files, printable
from selftaught.data.gather import require_examples
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.labels import read_unlabelled
from selftaught.data.sniff import text_encoding
from selftaught.data.streams import Damaged
from selftaught.data.tag_schemes import OUTSIDE, Broken, find_scheme, to_iob2
from selftaught.data.tagged_json import read_json
from selftaught.data.tagged_text import Row, TaggedText
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError


def read_tagged(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[TaggedText]:
    """Reads tagged sentences; how they are written, and in which scheme, is told from the file and for each file alone.

    A sentence whose tags are not of the scheme is set aside.

    Args:
        path: a file, ``hf:NAME``, or a pattern such as ``slots/*.json`` for several files.
        columns: ``text`` names the words or the text, ``label`` the tags; in files of columns by number, from 1.
        labelled: false to read the texts alone; what has no tags is then read as plain text, as pretraining does.

    Raises:
        SelftaughtError: there is nothing to read, no such column, no tags, or no entity.
    """
    if not labelled and _is_plain(path):
        return _plain_text(path, columns)
    tally, examples = Tally(), []
    files_by_form: dict[str, list[str]] = {}
    for file in _files(path):
        try:
            rows, how = _read(file, columns, labelled)
        except Damaged as damaged:
            raise SelftaughtError(f"no tags can be read from it: {damaged}", where=file.name) from None
        for row in rows:
            if row.found is None:
                tally.quarantine(file.name, row.lines[0], row.why)
            else:
                tally.keep()
                examples.append(row.found)
        files_by_form.setdefault(how, []).append(file.name)
    description = "; ".join(f"{_shown(names)}: {how}" for how, names in files_by_form.items())
    require_examples(examples, tally, description)
    if labelled and all(tag == OUTSIDE for example in examples for tag in example.tags):
        raise SelftaughtError(
            f"there is no entity in {tally.kept} sentences: there is nothing to learn",
            where=description,
            do="name another column of tags with --label",
        )
    return Examples(tuple(examples), tally, description)


def _is_plain(path: str | Path) -> bool:
    """Whether this is text without tags: a folder, or a file neither of columns nor of records."""
    if Path(path).is_dir():
        return True
    try:
        return all(file.kind in ("text", "table") and not has_tags(file, text_encoding(file)) for file in _files(path))
    except Damaged:
        return True


def _plain_text(path: str | Path, columns: Columns) -> Examples[TaggedText]:
    found = read_unlabelled(path, text=columns.text)
    texts = tuple(TaggedText(one.text, (), (), one.file, one.line) for one in found.examples)
    return Examples(texts, found.tally, found.description)


def _files(path: str | Path) -> list[DataFile]:
    """The files, in the order of their names."""
    name = str(path)
    if has_magic(name) and not Path(name).exists():
        found = [file for match in sorted(glob(name, recursive=True)) for file in find_files(Path(match), match).files]
        if not found:
            raise SelftaughtError(f"no file has a name like {printable(name)!r}", do="check the pattern")
        return found
    downloaded = name.startswith(HUB)
    place = hub_folder(name.removeprefix(HUB)) if downloaded else Path(path)
    files = find_files(place, name).files
    if place.is_dir() and not (downloaded and len(files) == 1):
        raise SelftaughtError(
            f"{printable(name)!r} is a folder, and there is no telling which of its files to read",
            do=f"name one of them, or several by a pattern in quotes, such as '{printable(name)}/train*'",
        )
    return files


def _read(file: DataFile, columns: Columns, labelled: bool) -> tuple[list[Row], str]:
    """All sentences of a file, and how it is written."""
    if file.kind in ("json", "parquet"):
        rows, how = read_json(file, columns, labelled=labelled)
    else:
        rows, how = read_columns(file, text_encoding(file), columns.text, columns.label)
    if labelled:
        return _in_iob2(rows, how)
    return [replace(row, found=replace(row.found, tags=())) if row.found else row for row in rows], how


def _in_iob2(rows: Sequence[Row], how: str) -> tuple[list[Row], str]:
    """The sentences with their tags in one scheme, and how they were written."""
    scheme = find_scheme([row.found.tags for row in rows if row.found])
    converted = []
    for row in rows:
        try:
            if row.found is not None:
                row = replace(row, found=replace(row.found, tags=to_iob2(row.found.tags, scheme)))
        except Broken as broken:
            row = Row(None, (row.lines[broken.place],), str(broken))
        converted.append(row)
    return converted, f"{how}, scheme {scheme.name}"


def _shown(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
