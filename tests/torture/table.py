"""The table of what was tried and what was lost."""

from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Args:
        what: was done to the program.
        tries: how often.
        lost: how many of them ended otherwise than they should.
        note: figures worth knowing, such as the longest time or the largest memory.
    """

    what: str
    tries: int
    lost: int
    note: str = ""


class Tried(Protocol):
    """Puts a row into the table, and fails the test if anything was lost; a peer's losses fail nothing."""

    def __call__(self, what: str, tries: int, lost: int, note: str = "", *, peer: bool = False) -> None: ...


def show(rows: list[Row]) -> None:
    table = Table("tried", "tries", "lost", "", title="What was tried, and what was lost")
    for row in rows:
        table.add_row(row.what, f"{row.tries:,}", f"{row.lost:,}", row.note)
    Console(width=140).print(table)
