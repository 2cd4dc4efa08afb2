"""The last pass, if it is asked for: each shard gets its tokens, so that nobody who trains on it has to make them.

This needs torch, as all that knows tokenizers does: it is imported only where tokens are asked for.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq

from selftaught.corpus.job import Facts, Job, once
from selftaught.corpus.place import Place
from selftaught.data.growing import GrowingArray
from selftaught.data.ready_tokens import TOKENIZER, token_files
from selftaught.data.tokenise import TextTokenizer, load_tokenizer
from selftaught.data.wordwise import WordwiseEncoder

_FILES = ("tokenizer.json", "tokenizer_config.json")
_LONGEST_ROW = 512  # tokens, for whoever opens the tokenizer in transformers
_BATCH = 64  # documents, of a million characters at most


@dataclass(frozen=True)
class Tokenising:
    """The pass; it can be sent to a worker. It is given the names of shards."""

    job: Job

    def __call__(self, shard: str) -> Facts:
        return once(self.job.place, f"{self.job.work}/tokens/{shard}", lambda: self._tokenise(shard))

    def _tokenise(self, shard: str) -> Facts:
        encoder = WordwiseEncoder(_tokenizer_of(self.job.place))
        tokens, ends = token_files(shard)
        with TemporaryDirectory() as scratch:
            with (
                GrowingArray(Path(scratch, tokens), encoder.dtype) as ids,
                GrowingArray(Path(scratch, ends), np.dtype(np.int64)) as bounds,
                self.job.place.fetched(shard) as file,
                pq.ParquetFile(file) as table,
            ):
                for batch in table.iter_batches(_BATCH, columns=["text"]):
                    for document in encoder.encode(batch.column(0).to_pylist()):
                        ids.add(document)
                        bounds.add(np.array([len(ids)]))
            put = {name: self.job.place.put(Path(scratch, name), name) for name in (tokens, ends)}
            return {"count": len(ids), "sha256": put}


def put_tokenizer(tokenizer: TextTokenizer, place: Place) -> dict[str, str]:
    """Write it into a corpus; the SHA-256 of its files by their names there."""
    with TemporaryDirectory() as scratch:
        tokenizer.save(Path(scratch), _LONGEST_ROW)
        return {f"{TOKENIZER}/{name}": place.put(Path(scratch, name), f"{TOKENIZER}/{name}") for name in _FILES}


@lru_cache(1)
def _tokenizer_of(place: Place) -> TextTokenizer:
    """As :func:`put_tokenizer` left it; each worker reads it once."""
    with TemporaryDirectory() as scratch:
        for name in _FILES:
            Path(scratch, name).write_bytes(place.read(f"{TOKENIZER}/{name}") or b"")
        return load_tokenizer(Path(scratch))
