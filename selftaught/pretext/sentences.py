"""Where sentences begin in running text: English and Chinese.

A full stop ends a sentence where white space and no lower-case letter follow (unless there are no others), and it does
not belong to an abbreviation, an initial or the number of a list's item. A full-width mark (。！？；) ends one wherever
it stands. What closes after the mark, a quote or a bracket, belongs to the sentence that it closes, and white space to
the one before it.

A blank line ends a sentence, and so does the end of a line, with or without a mark: a heading or a short text has
none. Only where the lines were broken to a width, as in the books of Project Gutenberg, does a sentence go on.
"""

import re
import sys
from collections.abc import Sequence
from itertools import pairwise

from selftaught.pretext.words import is_cjk

CONTEXT = 512
"""Characters before a piece of text that may matter for where its sentences begin."""

_WIDE = "。！？；｡"
_CLOSING = re.escape("\"'”’»)]}」』）】》〉〕*_")
_BREAK = re.compile(rf"(?P<marks>[.!?…{_WIDE}]+)[{_CLOSING}]*(?P<gap>\s*)|\n\s*")
_OPENING = "\"'“‘«([{「『（【《〈〔*_#>"
_CONTINUES = ",;:-–—)"

_TITLE = re.compile(
    r"mrs?|ms|messrs|mme|mlle|dr|prof|rev|fr|hon|st|mt|ft|gen|col|maj|capt|cmdr|lt|sgt|cpl|pvt|sen|rep|gov|pres|supt"
    r"|vs|viz|cf|ca|al|approx",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"nos?|vols?|pp?|ch|sec|figs?|eqs?|art|para|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec", re.IGNORECASE
)
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")  # U.S, e.g, Ph.D
_MAY_END = ("a.m", "p.m")
_ITEM = re.compile(r"\d{1,3}|[^\W\d_]|[IVXLC]{1,6}")  # 1. or a. or IV. before an item
_LONGEST_WORD = 24

_WRAPPED_SHARE = 0.85
_FEWEST_LINES = 6


def sentence_starts(text: str, before: str = "") -> list[int]:
    """Where sentences begin in ``text``, in characters, increasing.

    Args:
        before: the last :data:`CONTEXT` characters of what stands before the text, where that is not its document's
            beginning; a document begins with a sentence.
    """
    whole = before + text
    width, lower = _line_width(whole), whole.islower()
    lead = len(whole) - len(whole.lstrip())
    found = [] if before or not text else [0]
    for match in _BREAK.finditer(whole):
        place = match.end()
        if max(lead, len(before) - 1) < place < len(whole) and _is_end(whole, match, width, lower):
            found.append(place - len(before))
    return found


def split_sentences(text: str) -> list[str]:
    """The sentences of a document; joined, they are the document."""
    starts: Sequence[int] = sentence_starts(text)
    return [text[begin:end] for begin, end in pairwise([*starts, len(text)])]


def _is_end(text: str, match: re.Match[str], width: int, lower: bool) -> bool:
    """Whether a sentence ends with what was matched: marks with what closes after them, or the end of a line.

    Args:
        width: that the lines were broken to.
        lower: whether the text has no capitals, so that they say nothing.
    """
    marks, space = match["marks"], match["gap"] if match["marks"] else match[0]
    if "\n" in space and (space.count("\n") > 1 or not _is_wrapped(text, match, width)):
        return True
    if not marks or any(mark in marks for mark in _WIDE):
        return bool(marks)
    follows = text[match.end() :][:1]
    if not space:
        return marks[-1] in "!?…" and is_cjk(follows)
    follows = text[match.end() : match.end() + 8].lstrip(_OPENING)[:1] or follows
    if (follows.islower() and not lower) or follows in _CONTINUES:
        return False
    return marks != "." or not _is_abbreviated(text, match.start(), follows)


def _is_abbreviated(text: str, stop: int, follows: str) -> bool:
    """Whether the full stop at ``stop`` belongs to the word before it, or to the number of a list's item."""
    line = text[max(0, stop - _LONGEST_WORD) : stop].rpartition("\n")
    words = line[2].split()
    if not words or line[2][-1].isspace():
        return False
    word = words[-1].lstrip(_OPENING)
    if len(words) == 1 and _ITEM.fullmatch(word) and len(line[2]) < _LONGEST_WORD:
        return True
    if _DOTTED.fullmatch(word):
        return word.lower() not in _MAY_END
    initial = len(word) == 1 and word.isupper() and word != "I"
    return initial or bool(_TITLE.fullmatch(word)) or (follows.isdigit() and bool(_NUMBERED.fullmatch(word)))


def _is_wrapped(text: str, match: re.Match[str], width: int) -> bool:
    """Whether the line ends here only because the next word would have gone beyond ``width``."""
    end = text.index("\n", match.start())
    line = text[text.rfind("\n", 0, end) + 1 : end]
    return _would_pass(line, text[match.end() : match.end() + _LONGEST_WORD], width)


def _would_pass(line: str, following: str, width: int) -> bool:
    word = following.split(maxsplit=1)[0] if following.split() else ""
    return len(line.rstrip()) + 1 + (1 if is_cjk(word[:1]) else len(word)) > width


def _line_width(text: str) -> int:
    """The width that the lines of a text were broken to; ``sys.maxsize`` if they end where they end.

    Of lines broken to a width hardly one has room for the word that begins the next line; of others, most have.
    """
    lines = text.split("\n")
    inner = [(line, next_) for line, next_ in pairwise(lines) if line.strip() and next_.strip()]
    if len(inner) < _FEWEST_LINES:
        return sys.maxsize
    width = sorted(len(line.rstrip()) for line, _ in inner)[len(inner) * 9 // 10]
    full = sum(_would_pass(line, next_.lstrip()[:_LONGEST_WORD], width) for line, next_ in inner)
    return width if full >= _WRAPPED_SHARE * len(inner) else sys.maxsize
