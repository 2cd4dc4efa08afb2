"""SQuAD's JSON: articles with paragraphs, each a context with its questions (Rajpurkar et al. 2016, 2018)."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from selftaught.data.encoding import in_lines
from selftaught.data.files import DataFile
from selftaught.data.questions import Question, answered, unanswered
from selftaught.data.sniff import text_encoding
from selftaught.data.streams import Damaged, read_chunks, samples
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError

_NESTED = re.compile(r'(?<!\\)"(data|paragraphs)"\s*:\s*\[')
_KEY = re.compile(r'(?<!\\)"question"\s*:')
_FIRST_LINE = 1


class _Asked(NamedTuple):
    """One question of the file, or something in the place of one, as ``why`` says."""

    place: str
    values: dict[str, Any]
    context: object
    why: str = ""


def is_squad(file: DataFile) -> bool:
    """Whether the questions of a JSON file are nested in articles or paragraphs.

    Raises:
        Damaged: not one byte can be read, or it is no text.
    """
    if file.kind != "json":
        return False
    return _NESTED.search(samples(file)[0].decode(text_encoding(file).codec, "replace")) is not None


def read_squad(file: DataFile, *, labelled: bool) -> tuple[tuple[Question, ...], Tally, str]:
    """The questions of a file, the tally that names what is none, and a description.

    A question is named by its place in the file and by its id, for all of a file may stand on one line.

    Raises:
        SelftaughtError: the file is damaged or no JSON.
    """
    text, encoding = _text(file)
    try:
        content = json.loads(text, strict=False)  # what is no text is found in the one question that has it
    except json.JSONDecodeError as error:
        what = f"is not JSON: {error.msg[0].lower()}{error.msg[1:]}"
        raise SelftaughtError(
            what, where=f"{file.name}:{error.lineno}", do="restore the file; nothing was read"
        ) from None
    except (ValueError, RecursionError):
        raise SelftaughtError("is JSON that is nested too deep, or has a number too long", where=file.name) from None
    asked = list(_questions(content))
    lines = iter(_lines(text, sum("question" in one.values for one in asked)))
    tally, found = Tally(), []
    for place, values, context, why in asked:
        line = next(lines) if "question" in values else _FIRST_LINE
        made = why or _made(values, context, file.name, line, labelled)
        if isinstance(made, str):
            name = f"question {values['id']} ({place})" if "id" in values else place
            tally.quarantine(file.name, line, f"{name}: {made}")
        else:
            tally.keep()
            found.append(made)
    return tuple(found), tally, f"{file.name}: SQuAD's JSON, {encoding}"


def _made(values: dict[str, Any], context: object, file: str, line: int, labelled: bool) -> Question | str:
    asked = unanswered(values.get("question"), context, file, line)
    if isinstance(asked, str) or not labelled:
        return asked
    answers, impossible = values.get("answers", values.get("answer")), values.get("is_impossible")
    return answered(asked, answers, start=values.get("answer_start"), impossible=impossible)


def _text(file: DataFile) -> tuple[str, str]:
    """The whole file, and its encoding; a byte that is no text becomes half a character, which spoils its question."""
    try:
        encoding = text_encoding(file)
        return b"".join(in_lines(read_chunks(file), encoding)).decode(encoding.line_codec, "surrogateescape"), str(
            encoding
        )
    except Damaged as damaged:
        raise SelftaughtError(f"it cannot be read: {damaged}", where=file.name) from None


def _lines(text: str, count: int) -> list[int]:
    """The line of each question, in the order of the file; all are the first one if that cannot be told."""
    found, line, before = [], 1, 0
    for key in _KEY.finditer(text):
        line += text.count("\n", before, key.start())
        before = key.start()
        found.append(line)
    return found if len(found) == count else [_FIRST_LINE] * count


def _questions(content: Any) -> Iterator[_Asked]:
    articles, place = (content.get("data"), "data") if isinstance(content, dict) else (content, "")
    for where, article in _each(articles, place):
        if not isinstance(article, dict):
            yield _Asked(where, {}, None, "is no object")
        elif "paragraphs" in article:
            for inner, paragraph in _each(article["paragraphs"], f"{where}.paragraphs"):
                yield from _of_paragraph(inner, paragraph)
        else:
            yield from _of_paragraph(where, article)


def _of_paragraph(place: str, paragraph: Any) -> Iterator[_Asked]:
    """The questions of a paragraph; in flat files it is the question itself."""
    if not isinstance(paragraph, dict):
        yield _Asked(place, {}, None, "is no object")
    elif "qas" in paragraph:
        for inner, values in _each(paragraph["qas"], f"{place}.qas"):
            if isinstance(values, dict):
                yield _Asked(inner, values, paragraph.get("context"))
            else:
                yield _Asked(inner, {}, None, "is no object")
    elif "question" in paragraph:
        yield _Asked(place, paragraph, paragraph.get("context"))
    else:
        yield _Asked(place, {}, None, "holds no questions: it has no 'qas'")


def _each(values: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The members of a list, each with its place; what is no list is one member that nothing can be made of."""
    if isinstance(values, list):
        return ((f"{place}[{i}]", value) for i, value in enumerate(values))
    return iter([(place, None)])
