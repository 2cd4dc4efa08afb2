"""Pictures from a folder, a table of paths, an array, tar shards, or this machine: what there is, before it is decoded.

A label is whatever the place of a picture says of it: the subfolder it lies in, a column, a file beside it. Labels are
for probes and verdicts; pretraining never sees them.
"""

import gzip
import hashlib
import os
import stat
import tarfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.columns import label_by_name, named
from selftaught.data.files import KINDS, find_files, printable, split_suffix, suggestion
from selftaught.data.gather import opened
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.picture_decoding import SUFFIXES, PictureProblem, decode, shape
from selftaught.data.picture_item import PictureItem, no_shape, refuse
from selftaught.data.picture_parquet import bytes_column, label_of, parquet_items
from selftaught.data.tally import WHOLE_FILE, Quarantined
from selftaught.data.values import label_list
from selftaught.errors import SelftaughtError

BUILTIN = "builtin:"
_ARRAYS = (".npy", "-ubyte", "-ubyte.gz")
_LARGEST_MEMBER = 1 << 28  # bytes of a picture in a tar shard
_LOOKED_AT = 200  # pictures whose size is asked, to choose a resolution


@dataclass(frozen=True)
class PictureSource:
    """Where pictures come from.

    Args:
        description: what was detected, for the user.
        fingerprint: changes when the files do.
        items: each picture, in an order that does not change.
        refused: what could not even be opened.
    """

    description: str
    fingerprint: str
    items: Callable[[], Iterator[PictureItem]]
    refused: tuple[Quarantined, ...] = ()

    def typical_side(self) -> int:
        """The median of the shorter sides of some pictures, in pixels.

        Raises:
            SelftaughtError: if none of them is a picture.
        """
        sides = []
        for item, _ in zip(self.items(), range(_LOOKED_AT), strict=False):
            sides.append(min(item.shape()))
        known = [side for side in sides if side > 0]
        if not known:
            raise SelftaughtError(
                "not one picture can be read", where=self.description, do="selftaught check tells why"
            )
        return int(np.median(known))


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
        return _builtin(data.removeprefix(BUILTIN))
    path = _place(data)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        find_files(path, data)  # says what is wrong, and what may be meant
        raise
    if is_folder:
        return _folder(path, data, image, label)
    name = path.name.lower()
    if name.endswith(".tar"):
        return _shards([path], data)
    if name.endswith(_ARRAYS):
        return _array(path, data)
    if name.endswith(".parquet") and bytes_column(path):
        return _parquet([path], path, data, image, label)
    if split_suffix(name)[0] in KINDS:
        return _table(path, data, image, label)
    return _files([path], path.parent, data)


def holds_pictures(data: str) -> bool:
    """Whether DATA is pictures rather than text: most of the files in a folder are, or its name says so."""
    if data.startswith(BUILTIN):
        return data.removeprefix(BUILTIN) in _BUILTIN
    path = _place(data)
    if path.is_file():
        return path.name.lower().endswith((*SUFFIXES, *_ARRAYS, ".tar")) or _is_parquet(path)
    kinds = (
        Counter(_is_picture(file) for file, _ in zip(_walk(path), range(1000), strict=False))
        if path.is_dir()
        else Counter()
    )
    return kinds[True] > kinds[False]


def _place(data: str) -> Path:
    """Where the data is on this machine; that of the Hub is fetched first."""
    if data.startswith(HUB):
        return hub_folder(data.removeprefix(HUB), (*KINDS, *SUFFIXES, ".tar"))
    return Path(data)


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in (*SUFFIXES, ".tar") or _is_parquet(file)


def _is_parquet(file: Path) -> bool:
    """Whether it is a Parquet file that holds pictures."""
    return file.suffix.lower() == ".parquet" and bytes_column(file) is not None


def _walk(folder: Path) -> Iterator[Path]:
    """Files by sorted path; hidden ones are passed over, and a folder reached twice by a link is read once."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        identity = os.stat(place).st_ino
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _folder(path: Path, data: str, image: str | None, label: str | None) -> PictureSource:
    files = [file for file in _walk(path) if _is_picture(file)]
    shards, tables = ([file for file in files if file.suffix.lower() == kind] for kind in (".tar", ".parquet"))
    if shards and len(shards) == len(files):
        return _shards(shards, data)
    if tables and len(tables) == len(files):
        return _parquet(tables, path, data, image, label)
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
            yield PictureItem(name, WHOLE_FILE, label, partial(_load_file, file), partial(shape, file))

    kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(f.suffix.lower() for f in files).most_common(3))
    said = f"; {len(folders)} subfolders, taken for labels" if labelled else ""
    return PictureSource(f"{len(files):,} pictures: {kinds}{said}", _fingerprint(files), items)


def _load_file(file: Path, size: int) -> np.ndarray:
    try:
        return decode(file, size)
    except OSError as error:
        raise PictureProblem(f"cannot be read: {(error.strerror or str(error)).lower()}") from None


def _table(path: Path, data: str, image: str | None, label: str | None) -> PictureSource:
    """Paths in a column, from the folder of the table on."""
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
        f"{file.name}: paths in {column!r}{f', labels in {about!r}' if about else ''}", _fingerprint([path]), items
    )


def _names_pictures(column: str, sample: list[dict[str, object]]) -> bool:
    values = [str(row.get(column) or "") for row in sample]
    return bool(values) and sum(value.lower().endswith(SUFFIXES) for value in values) > len(values) / 2


def _load_named(place: Path, given: str, size: int) -> np.ndarray:
    if not given:
        raise PictureProblem("names no picture")
    if not place.is_file():
        raise PictureProblem(f"names {printable(given)!r}, which is not there")
    return _load_file(place, size)


def _parquet(paths: list[Path], root: Path, data: str, image: str | None, label: str | None) -> PictureSource:
    """Files whose rows hold the bytes of pictures."""
    column = image or bytes_column(paths[0]) or ""
    about = label_of(paths[0], column, label)
    said = f"pictures in {column!r}{f', labels in {about!r}' if about else ''}"
    items = partial(parquet_items, paths, root, data, image, label)
    return PictureSource(f"{len(paths):,} Parquet files, {said}", _fingerprint(paths), items)


def _array(path: Path, data: str) -> PictureSource:
    pictures = _idx(path) if "-ubyte" in path.name else _npy(path)
    labels: list[str] = []
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    if beside != path and beside.is_file():
        labels = [str(number) for number in _idx(beside).ravel().tolist()]
    if labels and len(labels) != len(pictures):
        raise SelftaughtError(f"{len(labels)} labels stand beside {len(pictures)} pictures", where=str(beside))
    said = f"; labels in {beside.name}" if labels else ""
    description = f"{printable(data)}: {len(pictures):,} pictures of {pictures.shape[2]} x {pictures.shape[1]}{said}"
    return PictureSource(description, _fingerprint([path]), partial(_of_array, pictures, labels, printable(data)))


def _of_array(pictures: np.ndarray, labels: list[str], name: str) -> Iterator[PictureItem]:
    """Of uint8 [N, H, W] or [N, H, W, C]."""
    for number in range(len(pictures)):
        row = partial(_load_row, pictures, number)
        label = labels[number] if labels else ""
        yield PictureItem(name, number + 1, label, row, lambda: (pictures.shape[2], pictures.shape[1]))


def _load_row(pictures: np.ndarray, number: int, size: int) -> np.ndarray:
    from PIL import Image

    row = np.asarray(pictures[number])
    if row.ndim == 3 and row.shape[-1] == 1:
        row = row[..., 0]
    image = Image.fromarray(np.ascontiguousarray(row)).convert("RGB")
    small = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def _npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SelftaughtError(f"the array cannot be read: {error}", where=str(path)) from error
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[-1] not in (1, 3, 4):
        array = array.transpose(0, 2, 3, 1)
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 3, 4)):
        raise SelftaughtError(
            f"this array is {array.dtype} {list(array.shape)}, not pictures",
            where=str(path),
            do="save pictures as uint8 [N, H, W], [N, H, W, C] or [N, C, H, W]",
        )
    return array


def _idx(path: Path) -> np.ndarray:
    """The form of MNIST's files: two zero bytes, the type (8: uint8), the dimensions, their sizes, the numbers."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 3:
                raise ValueError("it does not begin as IDX files of bytes do")
            sizes = np.frombuffer(file.read(4 * head[3]), ">i4").tolist()
            return np.frombuffer(file.read(), np.uint8).reshape(sizes)
    except (OSError, ValueError, EOFError) as error:
        raise SelftaughtError(f"the IDX file cannot be read: {error}", where=str(path)) from error


def _shards(paths: list[Path], data: str) -> PictureSource:
    """Tar files whose members share a key, as WebDataset has them: ``0001.jpg``, and perhaps ``0001.cls``."""

    def items() -> Iterator[PictureItem]:
        for path in paths:
            name = printable(data if path == Path(data) else f"{data.rstrip('/')}/{path.name}")
            try:
                with tarfile.open(path) as shard:
                    yield from _members(shard, name)
            except (OSError, tarfile.TarError) as error:
                yield PictureItem(
                    name, WHOLE_FILE, "", partial(refuse, f"cannot be read to its end: {error}"), no_shape
                )

    size = sum(path.stat().st_size for path in paths)
    return PictureSource(f"{len(paths):,} tar files, {size / 1e6:.1f} MB", _fingerprint(paths), items)


def _members(shard: tarfile.TarFile, name: str) -> Iterator[PictureItem]:
    waiting: dict[str, bytes] = {}
    labels: dict[str, str] = {}

    def released(key: str) -> PictureItem:
        content = waiting.pop(key)
        file = f"{name}/{printable(key)}"
        return PictureItem(file, WHOLE_FILE, labels.pop(key, ""), partial(decode, content), partial(shape, content))

    for member in shard:
        key, _, suffix = member.name.rpartition(".")
        if not member.isfile():
            continue
        for other in [other for other in waiting if other != key]:
            yield released(other)
        if f".{suffix.lower()}" in SUFFIXES:
            if member.size > _LARGEST_MEMBER:
                too_large = partial(refuse, f"has {member.size:,} bytes")
                yield PictureItem(f"{name}/{printable(member.name)}", WHOLE_FILE, "", too_large, no_shape)
            elif (file := shard.extractfile(member)) is not None:
                waiting[key] = file.read()
        elif suffix.lower() in ("cls", "label") and member.size < 1000 and (file := shard.extractfile(member)):
            labels[key] = file.read().decode("utf-8", "replace").strip()
    for key in list(waiting):
        yield released(key)


def _fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(repr((str(file.resolve()), status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()


def _builtin(name: str) -> PictureSource:
    if name not in _BUILTIN:
        do = suggestion(name, _BUILTIN) or "there are: " + ", ".join(f"{BUILTIN}{known}" for known in _BUILTIN)
        raise SelftaughtError(f"there are no built-in pictures called {name!r}", do=do)
    return _BUILTIN[name]()


def _digits() -> PictureSource:
    from sklearn.datasets import load_digits

    found = load_digits()
    pictures = (found.images * (255 / 16)).round().astype(np.uint8)
    labels = [str(digit) for digit in found.target]
    items = partial(_of_array, pictures, labels, f"{BUILTIN}digits")
    return PictureSource(f"{len(pictures):,} handwritten digits of 8 x 8, labelled", "digits", items)


def _glyphs() -> PictureSource:
    """The glyphs of the fonts that come with matplotlib; the first word of a glyph's Unicode name is its label."""
    import matplotlib
    from matplotlib.ft2font import FT2Font

    fonts = sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVu*.ttf"))

    def items() -> Iterator[PictureItem]:
        for font in fonts:
            for code in sorted(FT2Font(str(font)).get_charmap()):
                name = unicodedata.name(chr(code), "")
                if name and unicodedata.category(chr(code))[0] in "LNS":
                    drawn = partial(_draw_glyph, font, chr(code))
                    yield PictureItem(f"{font.name}/U+{code:04X}", WHOLE_FILE, name.split()[0], drawn, lambda: (32, 32))

    said = f"the glyphs of {len(fonts)} fonts, labelled with the first word of their Unicode names"
    return PictureSource(said, _fingerprint(fonts), items)


def _draw_glyph(font: Path, character: str, size: int) -> np.ndarray:
    """Black on white, in the middle."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (size, size), 255)
    ImageDraw.Draw(image).text((size / 2, size / 2), character, fill=0, font=_font(font, size), anchor="mm")
    return np.ascontiguousarray(np.broadcast_to(np.asarray(image), (3, size, size)))


@lru_cache(maxsize=32)
def _font(font: Path, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(font), round(0.7 * size))


_BUILTIN: dict[str, Callable[[], PictureSource]] = {"digits": _digits, "glyphs": _glyphs}
