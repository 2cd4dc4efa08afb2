"""Pictures from a folder, a table of paths, an array, tar shards, or this machine: what there is, before it is decoded.

A label is whatever the place of a picture says of it: the subfolder it lies in, a column, a file beside it. Labels are
for probes and verdicts; pretraining never sees them.
"""

import stat
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from selftaught.data.files import KINDS, find_files, printable, split_suffix, walk
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.picture_arrays import ARRAYS, array_source
from selftaught.data.picture_builtin import BUILTIN, BUILTIN_PICTURES, builtin_pictures
from selftaught.data.picture_decoding import SUFFIXES, decode, shape
from selftaught.data.picture_item import PictureItem, PictureSource, fingerprint
from selftaught.data.picture_parquet import bytes_column, parquet_source
from selftaught.data.picture_shards import shard_source
from selftaught.data.picture_table import table_source
from selftaught.data.tally import WHOLE_FILE
from selftaught.errors import SelftaughtError


def open_pictures(data: str, *, image: str | None = None, label: str | None = None) -> PictureSource:
    """The pictures of a folder, a file of paths (.csv, .tsv, .jsonl, .parquet), an array (.npy, IDX), a tar file or a
    folder of them, ``builtin:digits`` or ``builtin:glyphs``.

    Args:
        image: the column of paths, where there are columns.
        label: the column of labels.

    Raises:
        SelftaughtError: if there is nothing of the kind.
    """
    if data.startswith(BUILTIN):
        return builtin_pictures(data.removeprefix(BUILTIN))
    path = place_of(data)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        find_files(path, data)  # says what is wrong, and what may be meant
        raise
    if is_folder:
        return _folder(path, data, image, label)
    name = path.name.lower()
    if name.endswith(".tar"):
        return shard_source([path], data)
    if name.endswith(ARRAYS):
        return array_source(path, data)
    if name.endswith(".parquet") and bytes_column(path):
        return parquet_source([path], path, data, image, label)
    if split_suffix(name)[0] in KINDS:
        return table_source(path, data, image, label)
    return _files([path], path.parent, data)


def holds_pictures(data: str) -> bool:
    """Whether DATA is pictures rather than text: most of the files in a folder are, or its name says so."""
    if data.startswith(BUILTIN):
        return data.removeprefix(BUILTIN) in BUILTIN_PICTURES
    path = place_of(data)
    if path.is_file():
        return path.name.lower().endswith((*SUFFIXES, *ARRAYS, ".tar")) or _is_parquet(path)
    kinds = (
        Counter(_is_picture(file) for file, _ in zip(walk(path), range(1000), strict=False))
        if path.is_dir()
        else Counter()
    )
    return kinds[True] > kinds[False]


def place_of(data: str) -> Path:
    """Where the data is on this machine; that of the Hub is fetched first."""
    if data.startswith(HUB):
        return hub_folder(data.removeprefix(HUB), (*KINDS, *SUFFIXES, ".tar"))
    return Path(data)


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in (*SUFFIXES, ".tar") or _is_parquet(file)


def _is_parquet(file: Path) -> bool:
    """Whether it is a Parquet file that holds pictures."""
    return file.suffix.lower() == ".parquet" and bytes_column(file) is not None


def _folder(path: Path, data: str, image: str | None, label: str | None) -> PictureSource:
    files = [file for file in walk(path) if _is_picture(file)]
    shards, tables = ([file for file in files if file.suffix.lower() == kind] for kind in (".tar", ".parquet"))
    if shards and len(shards) == len(files):
        return shard_source(shards, data)
    if tables and len(tables) == len(files):
        return parquet_source(tables, path, data, image, label)
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not pictures:
        raise SelftaughtError(
            f"there are no pictures in {printable(data)!r}",
            do=f"pictures are read from {' '.join(SUFFIXES)}, .tar, .npy and IDX files, and tables of paths",
        )
    return _files(pictures, path, data)


def _files(files: list[Path], root: Path, data: str) -> PictureSource:
    shown = data.rstrip("/") or data
    folders = {file.relative_to(root).parts[0] if len(file.relative_to(root).parts) > 1 else "" for file in files}
    labelled = len(folders) > 1 and "" not in folders

    def items() -> Iterator[PictureItem]:
        for file in files:
            place = file.relative_to(root)
            name = printable(data if file == Path(data) else f"{shown}/{place}")
            label = printable(place.parts[0]) if labelled else ""
            yield PictureItem(name, WHOLE_FILE, label, partial(decode, file), partial(shape, file))

    kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(f.suffix.lower() for f in files).most_common(3))
    said = f"; {len(folders)} subfolders, taken for labels" if labelled else ""
    return PictureSource(f"{len(files):,} pictures: {kinds}{said}", fingerprint(files), items)
