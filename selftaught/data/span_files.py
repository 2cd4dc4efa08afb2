"""Questions in four files side by side, a line each: ``NAME.question``, ``.context``, ``.answer`` and ``.span``.

The context is written as tokens with a space between, and the span is the places of the answer's first and last token.
Preprocessed sets are handed on in this form.
"""

import os
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from selftaught.data.files import given_file
from selftaught.data.questions import Question, answered, unanswered
from selftaught.data.records import Line, record_lines
from selftaught.data.sniff import text_encoding
from selftaught.data.streams import Damaged
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError

_INPUTS, _TARGETS = (".question", ".context"), (".answer", ".span")
_TOKEN = re.compile(r"\S+")
_SPAN = re.compile(r"\s*(\d{1,9})\s+(\d{1,9})\s*")


def find_spans(path: Path) -> list[Path]:
    """The sets at a path, each without a suffix: that of which it names a file, the set itself, or all in a folder."""
    if os.path.isdir(path):  # a name that is too long is none, where Path would raise
        return sorted(
            file.with_suffix("") for file in path.glob("*.question") if file.with_suffix(".context").is_file()
        )
    stem = path.with_suffix("") if path.suffix in (*_INPUTS, *_TARGETS) else path
    return [stem] if all(os.path.isfile(_part(stem, suffix)) for suffix in _INPUTS) else []


def read_spans(stem: Path, *, labelled: bool) -> tuple[tuple[Question, ...], Tally, str]:
    """The questions of a set, the tally that names the lines that are none, and a description.

    The answer must stand where the span begins or within it, for a token may hold more than the answer ("1920" in
    "1920–1972").

    Raises:
        SelftaughtError: a file is missing or cannot be read.
    """
    suffixes = _INPUTS + _TARGETS if labelled else _INPUTS
    files = [_part(stem, suffix) for suffix in suffixes]
    tally, found = Tally(), []
    for number, lines in enumerate(zip_longest(*map(_lines, files)), 1):
        absent = next((file.name for file, line in zip(files, lines, strict=True) if line is None), "")
        made = (
            f"{absent} has no such line" if absent else _made([line for line in lines if line], str(files[0]), number)
        )
        if isinstance(made, str):
            tally.quarantine(str(files[0]), number, made)
        else:
            tally.keep()
            found.append(made)
    return tuple(found), tally, f"{stem}: {', '.join(suffixes)} side by side"


def _part(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _lines(path: Path) -> Iterator[Line]:
    file = given_file(path, str(path))
    try:
        yield from record_lines(file, text_encoding(file))
    except Damaged as damaged:
        raise SelftaughtError(
            f"it cannot be read: {damaged}", where=str(path), do="all files of a set are needed"
        ) from None


def _made(lines: list[Line], file: str, number: int) -> Question | str:
    if why := next((line.why for line in lines if line.why), ""):
        return why
    question, context, *targets = (line.text.rstrip("\n") for line in lines)
    asked = unanswered(question, context, file, number)
    if isinstance(asked, str) or not targets:
        return asked
    answer, span = targets
    tokens = [token.span() for token in _TOKEN.finditer(context)]
    if not (match := _SPAN.fullmatch(span)):
        return f"the span is {span[:40]!r}, not two whole numbers"
    first, last = map(int, match.groups())
    if not first <= last < len(tokens):
        return f"the span is {first} {last}, and the context has {len(tokens)} tokens"
    begin, end = tokens[first][0], tokens[last][1]
    if context.startswith(answer, begin):
        return answered(asked, answer, start=begin)
    within = context.find(answer, begin, end)
    if within < 0:
        return f"the answer {answer[:40]!r} does not stand at its span {first} {last}, {context[begin:end][:40]!r}"
    return answered(asked, answer, start=within)
