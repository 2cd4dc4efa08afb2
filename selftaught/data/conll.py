"""Files of columns, as the shared tasks of CoNLL have them: a word a line, its tag behind it, blank lines between."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selftaught.data.columns import listed
from selftaught.data.encoding import Encoding
from selftaught.data.files import DataFile
from selftaught.data.records import Line, record_lines
from selftaught.data.tag_schemes import is_tag
from selftaught.data.tagged_text import Row, TaggedText, join
from selftaught.errors import SelftaughtError

DOCUMENT = "-DOCSTART-"
COMMENT = "#"
NEARLY_ALL = 0.9
_BLANKS = re.compile(r"[ \t]+")
_NUMBERED = re.compile(r"(\D+|\d)\d+", re.DOTALL)


@dataclass
class _Sentence:
    """What stands between two blank lines; ``wrong`` is a line with something wrong, and what."""

    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    wrong: tuple[int, str] | None = None


def read_columns(
    file: DataFile, encoding: Encoding, word: str | None = None, tag: str | None = None
) -> tuple[list[Row], str]:
    """All sentences in the order of the file, and how it is written.

    A sentence with a line that is wrong is not to be kept. A segmentation number behind each character, as in the
    Weibo corpus, is left out.

    Args:
        word, tag: numbers of columns from 1; the first and the last if not given.

    Raises:
        SelftaughtError: there are no columns, or none of these numbers.
    """
    found = list(_fields_of_lines(record_lines(file, encoding)))
    widths = Counter(len(fields) for _, fields, why in found if fields and not why)
    width = max(widths, key=lambda columns: widths[columns], default=0)
    if width < 2:
        raise SelftaughtError(
            "there are no columns in it" if widths else "there is nothing in it",
            where=file.name,
            do="write a word and its tag on each line, with a tab or a space between them; or JSON lines (.jsonl)",
        )
    word_column, tag_column = _column(word, 0, width, file), _column(tag, width - 1, width, file)
    sentences = list(_sentences(found, width, word_column, tag_column))
    numbered = _leave_out_numbers(sentences)
    how = f"{width} columns, {encoding}, word in {word_column + 1}, tag in {tag_column + 1}"
    how += "; the number behind each character is left out" if numbered else ""
    return [_row(sentence, file) for sentence in sentences], how


def has_tags(file: DataFile, encoding: Encoding) -> bool:
    """Whether this is a file of columns rather than plain text: most lines end with a tag."""
    found = [fields for _, fields, _ in _fields_of_lines(record_lines(file, encoding)) if fields]
    return 2 * sum(len(fields) > 1 and is_tag(fields[-1]) for fields in found) > len(found)


def _fields_of_lines(lines: Iterable[Line]) -> Iterator[tuple[int, list[str], str]]:
    """The line, its fields and what is wrong with it; without fields a sentence ends."""
    for number, text, why in lines:
        fields = _fields(text)
        if not why and (not text.strip() or fields[0] == DOCUMENT):
            yield number, [], ""
        elif why or not _is_comment(fields):
            yield number, fields, why


def _fields(text: str) -> list[str]:
    """Fields between tabs, or between blanks where there is no tab; no other white space parts them."""
    text = text.rstrip("\n\t ")
    return text.split("\t") if "\t" in text else _BLANKS.split(text.lstrip(" "))


def _is_comment(fields: list[str]) -> bool:
    """A line that begins with # and does not end with a tag; a # of the text has its tag behind it."""
    return fields[0].startswith(COMMENT) and not is_tag(fields[-1])


def _sentences(found: Iterable[tuple[int, list[str], str]], width: int, word: int, tag: int) -> Iterator[_Sentence]:
    sentence = _Sentence()
    for number, fields, why in found:
        if not fields:
            if sentence.lines:
                yield sentence
            sentence = _Sentence()
            continue
        sentence.lines.append(number)
        if why := why or _problem(fields, width, word, tag):
            sentence.wrong = sentence.wrong or (number, why)
        else:
            sentence.words.append(fields[word])
            sentence.tags.append(fields[tag])
    if sentence.lines:
        yield sentence


def _problem(fields: list[str], width: int, word: int, tag: int) -> str:
    if len(fields) != width:
        return f"has {len(fields)} columns where {width} are expected"
    return "" if fields[word] and fields[tag] else "has an empty word or tag"


def _leave_out_numbers(sentences: list[_Sentence]) -> bool:
    """Takes the number off each word, if nearly all words have one; says whether they have."""
    words = [word for sentence in sentences for word in sentence.words]
    if sum(_NUMBERED.fullmatch(word) is not None for word in words) <= NEARLY_ALL * len(words):
        return False
    for sentence in sentences:
        sentence.words = [_NUMBERED.sub(r"\1", word) for word in sentence.words]
    return True


def _row(sentence: _Sentence, file: DataFile) -> Row:
    if sentence.wrong is not None:
        line, why = sentence.wrong
        return Row(None, (line,), why)
    text, places = join(sentence.words)
    found = TaggedText(text, places, tuple(sentence.tags), file.name, sentence.lines[0])
    return Row(found, tuple(sentence.lines))


def _column(given: str | None, otherwise: int, width: int, file: DataFile) -> int:
    if given is None:
        return otherwise
    numbers = [str(number + 1) for number in range(width)]
    if given not in numbers:
        do = "give the number of one, from 1"
        raise SelftaughtError(f"there is no column {given!r}; they are {listed(numbers)}", where=file.name, do=do)
    return int(given) - 1
