"""How long ``selftaught --help`` takes, beside a Python that does nothing."""

import subprocess
import sys
import time
from statistics import median

import cyclopts

from benchmarks.pairs import alternate, tell

BAR = 0.4  # seconds


def measure(*, runs: int = 10) -> None:
    """Measure the command line's start.

    Args:
        runs: How many times each command is started.
    """
    seconds_of("-m", "selftaught", "--help")  # the files are in the page cache from here on
    sides = {
        "ours": lambda: seconds_of("-m", "selftaught", "--help"),
        "floor": lambda: seconds_of("-c", "pass"),
    }
    measured = alternate(sides, runs)
    ours = median(measured["ours"])
    tell(
        {
            "name": "startup",
            "unit": "s",
            "ours": ours,
            "floor": median(measured["floor"]),
            "bar": BAR,
            "passed": ours <= BAR,
            "pairs": runs,
            "measured": measured,
        }
    )


def seconds_of(*arguments: str) -> float:
    """Wall time of a Python with these arguments."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    cyclopts.run(measure)
