"""What is to be done to a corpus, and a step of it that is done once, however often it is interrupted."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selftaught.corpus.place import Place

Facts = dict[str, Any]
"""What a step tells when it is done; ``"sha256"`` names the files it left."""


@dataclass(frozen=True)
class Job:
    """One preparation.

    Args:
        out: the folder of the corpus.
        work: the folder in it for what is needed only until the corpus is done.
        text: the column to read.
        languages: those to keep; empty for all.
        rules: the quality rules that hold.
        exact, near: whether copies are dropped.
        personal: whether personal numbers and addresses are removed.
        held_out: whether there is an evaluation set to be kept out of the corpus.
    """

    out: str
    work: str
    text: str | None
    languages: tuple[str, ...]
    rules: tuple[str, ...]
    exact: bool
    near: bool
    personal: bool
    held_out: bool

    @property
    def place(self) -> Place:
        return Place(self.out)


def once(place: Place, name: str, make: Callable[[], Facts]) -> Facts:
    """The facts of a step: as it left them, if all its files are whole, and else it is done now.

    Whoever does it, it leaves the same bytes; so two may do it at once.
    """
    known = place.read(f"{name}.json")
    if known is not None:
        facts: Facts = json.loads(known)
        if all(place.holds(file, sha256) for file, sha256 in facts["sha256"].items()):
            return facts
    facts = make()
    place.write(f"{name}.json", json.dumps(facts, ensure_ascii=False, sort_keys=True).encode())
    return facts
