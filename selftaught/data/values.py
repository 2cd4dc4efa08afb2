"""Whether a value found in a column can serve as a text or as a label, and if not, why."""

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


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    return KINDS.get(type(value), f"a {type(value).__name__}")
