"""The third pass: what is no copy becomes a shard of the corpus, and each copy is named with what it is a copy of."""

import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from selftaught.corpus.cleaning import Shard, rejected
from selftaught.corpus.copies import Range, firsts
from selftaught.corpus.job import Facts, Job, once

_BATCH = 256  # documents


@dataclass(frozen=True)
class Selecting:
    """The pass; it can be sent to a worker.

    Args:
        units: their names, in order.
        offsets: the number of the first document of each unit, and at last how many there are.
        ranges: those that copies were looked for in.
    """

    job: Job
    units: tuple[str, ...]
    offsets: tuple[int, ...]
    ranges: tuple[Range, ...]

    def __call__(self, index: int) -> Facts:
        name = f"{self.job.work}/selected/{self.units[index]}"
        return once(self.job.place, name, lambda: self._select(index, name))

    def _select(self, index: int, name: str) -> Facts:
        same, alike = firsts(self.job, self.ranges, *self.offsets[index : index + 2])
        of = np.where(same >= 0, same, alike)
        places = dict(self._places(np.unique(of[of >= 0])))
        dropped: Counter[str] = Counter()
        shard_name = f"shard-{self.units[index]}.parquet"
        with tempfile.TemporaryDirectory() as scratch:
            shard = Shard(Path(scratch, "shard"))
            with Path(scratch, "rejected").open("w", encoding="utf-8") as out:
                for number, row in enumerate(self._rows(index)):
                    if of[number] < 0:
                        shard.add(*row)
                        continue
                    rule, how = ("same", "is the same as") if same[number] >= 0 else ("alike", "is much like")
                    dropped[rule] += 1
                    out.write(rejected(row[1], row[2], rule, f"{how} {places[int(of[number])]}"))
            shard.close()
            sha256 = {f"{name}.rejected.jsonl": self.job.place.put(Path(scratch, "rejected"), f"{name}.rejected.jsonl")}
            facts = {"name": shard_name, "documents": shard.documents, "characters": shard.characters}
            if shard.documents:
                file = Path(scratch, "shard")
                facts["bytes"] = file.stat().st_size
                sha256[shard_name] = facts["sha256"] = self.job.place.put(file, shard_name)
        return {"dropped": dict(sorted(dropped.items())), "shard": facts, "sha256": sha256}

    def _rows(self, index: int) -> Iterator[tuple[str, str, int, str]]:
        name = f"{self.job.work}/clean/{self.units[index]}.parquet"
        with self.job.place.fetched(name) as file, pq.ParquetFile(file) as table:
            for batch in table.iter_batches(_BATCH):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def _places(self, numbers: np.ndarray) -> Iterator[tuple[int, str]]:
        """Each document's number, and how the user would name it."""
        for number in numbers.tolist():
            unit = bisect_right(self.offsets, number) - 1
            files, lines = _columns(self.job, self.units[unit])
            yield number, f"{files[number - self.offsets[unit]]}:{lines[number - self.offsets[unit]]}"


@lru_cache(16)
def _columns(job: Job, unit: str) -> tuple[list[str], list[int]]:
    with job.place.fetched(f"{job.work}/clean/{unit}.parquet") as file:
        table = pq.read_table(file, columns=["file", "line"])
    return table["file"].to_pylist(), table["line"].to_pylist()
