"""The tiny standard file that every task brings along: ``tests/tasks/files/TASK.*``."""

from functools import cache
from pathlib import Path
from typing import Any

from selftaught import lookup
from selftaught.data.examples import Columns
from selftaught.task import Task

FILES = Path(__file__).parent / "files"
TASKS = [lookup.find_task(name) for name in lookup.names(lookup.TASKS)]


def file_of(kind: type[Task[Any]]) -> Path:
    """The file, which is what users of the field have."""
    (file,) = FILES.glob(f"{kind.__module__.rpartition('.')[2]}.*")
    return file


@cache
def examples_of(kind: type[Task[Any]]) -> tuple[Any, ...]:
    """All examples in it."""
    return kind.read(file_of(kind), Columns()).examples


@cache
def posed_by(kind: type[Task[Any]]) -> Task[Any]:
    """The task that these examples pose."""
    return kind.of(examples_of(kind))
