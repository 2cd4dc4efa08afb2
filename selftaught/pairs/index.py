"""Pictures to be searched: the vector of each, made once and kept in the run, or read from what embed wrote."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selftaught.data.pair_item import PairItem
from selftaught.data.picture_item import PictureSource
from selftaught.data.picture_store import decoded
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError

_AT_ONCE = 512


@dataclass(frozen=True)
class Index:
    """Pictures and their vectors.

    Args:
        places: of each, as ``file`` or ``file:line``.
        captions: what is written about each; empty where nothing.
        vectors: float32 [N, D], of length one.
        notes: what could not be read.
    """

    places: tuple[str, ...]
    captions: tuple[str, ...]
    vectors: np.ndarray
    notes: tuple[str, ...] = ()

    def nearest(self, vector: np.ndarray, top: int) -> list[tuple[str, str, float]]:
        """The places with the largest cosines, what is written about each, and these."""
        cosines = self.vectors @ vector
        order = np.argsort(-cosines, kind="stable")[:top]
        return [(self.places[i], self.captions[i], float(cosines[i])) for i in order]

    def save(self, file: Path) -> None:
        """Write it as embed writes vectors."""
        aside = file.with_name(file.name + ".partial")
        file.parent.mkdir(parents=True, exist_ok=True)
        flat = pa.array(self.vectors.ravel().astype(np.float32))
        vectors = pa.FixedSizeListArray.from_arrays(flat, self.vectors.shape[1])
        columns = {"file": list(self.places), "caption": list(self.captions), "vector": vectors}
        pq.write_table(pa.table(columns), aside)
        aside.replace(file)


def read_index(file: Path, width: int) -> Index:
    """What embed, or :meth:`Index.save`, wrote.

    Raises:
        SelftaughtError: if it is no such file, or its vectors are not of this many numbers.
    """
    try:
        table = pq.read_table(file).to_pydict()
        vectors = np.array(table["vector"], np.float32)
        lines: list[Any] = table.get("line", [0] * len(vectors))
        places = [f"{name}:{line}" if line else name for name, line in zip(table["file"], lines, strict=True)]
        captions = table.get("caption", [""] * len(places))
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        what = f"no vectors can be read from it: {str(error).splitlines()[0]}"
        raise SelftaughtError(
            what, where=str(file), do="selftaught embed RUN PICTURES --out FILE writes such"
        ) from None
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise SelftaughtError(
            f"these vectors have {vectors.shape[-1]} numbers, and the model's have {width}",
            where=str(file),
            do="give those that this run's embed wrote",
        )
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return Index(tuple(places), tuple(captions), unit)


def index_of(
    source: PictureSource, side: int, encode: Callable[[np.ndarray], np.ndarray], cache: Path | None, weights: str
) -> Index:
    """The vectors of all pictures of a source; from ``cache`` if they were made before.

    Args:
        side: of the pictures that ``encode`` takes, in pixels.
        encode: uint8 [N, 3, S, S] to float32 [N, D], of length one.
        cache: the folder where they are kept; None to keep nothing.
        weights: a hash of the model.

    Raises:
        SelftaughtError: if not one picture can be used.
    """
    key = hashlib.sha256(f"{source.fingerprint}:{side}:{weights}".encode()).hexdigest()[:16]
    file = cache / f"{key}.parquet" if cache else None
    if file and file.is_file():
        table = pq.read_table(file).to_pydict()
        return Index(tuple(table["file"]), tuple(table["caption"]), np.array(table["vector"], np.float32))
    tally, places, captions, vectors = Tally(), list[str](), list[str](), list[np.ndarray]()
    pictures = decoded(source, side, tally)
    while block := list(islice(pictures, _AT_ONCE)):
        places += [f"{item.file}:{item.line}" if item.line else item.file for item, _ in block]
        captions += [" | ".join(item.texts) if isinstance(item, PairItem) else "" for item, _ in block]
        vectors.append(encode(np.stack([pixels for _, pixels in block])))
    if not places:
        raise SelftaughtError(
            f"not one picture can be used; {'; '.join(tally.named(1))}", where=source.description, do="give others"
        )
    found = Index(tuple(places), tuple(captions), np.concatenate(vectors), tuple(tally.note(source.description)))
    if file and not found.notes:
        found.save(file)
    return found
