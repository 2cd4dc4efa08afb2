"""The benchmarks can be asked how they are used; what they measure is for a quiet machine."""

import subprocess
import sys

import pytest

NAMES = ["budget", "clm_vs_trainer", "mlm_vs_trainer", "order", "prepare", "sharing", "startup"]


@pytest.mark.parametrize("name", NAMES)
def test_help(name: str) -> None:
    if name == "prepare":
        pytest.importorskip("datasets")
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--data" in done.stdout or name == "startup"
