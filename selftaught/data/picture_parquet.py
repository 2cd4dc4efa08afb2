"""Parquet files that hold the bytes of pictures, as the Hugging Face Hub keeps data sets of pictures."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selftaught.data.columns import label_by_name, named
from selftaught.data.files import not_a_file, printable
from selftaught.data.parquet import BATCH_OF_BYTES, holds_bytes
from selftaught.data.picture_decoding import decode, shape
from selftaught.data.picture_item import PictureItem, PictureSource, fingerprint, no_shape, refuse
from selftaught.data.tally import WHOLE_FILE


def bytes_column(path: Path) -> str | None:
    """The first column of ``path`` whose values are bytes, or bytes with a path beside; None if there is none.

    A file that cannot be read has none: whoever reads it will say why.
    """
    if not_a_file(path):
        return None
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowInvalid):
        return None
    return next((field.name for field in schema if holds_bytes(field.type)), None)


def _label_of(path: Path, column: str, given: str | None) -> str:
    """The label column beside the pictures; "" where there is none.

    Raises:
        SelftaughtError: if the given one is not there.
    """
    others = [field.name for field in pq.read_schema(path) if field.name != column]
    return named(given, others, str(path)) if given else label_by_name(others)


def parquet_source(paths: list[Path], root: Path, data: str, image: str | None, label: str | None) -> PictureSource:
    """Files whose rows hold the bytes of pictures.

    Args:
        root, data: the place that was given, and what the user calls it.
        image, label: the columns that the user named.
    """
    column = image or bytes_column(paths[0]) or ""
    about = _label_of(paths[0], column, label)
    said = f"pictures in {column!r}{f', labels in {about!r}' if about else ''}"
    items = partial(_items, paths, root, data, image, label)
    return PictureSource(f"{len(paths):,} Parquet files, {said}", fingerprint(paths), items)


def _items(paths: list[Path], root: Path, data: str, image: str | None, label: str | None) -> Iterator[PictureItem]:
    """Each row of each file, in order."""
    for path in paths:
        name = printable(data if path == root else f"{data.rstrip('/')}/{path.relative_to(root)}")
        column = image or bytes_column(path)
        if column is None:
            yield PictureItem(name, WHOLE_FILE, "", partial(refuse, "has no column of pictures"), no_shape)
            continue
        about = _label_of(path, column, label)
        try:
            yield from _rows(path, name, column, about)
        except (OSError, pa.ArrowInvalid) as error:
            what = f"cannot be read to its end: {str(error).splitlines()[0]}"
            yield PictureItem(name, WHOLE_FILE, "", partial(refuse, what), no_shape)


def _rows(path: Path, name: str, column: str, about: str) -> Iterator[PictureItem]:
    file = pq.ParquetFile(path)
    names, line = class_names(file.schema_arrow, about), 0
    missing = partial(refuse, f"has no picture in column {column!r}")
    for batch in file.iter_batches(BATCH_OF_BYTES, columns=[column, *([about] if about else [])]):
        for row in batch.to_pylist():
            line += 1
            value, said = row[column], _spelled(row.get(about), names)
            content = value.get("bytes") if isinstance(value, dict) else value
            if content is None:
                yield PictureItem(name, line, said, missing, no_shape)
            else:
                yield PictureItem(name, line, said, partial(decode, content), partial(shape, content))


def _spelled(label: object, names: list[str]) -> str:
    """A label as text; "" where there is none, and several as a JSON list."""
    if label is None:
        return ""
    if isinstance(label, list):
        return json.dumps([_spelled(one, names) for one in label], ensure_ascii=False)
    return names[label] if isinstance(label, int) and 0 <= label < len(names) else str(label)


def class_names(schema: pa.Schema, column: str) -> list[str]:
    """What the Hub says that the numbers in a column mean; nothing if it does not say."""
    try:
        facts: Any = json.loads((schema.metadata or {})[b"huggingface"])
        names = facts["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    return [str(name) for name in (names.values() if isinstance(names, dict) else names)]
