"""Whether what is read now is what a run began with: told by what is made of it, wherever it lies and however old."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from selftaught.errors import SelftaughtError

_TOLD = ("sha256", "words")
_SHOWN = 12  # digits of a fingerprint


def is_there(data: str | Path) -> bool:
    """Whether the data is a file or a folder that is still there: what is built in or on a hub is not asked again."""
    return Path(data).exists()


def short_digest(value: Any) -> str:
    """A fingerprint of what JSON can hold, short enough to be read aloud."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_SHOWN]


def contents(folder: Path) -> str | None:
    """The fingerprint of the stores in a folder, by what they say of their files; None where there is none."""
    said = {}
    for file in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict) and (told := {key: facts[key] for key in _TOLD if key in facts}):
            said[file.relative_to(folder).as_posix()] = told
    return short_digest(said) if said else None


def refuse_other_data(known: Mapping[str, Any], source: str, folder: Path, remake: Callable[[Path], Any]) -> None:
    """Compare the data of today with a store that was made of it, where its files were moved, touched or changed.

    Args:
        known: the facts of the store.
        source: the fingerprint of the data of today.
        remake: makes a store of it in a folder.

    Raises:
        SelftaughtError: naming both fingerprints, if the two stores differ.
    """
    if known["asked"]["source"] == source:
        return
    aside = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        remake(aside)
        before, now = contents(folder), contents(aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if before != now:
        raise SelftaughtError(
            f"the data has changed since this run began: its fingerprint was {before}, and is {now}",
            where=str(folder),
            do="restore the data, or choose another --out for what it has become",
        )
