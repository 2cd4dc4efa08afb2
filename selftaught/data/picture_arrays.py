"""Pictures in one array: NumPy's files, and those of MNIST."""

import gzip
import math
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from selftaught.data.files import printable
from selftaught.data.picture_item import PictureItem, PictureSource, fingerprint
from selftaught.errors import SelftaughtError

ARRAYS = (".npy", "-ubyte", "-ubyte.gz")
_MOST_BYTES = 1 << 30  # of an IDX file, which is held whole: EMNIST, the largest known, has half as many
_MOST_PACKED, _LITTLE = 100, 1 << 19  # times that what is packed becomes larger: MNIST's files become five times so


def array_source(path: Path, data: str) -> PictureSource:
    """The pictures of a file, with the labels that lie beside it as MNIST's do.

    Raises:
        SelftaughtError: if it holds no pictures.
    """
    pictures = _idx(path) if "-ubyte" in path.name else _npy(path)
    labels: list[str] = []
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    if beside != path and beside.is_file():
        labels = [str(number) for number in _idx(beside).ravel().tolist()]
    if labels and len(labels) != len(pictures):
        raise SelftaughtError(f"{len(labels)} labels stand beside {len(pictures)} pictures", where=str(beside))
    said = f"; labels in {beside.name}" if labels else ""
    description = f"{printable(data)}: {len(pictures):,} pictures of {pictures.shape[2]} x {pictures.shape[1]}{said}"
    return PictureSource(description, fingerprint([path]), partial(array_items, pictures, labels, printable(data)))


def array_items(pictures: np.ndarray, labels: list[str], name: str) -> Iterator[PictureItem]:
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
        array: np.ndarray = np.lib.format.open_memmap(path, mode="r")  # arrays alone: no archives, no pickles
    except Exception as error:  # its header is an expression, which can be wrong in many ways
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
            sizes = np.frombuffer(file.read(4 * head[3]), ">u4").tolist()
            count = math.prod(sizes)
            if len(sizes) != head[3] or count > min(_MOST_BYTES, _MOST_PACKED * (_LITTLE + path.stat().st_size)):
                raise ValueError(f"its head is cut off, or promises too much: {count:,} bytes")
            return np.frombuffer(file.read(count + 1), np.uint8).reshape(sizes)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise SelftaughtError(f"the IDX file cannot be read: {error}", where=str(path)) from error
