"""The tokens that a prepared corpus brings with it, made by the workers that made its shards.

CORPUS/tokenizer/                the tokenizer, as transformers reads it
CORPUS/shard-00000.tokens.npy    the ids of a shard's documents, one after the other, without special tokens
CORPUS/shard-00000.ends.npy      where each document ends among them: int64 [D]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from selftaught.data.tally import Tally
from selftaught.data.text import ColumnFile, Row
from selftaught.errors import SelftaughtError

TOKENIZER = "tokenizer"
_WIDTHS = (np.dtype(np.uint16), np.dtype(np.uint32))


def token_files(shard: str) -> tuple[str, str]:
    """The names of the two files of a shard's tokens."""
    stem = shard.removesuffix(".parquet")
    return f"{stem}.tokens.npy", f"{stem}.ends.npy"


@dataclass(frozen=True)
class TokenisedFile(ColumnFile):
    """A shard with its tokens."""

    def rows(self, tally: Tally, documents: Iterator[int]) -> Iterator[Row]:
        """The rows with their tokens.

        Raises:
            SelftaughtError: if the files of the tokens are none, or of another shard.
        """
        tokens, ends = self._arrays
        for row in super().rows(tally, documents):
            if row.line > len(ends):
                raise self._unfit()
            begin = ends[row.line - 2] if row.line > 1 else 0
            yield row._replace(ids=tokens[begin : ends[row.line - 1]])

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        folder, names = self.file.path.parent, token_files(self.file.path.name)
        try:
            tokens, ends = (np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in names)
        except (OSError, ValueError):
            raise self._unfit() from None
        fit = tokens.ndim == ends.ndim == 1 and tokens.dtype in _WIDTHS and ends.dtype == np.int64
        if not fit or np.any(np.diff(ends, prepend=0) < 0) or (len(ends) and ends[-1] != len(tokens)):
            raise self._unfit()
        return tokens, ends

    def _unfit(self) -> SelftaughtError:
        return SelftaughtError(
            "the tokens of this shard are not its own", where=str(self.file.path), do="prepare the corpus anew"
        )
