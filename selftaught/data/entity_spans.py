"""Entities given by where they stand in a text, in the forms that tools for labelling write, made tags of its words."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from selftaught.data.tag_schemes import from_spans
from selftaught.data.tagged_text import Place

START = ("start", "begin", "start_offset", "start_idx", "start_char")
END = ("end", "end_offset", "end_idx", "end_char")
KIND = ("label", "type", "entity", "entity_group", "entity_type", "tag", "category")
SURFACE = ("text", "mention", "surface")


class Span(NamedTuple):
    """An entity: its type, and its characters from ``begin`` to before ``end``."""

    kind: str
    begin: int
    end: int


class Unfit(Exception):
    """Why a record is no tagged text."""


def entity_spans(text: str, entities: object) -> list[Span]:
    """The entities of a text in any of the forms.

    These are objects with ``start``, ``end`` and ``label`` (or other names for them), lists ``[start, end, label]``,
    and ``{label: {surface: [[start, end]]}}`` as in CLUENER. Where the entity's own text is given, it tells whether the
    end is counted in.

    Raises:
        Unfit: an entity has no type, or is not where it is said to be.
    """
    return [_checked(text, *parts) for parts in _parts(entities)]


def joined_pieces(pieces: Sequence[Mapping[str, object]]) -> tuple[str, list[Span]]:
    """The text of pieces ``{"text", "entity"}``, those of SNIPS, and its entities: the pieces that have a type.

    Raises:
        Unfit: a piece has no text, or its type is no name.
    """
    text, spans = "", []
    for piece in pieces:
        given, kind = piece.get("text"), piece.get("entity")
        if not isinstance(given, str):
            raise Unfit("one of its pieces has no text")
        if kind is not None:
            spans.append(_checked(text + given, len(text), len(text) + len(given), kind, given))
        text += given
    return text, spans


def span_tags(words: Sequence[Place], spans: Sequence[Span]) -> tuple[tuple[str, ...], int]:
    """IOB2 tags of the words of a text, and how many entities cut a word and were widened to the whole of it.

    Raises:
        Unfit: an entity has no word, or shares one with another.
    """
    found, widened = [], 0
    for kind, begin, end in sorted(spans, key=lambda span: span.begin):
        inside = [number for number, word in enumerate(words) if word[0] < end and begin < word[1]]
        if not inside:
            raise Unfit(f"the entity {kind!r} at {begin} holds no word")
        widened += words[inside[0]][0] < begin or words[inside[-1]][1] > end
        found.append((kind, inside[0], inside[-1] + 1))
    for (one, _, end), (other, begin, _) in pairwise(found):
        if begin < end:
            raise Unfit(f"the entities {one!r} and {other!r} overlap")
    return from_spans(found, len(words)), widened


def _parts(entities: object) -> Iterator[tuple[object, object, object, object]]:
    """Start, end, type and text of each entity; the text is None where it is not given."""
    if isinstance(entities, Mapping):
        for kind, by_surface in entities.items():
            for surface, places in by_surface.items() if isinstance(by_surface, Mapping) else [(None, None)]:
                for place in places if isinstance(places, list) else [None]:
                    start, end = place if isinstance(place, list) and len(place) == 2 else (None, None)
                    yield start, end, kind, surface
    elif isinstance(entities, list):
        for entity in entities:
            if isinstance(entity, Mapping):
                start, end, kind, surface = (_first(entity, names) for names in (START, END, KIND, SURFACE))
                yield start, end, kind, surface
            elif isinstance(entity, list) and len(entity) == 3:
                yield *entity, None
            else:
                raise Unfit(f"an entity is {str(entity)[:40]!r}, not [start, end, label] or an object with these")
    else:
        raise Unfit("its entities are neither a list nor an object" if entities is not None else "has no entities")


def _first(entity: Mapping[str, object], names: Sequence[str]) -> object:
    return next((entity[name] for name in names if name in entity), None)


def _checked(text: str, start: object, end: object, kind: object, surface: object) -> Span:
    if not isinstance(kind, str) or not kind.strip():
        raise Unfit("an entity has no type")
    kind = kind.strip()
    if not _is_whole(start) or not _is_whole(end):
        raise Unfit(f"the entity {kind!r} does not say in whole numbers where it starts and ends")
    assert isinstance(start, int)
    assert isinstance(end, int)
    if isinstance(surface, str) and text[start:end] != surface and text[start : end + 1] == surface:
        end += 1
    if not 0 <= start < end <= len(text):
        raise Unfit(f"the entity {kind!r} from {start} to {end} is not within the text of {len(text)} characters")
    if isinstance(surface, str) and text[start:end] != surface:
        raise Unfit(f"the entity {surface!r} is not at {start}, where {text[start:end]!r} stands")
    return Span(kind, start, end)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
