"""Comparing fairly on a machine that is never quite quiet: both sides alternately, medians, one JSON object."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from cyclopts import Parameter

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "TOKENIZERS_PARALLELISM",
    "RAYON_NUM_THREADS",
)

SEVERAL = Parameter(consume_multiple=True)
"""For an option that takes several values, as in ``--minutes 1 5``."""

Rates = dict[str, list[float]]


def alternate(sides: dict[str, Callable[[], float]], pairs: int) -> Rates:
    """Call each side ``pairs`` times, in turn, each time in the opposite order of the last; what they returned."""
    found: Rates = {name: [] for name in sides}
    for turn in range(pairs):
        for name in list(sides)[:: 1 if turn % 2 == 0 else -1]:
            found[name].append(sides[name]())
            note(f"{turn + 1}/{pairs}  {name:<12} {found[name][-1]:,.4g}")
    return found


def compared(name: str, unit: str, rates: Rates, *, bar: float, floor: float) -> dict[str, Any]:
    """The result of a comparison whose rates are better when higher.

    Args:
        rates: of the sides ``ours`` and ``peer`` at least; every side's median is reported under its name.
        bar: the ratio wanted.
        floor: the rate at which nothing but the unavoidable part would run.
    """
    medians = {side: median(values) for side, values in rates.items()}
    ratio = medians["ours"] / medians["peer"]
    return {
        "name": name,
        "unit": unit,
        **medians,
        "ratio": ratio,
        "bar": bar,
        "passed": ratio >= bar,
        "pairs": len(rates["ours"]),
        "floor": floor,
        "measured": rates,
    }


def rate(work: Callable[[], object], size: float) -> Callable[[], float]:
    """A side that does ``work`` on so much of something and returns how much of it a second."""

    def timed() -> float:
        began = time.perf_counter()
        work()
        return size / (time.perf_counter() - began)

    return timed


def surroundings() -> dict[str, Any]:
    """What the figures depend on besides the code; the same for both sides, which run in this process."""
    return {
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "environment": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


def note(line: str) -> None:
    """Progress, for whoever waits."""
    print(line, file=sys.stderr, flush=True)


def tell(result: dict[str, Any]) -> None:
    """The result, one JSON object on stdout."""
    print(json.dumps({**result, **surroundings()}, ensure_ascii=False))
