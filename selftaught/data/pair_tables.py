"""Pictures with words in tables: a column of paths or bytes, and one or several of captions."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from selftaught.data.files import DataFile, printable
from selftaught.data.gather import opened
from selftaught.data.pair_clips import clip_shape, load_clip
from selftaught.data.pair_columns import PairColumns
from selftaught.data.pair_item import PairItem
from selftaught.data.picture_decoding import PictureProblem, decode, shape
from selftaught.data.picture_item import no_shape, refuse
from selftaught.data.records import Record
from selftaught.data.tally import WHOLE_FILE
from selftaught.data.values import is_label_list, label_list, text_problem
from selftaught.errors import SelftaughtError

_KEPT = 64  # decoded pictures: rows that name one picture mostly follow each other


def table_pairs(files: Sequence[DataFile], columns: PairColumns, frames: int | None = None) -> Iterator[PairItem]:
    """Each row of each file. Paths are from the folder of the file on.

    Args:
        frames: how many are taken of each clip, where clips are named for pictures.
    """
    for file in files:
        try:
            records, _ = opened(file)
        except SelftaughtError as problem:
            yield PairItem(file.name, WHOLE_FILE, "", partial(refuse, problem.what), no_shape)
            continue
        for record in records.records(*columns.all):
            yield _row(file, record, columns, frames)


def _row(file: DataFile, record: Record, columns: PairColumns, frames: int | None) -> PairItem:
    values = record.values
    texts, empty, why = _texts(values, columns.texts)
    if why := record.why or why:
        return PairItem(file.name, record.line, "", partial(refuse, why), no_shape, empty=empty)
    load, shape_of = _picture(file.path.parent, values.get(columns.image), frames)
    label, group = (_said(values.get(column)) if column else "" for column in (columns.label, columns.group))
    return PairItem(file.name, record.line, label, load, shape_of, texts, empty, group)


def _picture(
    folder: Path, value: object, frames: int | None
) -> tuple[Callable[[int], np.ndarray], Callable[[], tuple[int, int]]]:
    """How a picture that a cell holds or names, or a clip that it names, is loaded, and how its shape is told."""
    if frames is not None:
        given = str(value or "").strip()
        return partial(load_clip, folder / given, given, frames), partial(clip_shape, folder / given)
    content, named = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, value)
    if isinstance(content, bytes):
        return partial(decode, content), partial(shape, content)
    given = str(named or "").strip()
    return partial(load_named, folder / given, given), partial(_shape, folder / given)


def _texts(values: dict[str, object], columns: Sequence[str]) -> tuple[tuple[str, ...], int, str]:
    """The different captions of a row, how many places for some are empty, and what is wrong with them."""
    found, empty = list[str](), 0
    for column in columns:
        for part in _parts(values.get(column)):
            if part is None or (isinstance(part, str) and not part.strip("\0 \t\r\n\f\v\u3000\xa0\ufeff")):
                empty += 1
            elif why := text_problem(part, column):
                return (), empty, why
            else:
                found.append(" ".join(str(part).split()))
    return tuple(dict.fromkeys(found)), empty, "" if found else "has no caption"


def _parts(value: object) -> Sequence[object]:
    """A caption, or those of a list, as such or as JSON."""
    if isinstance(value, str) and is_label_list(value):
        value = json.loads(value.strip())
    return (value or [None]) if isinstance(value, list) else [value]


def _said(value: object) -> str:
    if value is None:
        return ""
    return label_list(value) if isinstance(value, list) else str(value).strip()


def load_named(place: Path, given: str, size: int) -> np.ndarray:
    """The picture that a row names."""
    if not given:
        raise PictureProblem("names no picture")
    try:
        status = place.stat()
    except (OSError, ValueError):  # a name with a NUL byte is a ValueError
        raise PictureProblem(f"names {printable(given)!r}, which is not there") from None
    if not os.path.isfile(place):
        raise PictureProblem(f"names {printable(given)!r}, which is no file")
    return _decoded(place, size, status.st_mtime_ns)


@lru_cache(maxsize=_KEPT)
def _decoded(place: Path, size: int, changed: int) -> np.ndarray:
    return decode(place, size)


def _shape(place: Path) -> tuple[int, int]:
    try:
        return shape(place)
    except ValueError:
        return 0, 0
