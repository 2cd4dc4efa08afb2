"""Imports run downward: a thing may use its own floor and those below it, and nothing goes round in a circle."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import selftaught

ROOT = Path(selftaught.__file__).parent

FLOORS = (
    {"errors", "threads", "signals", "randomness", "ranks", "launch", "objective", "memory", "pretext"},
    {"data", "backbones", "metrics", "objectives", "tasks", "task", "decisions", "viterbi"},
    {
        *{"schedule", "health", "optim", "sharing", "fleet", "loop", "run", "fit", "lookup", "recipe", "pretrained"},
        *{"machine", "plan", "progress", "live", "console", "facts", "vector_index"},
        *{"word2vec", "corpus", "text", "pictures", "pairs", "video", "flamingo"},
        *{"finetuning", "prompting", "private", "scaling"},
    },
    {"judging", "distilling", "suites", "verbs"},
    {"cli", "__main__", "__init__"},
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}

FILES = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in sorted(ROOT.rglob("*.py"))}


def imported(file: Path) -> set[str]:
    """The modules that a file imports anywhere in it, by their full names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def own_imports(file: Path) -> set[str]:
    """Those that are files of ours, by their names within the package."""
    names = {name.removeprefix("selftaught.") for name in imported(file) if name.startswith("selftaught.")}
    return {name if name in FILES else f"{name}.__init__" for name in names} & FILES.keys()


def test_everything_has_one_floor() -> None:
    found = {name.partition(".")[0] for name in FILES}
    assert sorted(name for names in FLOORS for name in names) == sorted(found)


def test_imports_run_downward() -> None:
    upward = [
        f"{name} imports {other}"
        for name, file in FILES.items()
        for other in own_imports(file)
        if LEVEL[other.partition(".")[0]] > LEVEL[name.partition(".")[0]]
    ]
    assert not upward


def test_nothing_goes_round_in_a_circle() -> None:
    TopologicalSorter({name: own_imports(file) for name, file in FILES.items()}).prepare()


def test_only_the_backbones_know_transformers() -> None:
    """Its models' insides are for two files alone; the third one calls what it offers to everybody."""
    know = {name for name, file in FILES.items() if any(i.partition(".")[0] == "transformers" for i in imported(file))}
    assert know == {"backbones.hf", "backbones.heads", "backbones.generation", "backbones.vision", "backbones.dual"}


@pytest.mark.parametrize("code", ["import selftaught", "from selftaught.cli import main; main()"])
def test_what_is_slow_to_load_is_loaded_when_it_is_needed(code: str) -> None:
    program = f"""
import sys
sys.argv = ["selftaught", "--help"]
try:
    {code}
except SystemExit:
    pass
print(sorted({{"torch", "transformers", "sklearn", "numpy", "matplotlib"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
