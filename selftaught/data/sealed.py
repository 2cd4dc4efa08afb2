"""Facts as JSON that know when they were damaged: beside them stands their SHA-256."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selftaught.errors import SelftaughtError, saving

_SEAL = "seal"


def write_sealed(file: Path, facts: Mapping[str, Any], indent: int | None = None) -> None:
    """Write facts that JSON can hold; the file is whole at every moment, or not there."""
    text = json.dumps({**facts, _SEAL: _seal(facts)}, ensure_ascii=False, indent=indent)
    aside = file.with_name(file.name + ".partial")
    with saving(file):
        aside.write_text(text, encoding="utf-8")
        with aside.open("rb") as handle:
            os.fsync(handle.fileno())
        aside.replace(file)


def read_sealed(file: Path) -> dict[str, Any] | None:
    """What :func:`write_sealed` wrote; None if there is no such file.

    Raises:
        SelftaughtError: if it is not as it was written.
    """
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        seal = facts.pop(_SEAL)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise damaged(file, "cannot be read") from error
    if seal != _seal(facts):
        raise damaged(file)
    return facts


def damaged(file: Path, why: str = "does not match its SHA-256", store: Path | None = None) -> SelftaughtError:
    """The error that a file of a store is not as it was written.

    Args:
        why: what is wrong with it.
        store: the folder that is made anew as a whole; that of the file if not given.
    """
    return SelftaughtError(
        f"the data that this run has read is damaged: a file {why}",
        where=str(file),
        do=f"restore it, or delete {store or file.parent} and run the same command again; it is made anew",
    )


def _seal(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
