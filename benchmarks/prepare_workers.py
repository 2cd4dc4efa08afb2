"""Megabytes of text a second that ``prepare`` cleans with two workers and with one: its defaults, each run a fresh one.

What does not depend on the amount of text, about half a second to start the workers, counts on both sides; so the text
should be of tens of megabytes, as that of anybody who asks for workers.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Annotated

import cyclopts

from benchmarks.pairs import SEVERAL, alternate, compared, rate, tell
from selftaught.corpus.engine import engine
from selftaught.corpus.preparing import Asked, prepare_corpus

BAR = 1.7


def measure(*, data: Annotated[tuple[Path, ...], SEVERAL], pairs: int = 3, workers: int = 2) -> None:
    """Compare workers with one.

    Args:
        data: Folders of text, prepared together.
        pairs: How many times each side runs.
        workers: As many as there are free cores.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for one in data:
            shutil.copytree(one, folder / "text" / one.name)
        size = sum(file.stat().st_size for file in (folder / "text").rglob("*") if file.is_file()) / 1e6

        def prepared(number: int) -> None:
            with engine("pool", number) as hands:
                prepare_corpus(Asked(str(folder / "text")), mkdtemp(dir=folder), hands)

        sides = {"ours": lambda: prepared(workers), "peer": lambda: prepared(1)}
        rates = alternate({name: rate(side, size) for name, side in sides.items()}, pairs)
    tell({**compared("prepare_workers", "MB/s", rates, bar=BAR, floor=0.0), "megabytes": size, "workers": workers})


if __name__ == "__main__":
    cyclopts.run(measure)
