"""Vectors to be searched: one of each picture or clip, kept in a file, or read from what embed wrote."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selftaught.errors import SelftaughtError


@dataclass(frozen=True)
class Index:
    """Pictures or clips and their vectors.

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


def of_length_one(vectors: np.ndarray) -> np.ndarray:
    """Vectors [N, D] divided by their lengths; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


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
        raise SelftaughtError(what, where=str(file), do="selftaught embed RUN DATA --out FILE writes such") from None
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise SelftaughtError(
            f"these vectors have {vectors.shape[-1]} numbers, and the model's have {width}",
            where=str(file),
            do="give those that this run's embed wrote",
        )
    return Index(tuple(places), tuple(captions), of_length_one(vectors))


def kept(folder: Path | None, told: str, make: Callable[[], Index]) -> Index:
    """The index of what ``told`` tells from anything else; from ``folder`` if it was made before.

    An index with notes is not kept, so that they are said again. Without a folder nothing is.
    """
    if folder is None:
        return make()
    file = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.parquet"
    if file.is_file():
        table = pq.read_table(file).to_pydict()
        return Index(tuple(table["file"]), tuple(table["caption"]), np.array(table["vector"], np.float32))
    found = make()
    if not found.notes:
        found.save(file)
    return found
