"""A text cut into words, each with a tag; how a text is cut into words, and how words make a text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from selftaught.pretext.words import CJK_RANGES

Place = tuple[int, int]
"""Where a word begins and ends in its text, in characters."""

_CJK = "".join(f"{chr(low)}-{chr(high)}" for low, high in CJK_RANGES)
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])\w)+|[^\w\s]")
_CHARACTER = re.compile(r"\S")
_UNSPACED = re.compile(rf"[{_CJK}\u3000-\u30ff\uff00-\uffef]")  # Chinese, Japanese and their punctuation


@dataclass(frozen=True)
class TaggedText:
    """A text, its words and the tag of each; one that is only asked about has no tags, and perhaps no words yet."""

    text: str
    words: tuple[Place, ...]
    tags: tuple[str, ...]
    file: str
    line: int

    @property
    def inputs(self) -> dict[str, str]:
        return {"text": self.text}

    @property
    def tokens(self) -> list[str]:
        """The words themselves."""
        return [self.text[begin:end] for begin, end in self.words]


@dataclass(frozen=True)
class Row:
    """A sentence as a reader found it, with the tags of its file's own scheme.

    Args:
        lines: of each word; of a sentence that is not to be kept, the line to blame.
        why: it is not to be kept.
    """

    found: TaggedText | None
    lines: tuple[int, ...]
    why: str = ""


def cut(text: str, *, characters: bool = False) -> tuple[Place, ...]:
    """The words of a text: runs of letters and digits; each Chinese character, and each sign, is a word of its own.

    Args:
        characters: whether every character is a word, as in most Chinese tagged corpora.
    """
    return tuple(found.span() for found in (_CHARACTER if characters else _WORD).finditer(text))


def join(words: Iterable[str]) -> tuple[str, tuple[Place, ...]]:
    """The text that these words make and where they stand in it; between Chinese or Japanese ones there is no space."""
    parts: list[str] = []
    places, end, last = [], 0, ""
    for word in words:
        if parts and not (_UNSPACED.match(last) and _UNSPACED.match(word)):
            parts.append(" ")
            end += 1
        parts.append(word)
        places.append((end, end + len(word)))
        end, last = end + len(word), word[-1:]
    return "".join(parts), tuple(places)
