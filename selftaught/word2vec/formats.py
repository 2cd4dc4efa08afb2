"""word2vec's own file formats, text and binary: what gensim, fastText and most of the field read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selftaught.errors import SelftaughtError


def write_binary(file: Path, words: Sequence[str], vectors: np.ndarray) -> None:
    """A line ``V D``, then each word, a space, its numbers as little-endian float32, and a line end."""
    rows = np.ascontiguousarray(vectors, "<f4")
    with file.open("wb") as out:
        out.write(f"{len(words)} {rows.shape[1]}\n".encode())
        for word, row in zip(words, rows, strict=True):
            out.write(word.encode() + b" " + row.tobytes() + b"\n")


def write_text(file: Path, words: Sequence[str], vectors: np.ndarray) -> None:
    """A line ``V D``, then a line for each word with its numbers, exact to the last bit when read as float32."""
    with file.open("w", encoding="utf-8") as out:
        out.write(f"{len(words)} {vectors.shape[1]}\n")
        for word, row in zip(words, vectors, strict=True):
            out.write(word + " " + " ".join(map(str, row)) + "\n")


def read_binary(file: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """The words and their vectors, float32 [V, D].

    Raises:
        SelftaughtError: if the file is missing, cut off, or not of this form.
    """
    try:
        data = file.read_bytes()
        head, _, _ = data[:64].partition(b"\n")
        count, size = map(int, head.split())
        words, vectors, place = [], np.empty((count, size), np.float32), len(head) + 1
        for row in range(count):
            space = data.index(b" ", place)
            words.append(data[place:space].lstrip(b"\n").decode())
            vectors[row] = np.frombuffer(data, "<f4", size, space + 1)
            place = space + 1 + 4 * size
    except (OSError, ValueError, MemoryError) as error:
        raise SelftaughtError(
            f"these word vectors cannot be read: {error}", where=str(file), do="repeat the run that made them"
        ) from error
    return tuple(words), vectors
