"""What a verb says at its end: text for people on stdout, or one JSON object."""

import json as json_module
import math
import sys
from typing import Any


def tell(report: dict[str, Any], lines: list[str], *, json: bool) -> dict[str, Any]:
    """Print ``report`` as JSON or ``lines`` as text, and return the report."""
    if json:
        print(dump(report))
    else:
        print("\n".join(lines))
    return report


def note(sentence: str) -> None:
    """Something worth knowing while a verb works; on stderr, so that stdout stays one JSON object."""
    print(sentence, file=sys.stderr, flush=True)


def dump(value: Any, indent: int | None = None) -> str:
    """JSON, with null for numbers that JSON does not have."""
    return json_module.dumps(_plain(value), ensure_ascii=False, indent=indent)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """A plain table: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    rule = ["-" * width for width in widths]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in [header, rule, *rows]
    ]
