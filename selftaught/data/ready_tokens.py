"""The tokens that a prepared corpus brings with it, made by the workers that made its shards.

CORPUS/tokenizer/                the tokenizer, as transformers reads it
CORPUS/shard-00000.tokens.npy    the ids of a shard's documents, one after the other, without special tokens
CORPUS/shard-00000.ends.npy      where each document ends among them: int64 [D]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from selftaught.data.tally import Tally
from selftaught.data.text import ColumnFile, Row

TOKENIZER = "tokenizer"


def token_files(shard: str) -> tuple[str, str]:
    """The names of the two files of a shard's tokens."""
    stem = shard.removesuffix(".parquet")
    return f"{stem}.tokens.npy", f"{stem}.ends.npy"


@dataclass(frozen=True)
class TokenisedFile(ColumnFile):
    """A shard with its tokens."""

    @cached_property
    def _arrays(self) -> Sequence[np.ndarray]:
        folder = self.file.path.parent
        return [np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in token_files(self.file.path.name)]

    def rows(self, tally: Tally, documents: Iterator[int]) -> Iterator[Row]:
        tokens, ends = self._arrays
        for row in super().rows(tally, documents):
            begin = ends[row.line - 2] if row.line > 1 else 0
            yield row._replace(ids=tokens[begin : ends[row.line - 1]])
