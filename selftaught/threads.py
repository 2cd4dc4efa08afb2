"""How threads wait for each other: decided before torch is loaded, because OpenMP reads it only then."""

import os

_SPINS = "1000"


def share_cores() -> None:
    """Let waiting threads sleep soon instead of spinning, unless the user has decided otherwise.

    OpenMP's threads spin for milliseconds at each of a step's hundred barriers. Alone on its cores a small model
    gains a tenth by that; with one more busy process beside it a step takes five to twenty times as long
    (docs/lab.md), and a laptop is never alone.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
