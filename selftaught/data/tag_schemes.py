"""Schemes of tagging: how a tag a word says where entities begin and end.

There are several ways to write the same entities, and files do not say which one they use. Here each file's scheme is
told from its tags, and all are converted to IOB2, where B begins an entity and I goes on with it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

OUTSIDE = "O"
UNTYPED = "span"  # the type of entities whose tags are bare letters, as in word segmentation
_TAG = re.compile(r"([A-Za-z])(?:[-_](.+))?", re.DOTALL)


class Broken(Exception):
    """A sequence of tags that its scheme does not allow.

    Args:
        place: which tag.
        why: what is wrong with it.
    """

    def __init__(self, place: int, why: str) -> None:
        super().__init__(why)
        self.place = place


@dataclass(frozen=True)
class Scheme:
    """The letters before the types.

    Args:
        name: as the field calls it.
        begins, goes_on: the letters of the first word of an entity and of those after it.
        ends, alone: those of its last word, and of its only one; empty where the scheme has none.
        parts: true if the first letter is written only where an entity touches another of its type.
    """

    name: str
    begins: str = "B"
    goes_on: str = "I"
    ends: str = ""
    alone: str = ""
    parts: bool = False

    @property
    def letters(self) -> str:
        return self.begins + self.goes_on + self.ends + self.alone


IOB2 = Scheme("IOB2")
IOB1 = Scheme("IOB1", parts=True)
BIOES = Scheme("BIOES", ends="E", alone="S")
BIOUL = Scheme("BIOUL", ends="L", alone="U")
BMES = Scheme("BMES", goes_on="M", ends="E", alone="S")
SCHEMES = (IOB2, IOB1, BIOES, BIOUL, BMES)


def is_tag(text: str) -> bool:
    """Whether this is O, or a letter of some scheme with a type behind it."""
    return text == OUTSIDE or (text[1:2] in ("-", "_") and any(text[0] in scheme.letters for scheme in SCHEMES))


def to_iob2(tags: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """The same entities in IOB2.

    Raises:
        Broken: the tags are not of this scheme.
    """
    found, inside = [], ""  # the type of the entity that the next word may go on with
    for place, tag in enumerate(tags):
        letter, kind = _parted(tag, place, scheme)
        if scheme.ends and inside and (kind != inside or letter not in (scheme.goes_on, scheme.ends)):
            raise Broken(place, f"{tag!r} follows {tags[place - 1]!r}, whose entity has not ended ({scheme.name})")
        begins = letter in (scheme.begins, scheme.alone) or (scheme.parts and kind != inside)
        if letter == OUTSIDE:
            found.append(OUTSIDE)
        elif scheme.parts and letter == scheme.begins and kind != inside:
            raise Broken(place, f"{tag!r} parts no two entities ({scheme.name})")
        elif not begins and kind != inside:
            raise Broken(place, f"{tag!r} goes on with an entity that has not begun ({scheme.name})")
        else:
            found.append(f"{'B' if begins else 'I'}-{kind}")
        inside = kind if letter in (scheme.begins, scheme.goes_on) else ""
    if scheme.ends and inside:
        raise Broken(len(tags) - 1, f"{tags[-1]!r} is the last tag, and its entity has not ended ({scheme.name})")
    return tuple(found)


def _parted(tag: str, place: int, scheme: Scheme) -> tuple[str, str]:
    """The letter and the type of a tag; O has no type."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = _TAG.fullmatch(tag)
    if match is None or match[1] not in scheme.letters:
        raise Broken(place, f"the tag {tag!r} is neither O nor {', '.join(scheme.letters)} with a type ({scheme.name})")
    return match[1], match[2] or UNTYPED


def is_sound(tags: Sequence[str], scheme: Scheme) -> bool:
    """Whether these tags are of the scheme."""
    try:
        to_iob2(tags, scheme)
    except Broken:
        return False
    return True


def find_scheme(sentences: Sequence[Sequence[str]]) -> Scheme:
    """The scheme in which the most sentences are sound; of several the simplest."""
    telling = [tags for tags in sentences if any(tag != OUTSIDE for tag in tags)]
    return max(SCHEMES, key=lambda scheme: sum(is_sound(tags, scheme) for tags in telling))


def may_follow(before: str, tag: str) -> bool:
    """Whether IOB2 allows this tag behind the other; in front of a sentence stands O."""
    return not tag.startswith("I-") or before[2:] == tag[2:] != ""


def spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities of sound IOB2 tags: type, first word, and the word behind the last."""
    begins = [place for place, tag in enumerate(tags) if tag.startswith("B-")]
    found = []
    for begin, limit in pairwise([*begins, len(tags)]):
        end = begin + 1
        while end < limit and tags[end].startswith("I-"):
            end += 1
        found.append((tags[begin][2:], begin, end))
    return found


def from_spans(entities: Sequence[tuple[str, int, int]], words: int) -> tuple[str, ...]:
    """IOB2 tags of so many words, from entities as :func:`spans` gives them, none of which overlap."""
    tags = [OUTSIDE] * words
    for kind, begin, end in entities:
        tags[begin:end] = [f"B-{kind}"] + [f"I-{kind}"] * (end - begin - 1)
    return tuple(tags)
