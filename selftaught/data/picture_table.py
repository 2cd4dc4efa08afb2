"""Pictures that a table names."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from selftaught.data.columns import label_by_name, named
from selftaught.data.files import find_files, printable
from selftaught.data.gather import opened
from selftaught.data.picture_decoding import SUFFIXES, PictureProblem, decode, shape
from selftaught.data.picture_item import PictureItem, PictureSource, fingerprint, no_shape, refuse
from selftaught.data.values import label_list
from selftaught.errors import SelftaughtError


def table_source(path: Path, data: str, image: str | None, label: str | None) -> PictureSource:
    """Paths in a column, from the folder of the table on.

    Raises:
        SelftaughtError: if no column names pictures.
    """
    file = find_files(path, data).files[0]
    records, sample = opened(file)
    columns = list(records.columns)
    column = named(image, columns, file.name) if image else next((c for c in columns if _names_pictures(c, sample)), "")
    if not column:
        raise SelftaughtError(
            f"no column names pictures; the columns are {', '.join(columns) or 'none'}",
            where=file.name,
            do="name the column of paths with --image",
        )
    about = named(label, columns, file.name) if label else label_by_name([c for c in columns if c != column])

    def items() -> Iterator[PictureItem]:
        wanted = (column, about) if about else (column,)
        for record in records.records(*wanted):
            if record.why:
                yield PictureItem(file.name, record.line, "", partial(refuse, record.why), no_shape)
                continue
            given, told = str(record.values.get(column) or ""), record.values.get(about) if about else None
            said = "" if told is None else label_list(told) if isinstance(told, list) else str(told).strip()
            place = path.parent / given
            yield PictureItem(file.name, record.line, said, partial(_load_named, place, given), partial(shape, place))

    return PictureSource(
        f"{file.name}: paths in {column!r}{f', labels in {about!r}' if about else ''}", fingerprint([path]), items
    )


def _names_pictures(column: str, sample: list[dict[str, object]]) -> bool:
    values = [str(row.get(column) or "") for row in sample]
    return bool(values) and sum(value.lower().endswith(SUFFIXES) for value in values) > len(values) / 2


def _load_named(place: Path, given: str, size: int) -> np.ndarray:
    if not given:
        raise PictureProblem("names no picture")
    if not os.path.isfile(place):
        raise PictureProblem(f"names {printable(given)!r}, which is not there")
    return decode(place, size)
