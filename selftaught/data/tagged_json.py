"""Tagged texts in JSON or parquet: words with their tags, a text with its entities, or a text in pieces."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeGuard

from selftaught.data.columns import TEXT_NAMES, columns_of, listed, named
from selftaught.data.entity_spans import START, Unfit, entity_spans, joined_pieces, span_tags
from selftaught.data.examples import Columns
from selftaught.data.files import DataFile
from selftaught.data.gather import opened
from selftaught.data.json_text import json_members
from selftaught.data.records import Record
from selftaught.data.sniff import text_encoding
from selftaught.data.tabular import SAMPLE, Values
from selftaught.data.tagged_text import Place, Row, TaggedText, cut, join
from selftaught.data.values import text_problem
from selftaught.errors import SelftaughtError

WORDS = ("tokens", "words", "token", "word", "characters", "chars", "data", *TEXT_NAMES)
TAGS = (
    "tags", "ner_tags", "ner", "bio_tags", "iob_tags", "bio", "slots", "spans", "entities", "annotations", "labels",
    "label", "tag", "标签", "实体",
)  # fmt: skip

Found = tuple[str, tuple[Place, ...], tuple[str, ...]]
"""A text, its words and their tags."""


def read_json(file: DataFile, columns: Columns, *, labelled: bool) -> tuple[list[Row], str]:
    """All records in the order of the file, and how it is written.

    An entity that begins or ends within a word is widened to the whole of it; how many were is told.

    Raises:
        SelftaughtError: it cannot be read, or has no column of texts or of tags.
        Damaged: it is no text.
    """
    records, sample, how = _records(file)
    text, tags = _columns(sample, columns, file.name)
    if labelled and not tags and not any(_is_in_pieces(values.get(text)) for values in sample):
        raise SelftaughtError(
            f"no tags are found; the columns are {listed(columns_of(sample))}",
            where=file.name,
            do="name the column of the tags, or of the entities, with --label",
        )
    rows, all_widened = [], 0
    for line, values, why in records:
        try:
            if why:
                raise Unfit(why)
            found, widened = _asked(values.get(text), text), 0
            if labelled:
                found, widened = _with_tags(found, values.get(text), values.get(tags), tags)
            rows.append(Row(TaggedText(*found, file.name, line), (line,) * len(found[1])))
            all_widened += widened
        except Unfit as unfit:
            rows.append(Row(None, (line,), str(unfit)))
    how += f", text in {text!r}" + (f", tags in {tags!r}" if labelled and tags else "")
    return rows, how + (f"; {all_widened} entities that cut a word are widened to all of it" if all_widened else "")


def _records(file: DataFile) -> tuple[Iterable[Record], list[Values], str]:
    """The records, some of them, and how they are written; they may be the members of lists in one object."""
    if file.kind == "json":
        encoding = text_encoding(file)
        first = [record.values for record in islice(json_members(file, encoding), SAMPLE) if not record.why]
        if first and _known(tuple(first[0]), WORDS) and not _is_part(first[0]):
            return json_members(file, encoding), first, f"{file.suffix} of lists in an object, {encoding}"
    records, sample = opened(file)
    return records.records(*records.columns), sample, str(records)


def _is_part(values: Values) -> bool:
    """Whether this is a piece or an entity of a text, not the whole of it."""
    return values.keys() <= {"text", "entity"} or any(name in values for name in START)


def _columns(sample: Sequence[Values], columns: Columns, where: str) -> tuple[str, str]:
    """The column of the text or of the words, and that of the tags or of the entities, "" if there is none."""
    there = columns_of(sample)
    tags = named(columns.label, there, where) if columns.label is not None else ""
    text = named(columns.text, there, where) if columns.text is not None else ""
    text = text or _known([name for name in there if name != tags], WORDS)
    if not text:
        raise SelftaughtError(
            f"no text is found; the columns are {listed(there)}", where=where, do="name its column with --text"
        )
    return text, tags or _known([name for name in there if name != text], TAGS)


def _known(columns: Sequence[str], names: Sequence[str]) -> str:
    lower = {name.lower(): name for name in reversed(columns)}
    return next((lower[name] for name in names if name in lower), "")


def _asked(given: object, column: str) -> Found:
    """The text, and its words where they are given."""
    words: tuple[Place, ...] = ()
    if _is_in_pieces(given):
        given, _ = joined_pieces(given)
    elif isinstance(given, list):
        if not all(isinstance(word, str) and word for word in given):
            raise Unfit(f"column {column!r} holds a word that is empty or no text")
        given, words = join(given)
    if why := text_problem(given, column):
        raise Unfit(why)
    return str(given), words, ()


def _with_tags(found: Found, given: object, target: object, column: str) -> tuple[Found, int]:
    """The same with tags, and how many entities were widened to whole words."""
    text, words, _ = found
    if _is_in_pieces(given):
        spans = joined_pieces(given)[1]
    elif words or isinstance(target, str) or _holds(target, str):
        return _one_by_one(text, words, target, column), 0
    else:
        spans = entity_spans(text, target)
    words = cut(text)
    tags, widened = span_tags(words, spans)
    return (text, words, tags), widened


def _one_by_one(text: str, words: tuple[Place, ...], target: object, column: str) -> Found:
    """With a tag for each word; of a plain text for each part between spaces, or for each character."""
    tags = target.split() if isinstance(target, str) else target
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Unfit(f"column {column!r} does not hold a list of tags such as B-PER")
    if not words and len(tags) == len(text):
        words = tuple((place, place + 1) for place in range(len(text)))
    elif not words:
        text, words = join(text.split())
    if len(tags) != len(words):
        raise Unfit(f"has {len(words)} words and {len(tags)} tags")
    return text, words, tuple(tags)


def _is_in_pieces(given: object) -> TypeGuard[list[dict[str, object]]]:
    return _holds(given, dict)


def _holds(given: object, kind: type) -> bool:
    """Whether this is a list with something in it, all of this kind."""
    return isinstance(given, list) and bool(given) and all(isinstance(part, kind) for part in given)
