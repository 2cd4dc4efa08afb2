"""Megabytes of text a second from raw pages to a deduplicated corpus: ours and datatrove.

The pages are cut from real text, some of them twice and some nearly so, without spaces at the ends of lines, behind
which datatrove sees no full stop. Both sides hold the same rules and drop near copies by MinHash with 14 bands of 8
hashes over shingles of five words; what only one of them does is switched off, but for FineWeb's line of duplicated
characters, which is off there. Each run is a fresh one, in processes of its own.
"""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, mkdtemp

import cyclopts
import pyarrow.parquet as pq

from benchmarks import datatrove_side
from benchmarks.pairs import alternate, compared, note, rate, tell
from selftaught.corpus import units
from selftaught.corpus.engine import engine
from selftaught.corpus.preparing import Asked, prepare_corpus
from selftaught.data.source import open_text
from selftaught.data.tally import Tally

BAR = 2.0
FILES = 16
_PAGE = 3000  # characters


def measure(*, data: Path, pairs: int = 3, megabytes: float = 8, workers: int = 2) -> None:
    """Compare the preparation of English pages with datatrove's.

    Args:
        data: A folder of English text.
        pairs: How many times each side runs.
        megabytes: How much of it, copies included.
        workers: Of both sides.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        size = write_pages(data, folder / "pages", megabytes * 1e6)

        def fresh() -> Path:
            return Path(mkdtemp(dir=folder))

        def ours() -> Path:
            asked = Asked(str(folder / "pages"), without=tuple(datatrove_side.WITHOUT.split(",")))
            with engine("pool", workers) as hands:
                prepare_corpus(asked, str(out := fresh()), hands)
            return out

        def peer() -> Path:
            datatrove_side.prepare(folder / "pages", out := fresh(), workers=workers, tasks=2 * workers)
            return out

        kept = {"ours": set(kept_by_us(ours())), "peer": set(kept_by_datatrove(peer()))}
        both = len(kept["ours"] & kept["peer"])
        note(f"kept: {len(kept['ours'])} by us, {len(kept['peer'])} by datatrove, {both} by both")
        rates = alternate({name: rate(side, size / 1e6) for name, side in {"ours": ours, "peer": peer}.items()}, pairs)
    result = compared("prepare_vs_datatrove", "MB/s", rates, bar=BAR, floor=median(rates["ours"]))
    facts = {"megabytes": size / 1e6, "kept": {name: len(one) for name, one in kept.items()} | {"both": both}}
    tell({**result, **facts, "workers": workers})


def write_pages(data: Path, folder: Path, size: float) -> int:
    """Pages in files of equal length: one in ten is a copy of an earlier one, one in ten a near copy. Their bytes."""
    drawn, pages, total = random.Random(0), [], 0
    source = _pages(data)
    while total < size:
        kind = drawn.random()
        if pages and kind < 0.2:
            page = drawn.choice(pages) + (" Read more on the next page." if kind < 0.1 else "")
        elif not (page := next(source, "")):
            break
        pages.append(page)
        total += len(page.encode())
    folder.mkdir()
    units._SMALLEST = max(total // FILES, 1)  # so that a small measurement has units for all workers
    for number in range(FILES):
        with (folder / f"{number:03d}.jsonl").open("w", encoding="utf-8") as out:
            for page in pages[number * len(pages) // FILES : (number + 1) * len(pages) // FILES]:
                out.write(json.dumps({"text": page}, ensure_ascii=False) + "\n")
    return total


def _pages(data: Path) -> Iterator[str]:
    gathered: list[str] = []
    length = 0
    for row in open_text(data).rows(Tally()):
        gathered.append(row.text)
        length += len(row.text)
        if length >= _PAGE:
            yield "\n".join(line.rstrip() for line in "".join(gathered).strip().split("\n"))
            gathered, length = [], 0


def kept_by_us(out: Path) -> Iterator[str]:
    for file in sorted(out.glob("*.parquet")):
        yield from pq.read_table(file)["text"].to_pylist()


def kept_by_datatrove(out: Path) -> Iterator[str]:
    for file in sorted((out / "deduplicated").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from (json.loads(line)["text"] for line in lines)


if __name__ == "__main__":
    cyclopts.run(measure)
