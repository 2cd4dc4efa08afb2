"""Pictures with words from a table, a folder with a text beside each picture, tar shards, or this machine's glyphs.

What is written about a picture is one caption or several. A label, where there is one, is for probes and other tasks.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial
from itertools import islice
from pathlib import Path

from selftaught.data.files import KINDS, DataFile, find_files, printable, walk
from selftaught.data.gather import opened
from selftaught.data.pair_columns import Asked, looks_like_pairs, names_clips, pair_columns, picture_column
from selftaught.data.pair_files import folder_pairs, shard_pairs, text_beside
from selftaught.data.pair_item import PairItem, PairSource
from selftaught.data.pair_tables import table_pairs
from selftaught.data.picture_builtin import BUILTIN
from selftaught.data.picture_decoding import SUFFIXES
from selftaught.data.picture_item import fingerprint
from selftaught.data.picture_source import open_pictures, place_of
from selftaught.errors import SelftaughtError

_TOLD_BY = 1_000  # files of a folder, by which it is told what it holds


def open_pairs(
    data: str,
    *,
    image: str | None = None,
    text: str | None = None,
    label: str | None = None,
    group: str | None = None,
    frames: int | None = None,
) -> PairSource:
    """The pictures with words of a table (.csv, .tsv, .jsonl, .parquet), a folder that holds one or a .txt beside each
    picture, a tar file or a folder of them, ``builtin:glyphs`` or ``hf:NAME``.

    Args:
        image: the column of paths or bytes, where there are columns.
        text: the column of captions, or several with commas between.
        label: the column of labels.
        group: a column; pictures with one value in it stay together when some are held out.
        frames: if given, tables may name clips instead of pictures, of each of which so many frames are taken.

    Raises:
        SelftaughtError: if there is nothing of the kind.
    """
    if data.startswith(BUILTIN):
        return _glyphs(data)
    asked = Asked(image, text, label, group, clips=frames is not None)
    path = place_of(data)
    found = find_files(path, data)  # says what is wrong with a path
    if not path.is_dir():
        if path.suffix.lower() == ".tar":
            return _shards([path], data)
        if found.files[0].kind == "text":
            raise SelftaughtError(
                f"{printable(data)!r} holds no pictures with words",
                do="they are read from .csv .tsv .jsonl .parquet with a column of pictures, .tar, and folders",
            )
        return _tables(found.files, asked, frames)
    if shards := [file for file in walk(path) if file.suffix.lower() == ".tar"]:
        return _shards(shards, data)
    if not (image or text) and _texts_beside(pictures := _pictures(path)):
        return _folder(pictures, path, data)
    tables = [file for file in found.files if KINDS[file.suffix] != "text"]
    if chosen := _tables_of_pairs(tables, named=bool(image), captioned=bool(text)):
        return _tables(chosen, asked, frames)
    raise SelftaughtError(
        f"there are no pictures with words in {printable(data)!r}",
        do="put 0001.txt beside 0001.jpg, or name a table with a column of pictures and one of captions",
    )


def holds_pairs(data: str, text: str | None = None) -> bool:
    """Whether DATA is plainly pictures with words, rather than pictures or text alone.

    Args:
        text: the column of text that the user names, if any: beside one of pictures it can only be one of captions.
    """
    if data.startswith(BUILTIN):
        return False  # its glyphs are pictures first
    try:
        path = place_of(data)
        if path.is_file() and path.suffix.lower() == ".tar":
            return any(item.texts for item in islice(shard_pairs([path], [data]), 10))
        if path.is_dir():
            pictures = _pictures(path)
            shards = [file for file in islice(walk(path), _TOLD_BY) if file.suffix.lower() == ".tar"]
            if shards or _texts_beside(pictures):
                return not shards or holds_pairs(str(shards[0]))
            if not pictures and not any(file.suffix.lower() == ".parquet" for file in islice(walk(path), _TOLD_BY)):
                return False
        files = [file for file in find_files(path, data).files if file.kind != "text"]
        return bool(_tables_of_pairs(files, named=False, captioned=bool(text)))
    except SelftaughtError:
        return False


def _pictures(folder: Path) -> list[Path]:
    return [file for file in walk(folder) if file.suffix.lower() in SUFFIXES]


def _texts_beside(pictures: Sequence[Path]) -> bool:
    """Whether most pictures have a text beside them."""
    some = pictures[:_TOLD_BY]
    return 2 * sum(text_beside(file) is not None for file in some) > len(some)


def _tables_of_pairs(files: Sequence[DataFile], *, named: bool, captioned: bool) -> list[DataFile]:
    """Those of a folder's tables that hold pairs, which must have the same columns; metadata.csv before others.

    Args:
        named: whether the user names the column of pictures, so that any table may be the one.
        captioned: whether the user names that of captions, so that it need only name pictures.
    """
    found = dict[tuple[str, ...], list[DataFile]]()
    for file in files:
        try:
            records, sample = opened(file)
        except SelftaughtError:
            continue
        pictured = captioned and picture_column(records.columns, sample)
        if named or pictured or looks_like_pairs(records, sample):
            found.setdefault(records.columns, []).append(file)
    described = [file for files in found.values() for file in files if file.path.name.startswith("metadata.")]
    if len(found) > 1 and len(described) != 1:
        names = ", ".join(file.name for files in found.values() for file in files)
        raise SelftaughtError(f"there are several tables of pictures, with different columns: {names}", do="name one")
    return described if len(found) > 1 else next(iter(found.values()), [])


def _tables(files: Sequence[DataFile], asked: Asked, frames: int | None) -> PairSource:
    records, sample = opened(files[0])
    columns = pair_columns(records, sample, asked)
    name = files[0].name if len(files) == 1 else f"{len(files):,} tables"
    known = f"{fingerprint([file.path for file in files])}:{columns}"
    if frames is None or not names_clips(sample, columns.image):
        return PairSource(f"{name}: {columns}", known, partial(table_pairs, files, columns))
    said = f"{name}: {columns}, which are clips: {frames} frames of each"
    return PairSource(said, f"{known}:{frames}", partial(table_pairs, files, columns, frames), frames=frames)


def _folder(pictures: list[Path], root: Path, data: str) -> PairSource:
    beside = [file for picture in pictures if (file := text_beside(picture)) is not None]
    said = f"{len(pictures):,} pictures, {len(beside):,} of them with a text beside"
    items = partial(folder_pairs, pictures, root, data.rstrip("/") or data)
    return PairSource(said, fingerprint([*pictures, *beside]), items)


def _shards(paths: list[Path], data: str) -> PairSource:
    names = [printable(data if path == Path(data) else f"{data.rstrip('/')}/{path.name}") for path in paths]
    size = sum(path.stat().st_size for path in paths)
    said = f"{len(paths):,} tar file{'s' * (len(paths) > 1)}, {size / 1e6:.1f} MB: pictures with a text beside"
    return PairSource(said, fingerprint(paths), partial(shard_pairs, paths, names))


def _glyphs(data: str) -> PairSource:
    """Glyphs with their Unicode names; the first word of a name, mostly the script, is the label.

    A character is on one side in all fonts when some are held out.
    """
    if data != f"{BUILTIN}glyphs":
        raise SelftaughtError(
            f"there are no built-in pictures with words called {data!r}", do="there is builtin:glyphs"
        )
    source = open_pictures(data)

    def items() -> Iterator[PairItem]:
        for item in source.items():
            character = chr(int(item.file.rpartition("+")[2], 16))
            known = {field.name: getattr(item, field.name) for field in fields(item)}
            yield PairItem(**known, texts=(unicodedata.name(character).lower(),), group=character)

    return PairSource(f"{source.description}; their whole names are the captions", f"{source.fingerprint}:names", items)
