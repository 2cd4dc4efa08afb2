"""The first pass: each document of a unit is read, judged by itself, and what is kept is written with its keys.

UNIT.parquet          text, file, line and language of the documents kept so far
UNIT.keys.npy         for each band the keys of its documents, ascending: uint64 [1 + BANDS, D]; first the exact one
UNIT.order.npy        which document each of them is of: uint32 [1 + BANDS, D]
UNIT.rejected.jsonl   what was not kept: file, line, rule, why
"""

import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selftaught.corpus.held_out import open_held_out
from selftaught.corpus.job import Facts, Job, once
from selftaught.corpus.language import language
from selftaught.corpus.minhash import BANDS, ROWS, band_keys, mixed, signature
from selftaught.corpus.personal import without_personal
from selftaught.corpus.quality import broken_rule
from selftaught.corpus.reading import Reading
from selftaught.corpus.units import Document, Unit, documents
from selftaught.data.tally import Tally

SCHEMA = pa.schema([("text", pa.string()), ("file", pa.string()), ("line", pa.int64()), ("language", pa.string())])
HELD_OUT = "held_out.npz"
UNREADABLE = "unreadable"
GROUP = 1 << 23  # characters that are written together, and all that is held of a unit at once


@dataclass(frozen=True)
class Cleaning:
    """The pass; it can be sent to a worker."""

    job: Job

    def __call__(self, unit: Unit) -> Facts:
        return once(self.job.place, f"{self.job.work}/clean/{unit.name}", lambda: _clean(self.job, unit))


class Shard:
    """Rows with the columns of SCHEMA, written group by group; the same rows make the same bytes."""

    def __init__(self, file: Path) -> None:
        self.documents = self.characters = self._waiting = 0
        self._rows: list[tuple[str, str, int, str]] = []
        self._file = pq.ParquetWriter(file, SCHEMA, compression="zstd", write_page_checksum=True)

    def add(self, text: str, file: str, line: int, spoken: str) -> None:
        self._rows.append((text, file, line, spoken))
        self.documents += 1
        self.characters += len(text)
        self._waiting += len(text)
        if self._waiting >= GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(column, field.type)
                for column, field in zip(zip(*self._rows, strict=True), SCHEMA, strict=True)
            ]
            self._file.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
        self._rows, self._waiting = [], 0


def rejected(file: str, line: int, rule: str, why: str) -> str:
    """A line of what was not kept."""
    return json.dumps({"file": file, "line": line, "rule": rule, "why": why}, ensure_ascii=False) + "\n"


def _clean(job: Job, unit: Unit) -> Facts:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        tally = Tally(log=place / "unreadable")
        shard, dropped, personal = Shard(place / "parquet"), Counter[str](), Counter[str]()
        exact: list[int] = []
        signatures: list[np.ndarray] = []
        with (place / "dropped").open("w", encoding="utf-8") as out:
            for document in documents(unit, job.text, tally):
                reading = Reading(document.text)
                spoken = language(reading)
                rule, why = _verdict(job, reading, spoken)
                if rule:
                    dropped[rule] += 1
                    out.write(rejected(document.file, document.line, rule, why))
                    continue
                if job.personal:
                    document, found = _without_personal(document)
                    personal += found
                    reading = Reading(document.text) if found else reading
                exact.append(_exact_key(document.text))
                if job.near:
                    signatures.append(signature(reading))
                shard.add(*document_row(document), spoken)
        shard.close()
        keys = _keys(exact, signatures, job.near)
        order = keys.argsort(axis=1, kind="stable")
        np.save(place / "keys.npy", np.take_along_axis(keys, order, axis=1))
        np.save(place / "order.npy", order.astype(np.uint32))
        with (place / "rejected.jsonl").open("w", encoding="utf-8") as out:
            if (place / "unreadable").exists():
                for row in map(json.loads, (place / "unreadable").open(encoding="utf-8")):
                    out.write(rejected(row["file"], row["line"], UNREADABLE, row["why"]))
            out.write((place / "dropped").read_text(encoding="utf-8"))
        kinds = ("parquet", "keys.npy", "order.npy", "rejected.jsonl")
        names = {kind: f"{job.work}/clean/{unit.name}.{kind}" for kind in kinds}
        return {
            "documents": shard.documents + dropped.total(),
            "kept": shard.documents,
            "dropped": dict(sorted(dropped.items())),
            "personal": dict(sorted(personal.items())),
            "rows": tally.rows,
            "unreadable": tally.quarantined,
            "sha256": {name: job.place.put(place / kind, name) for kind, name in names.items()},
        }


def document_row(document: Document) -> tuple[str, str, int]:
    return document.text, document.file, document.line


def _verdict(job: Job, reading: Reading, spoken: str) -> tuple[str, str]:
    """The rule that a document breaks and why it is dropped; twice nothing if it stays."""
    if job.languages and spoken not in job.languages:
        return "language", f"is {spoken}"
    if job.held_out:
        row = open_held_out(job.place, f"{job.work}/{HELD_OUT}").row_in(reading)
        if row is not None:
            return "held out", f"shares words with row {row + 1} of the evaluation set"
    rule = broken_rule(reading, job.rules)
    return rule, f"breaks the rule {rule!r}"


def _without_personal(document: Document) -> tuple[Document, "Counter[str]"]:
    text, found = without_personal(document.text)
    return Document(text, document.file, document.line), found


def _exact_key(text: str) -> int:
    """64 bits: among a thousand million documents two different ones share them with a chance of 3 %."""
    return int.from_bytes(hashlib.blake2b(text.strip().encode(), digest_size=8).digest(), "little")


def _keys(exact: list[int], signatures: list[np.ndarray], near: bool) -> np.ndarray:
    whole = mixed(np.array(exact, np.uint64))[None]
    if not near:
        return whole
    gathered = np.array(signatures, np.uint32).reshape(-1, BANDS * ROWS)  # also where nothing is kept
    return np.concatenate([whole, band_keys(gathered).T])


def facts_sum(parts: list[Facts], name: str) -> dict[str, Any]:
    """Counts by name, added up."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part[name])
    return dict(sorted(total.items()))
