"""Whether a value found in a column can serve as a text, a label or a score, and if not, why."""

import json
import math
import re
from collections.abc import Sequence
from functools import lru_cache

from selftaught.data.records import LONGEST_RECORD, TOO_LONG

KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    bytes: "bytes",
}


def text_problem(value: object, column: str) -> str:
    """What keeps the value from being a text; "" where nothing does."""
    if value is None:
        return f"has no value in column {column!r}"
    if not isinstance(value, str):
        return f"column {column!r} holds {_kind(value)}, not text"
    if not value or value.isspace():
        return f"column {column!r} is empty"
    if "\0" in value:
        return "contains NUL bytes"
    if len(value) > LONGEST_RECORD:
        return TOO_LONG
    if not value.isascii() and not _is_writable(value):
        return "contains half a character (a lone surrogate)"
    return ""


def label_problem(value: object, column: str) -> str:
    """What keeps the value from being a label; numbers, true and false serve as well as strings."""
    if isinstance(value, (bool, int)) or (isinstance(value, float) and value == value):
        return ""
    if isinstance(value, float):
        return f"has no value in column {column!r}"
    return text_problem(value, column)


def labels_problem(value: object, column: str) -> str:
    """What keeps the value from being a list of labels; in a column of lists one label may stand alone."""
    return next((why for part in _parts(value) if (why := label_problem(part, column))), "")


def is_label_list(value: object) -> bool:
    """Whether the value is a list, as such or as JSON."""
    return isinstance(value, list) or (isinstance(value, str) and _json_list(value.strip()) is not None)


def label_list(value: object) -> str:
    """One label or several as a JSON list of strings, always written in the same way."""
    return json.dumps([str(part).strip() for part in _parts(value)], ensure_ascii=False)


def labels_in(label: str) -> tuple[str, ...]:
    """The labels of a JSON list, or the one label."""
    found = _json_list(label)
    return (label,) if found is None else tuple(map(str, found))


def split_labels(label: str) -> tuple[str, ...]:
    """The labels of a JSON list, or of a string where ``|`` or ``;`` parts them."""
    found = _json_list(label)
    parts = re.split(r"[|;]", label) if found is None else map(str, found)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _parts(value: object) -> Sequence[object]:
    if isinstance(value, list):
        return value
    found = _json_list(value.strip()) if isinstance(value, str) else None
    return [value] if found is None else found


@lru_cache(maxsize=4096)
def _json_list(text: str) -> tuple[object, ...] | None:
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        return tuple(json.loads(text))
    except (ValueError, RecursionError):
        return None


def score_problem(value: object, column: str) -> str:
    """What keeps the value from being a score."""
    if why := label_problem(value, column):
        return why
    return "" if as_score(value) is not None else f"column {column!r} holds {str(value)[:40]!r}, not a number"


def as_score(value: object) -> float | None:
    """The number that a value is or spells, None if it is none or not finite."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    return KINDS.get(type(value), f"a {type(value).__name__}")
