"""JSON in either of its habits: one object a line, or objects in one list, spread over lines or not."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from selftaught.data.encoding import Encoding
from selftaught.data.files import DataFile
from selftaught.data.lines import Bad, Block, read_lines
from selftaught.data.records import LONGEST_RECORD, TOO_LONG, Line, Record, record_lines

PIECE = 1 << 20
AT_THE_END = 32  # characters: an error so near the end of what was read may be cured by reading on
BETWEEN = re.compile(r"[\s,\[\]]*")
STRING = r'"(?:[^"\\]|\\.)*"'
FIRST_MEMBER = re.compile(rf"\s*\{{[^\[\]{{}}]*\[\s*(?=\{{\s*({STRING})\s*:)")
BETWEEN_MEMBERS = re.compile(rf"(?:[\s,\[\]}}]|{STRING}\s*:)*")
HEAD = 100  # lines
NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")
UNREADABLE = "is JSON that cannot be read: nested too deep, or a number too long"
NAMES = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "true or false"}


def is_line_by_line(lines: Sequence[Line]) -> bool:
    """Whether these first lines are one JSON value each, rather than parts of larger ones."""
    filled = [line.text.strip() for line in lines if line.text.strip() or line.why]
    if not filled or not filled[0]:
        return not filled  # a line too long to hold may be all of the list
    if filled[0].startswith("["):
        return len(filled) > 1 and not _loads(filled[0])[1]
    return not filled[0].startswith("{") or any(isinstance(_loads(text)[0], dict) for text in filled)


def json_lines(lines: Iterable[Line]) -> Iterator[Record]:
    """One object a line."""
    for number, text, why in lines:
        if why:
            yield Record(number, {}, why)
        elif text.strip():
            yield _record(number, *_loads(text))


def json_objects(file: DataFile, encoding: Encoding) -> Iterator[Record]:
    """Objects in a list, or one after another, however they are spread over lines.

    ``line`` is where one starts. After a broken one, reading goes on where the next seems to start.
    """
    buffer = _Buffer(file, encoding)
    decoder = json.JSONDecoder()
    while buffer.skip(BETWEEN):
        line, size = buffer.line, len(buffer.text) - buffer.at
        try:
            value, end = decoder.raw_decode(buffer.text, buffer.at)
        except json.JSONDecodeError as error:
            unfinished = error.pos >= len(buffer.text) - AT_THE_END or error.msg.startswith("Unterminated")
            if unfinished and size <= LONGEST_RECORD and buffer.grow():
                continue
            why = TOO_LONG if unfinished and size > LONGEST_RECORD else f"is not JSON: {_reason(error)}"
        except (ValueError, RecursionError):
            why = UNREADABLE
        else:
            buffer.move(end)
            yield _record(line, value, "")
            continue
        found = buffer.seek(NEXT_OBJECT)
        yield Record(line, {}, why if found else f"{why}; nothing after it could be read")
    if buffer.damage:
        yield buffer.damage


def json_members(file: DataFile, encoding: Encoding) -> Iterator[Record]:
    """The objects in the lists of one object, such as ``{"NAME": [{…}, {…}]}``; nothing if the file begins otherwise.

    The file is held whole. A broken object is named by its line that is no text, if it has one; reading goes on with
    the next that has the same first key as the very first.
    """
    opening = FIRST_MEMBER.match("".join(line.text for line in islice(record_lines(file, encoding), HEAD)))
    if opening is None:
        return
    lines = list(record_lines(file, encoding))
    text, spoiled = "".join(line.text for line in lines), {line.number: line.why for line in lines if line.why}
    begins = re.compile(rf"\{{\s*{re.escape(opening[1])}\s*:")
    at, number = 0, 1
    for value, why, start, end in _members(text, opening.end(), begins):
        number += text.count("\n", at, start)
        last = number + text.count("\n", start, end)
        bad = next((line for line in range(number, last + 1) if line in spoiled), None)
        if bad is not None:
            yield Record(bad, {}, spoiled[bad])
        elif why or isinstance(value, dict):
            yield _record(number, value, why)
        at, number = end, last


def _members(text: str, at: int, begins: re.Pattern[str]) -> Iterator[tuple[object, str, int, int]]:
    """Each value from ``at`` on, what is wrong with it, and where it starts and ends."""
    while (at := _end(BETWEEN_MEMBERS.match(text, at), len(text))) < len(text):
        start, value, why = at, None, ""
        try:
            value, at = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            why = f"is not JSON: {_reason(error)}" if isinstance(error, json.JSONDecodeError) else UNREADABLE
            following = begins.search(text, start + 1)
            at = following.start() if following else len(text)
        yield value, why, start, at


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return match.end() if match else otherwise


class _Buffer:
    """What was read and not yet used: ``text`` from ``at`` on, which is on the line ``line``."""

    def __init__(self, file: DataFile, encoding: Encoding) -> None:
        self.events = read_lines(file, encoding, PIECE)
        self.text, self.at, self.line = "", 0, 1
        self.damage: Record | None = None

    def more(self) -> bool:
        """Reads on; False at the end. What is no text is made to break the object that it stands in."""
        event = next(self.events, None)
        if event is None:
            return False
        if isinstance(event, Bad) and not event.text:
            self.damage = Record(event.line, {}, event.why)
            return self.more()
        good = isinstance(event, Block) or not event.why
        self.text = self.text[self.at :] + (event.text if good else event.text.replace("\ufffd", "\0"))
        self.at = 0
        return True

    def grow(self) -> bool:
        """Reads on until there is twice as much, for each time all of it is looked at anew; False at the end."""
        before = len(self.text) - self.at
        while len(self.text) - self.at < 2 * before and self.more():
            pass
        return len(self.text) - self.at > before

    def move(self, to: int) -> None:
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Moves past what matches here; False if that is all there is."""
        while True:
            match = pattern.match(self.text, self.at)
            self.move(match.end() if match else self.at)
            if self.at < len(self.text):
                return True
            if not self.more():
                return False

    def seek(self, pattern: re.Pattern[str]) -> bool:
        """Moves to the end of the next match; False, and to the end of all, if there is none."""
        while not (match := pattern.search(self.text, self.at)):
            self.move(max(self.at, len(self.text) - AT_THE_END))
            if not self.more():
                self.move(len(self.text))
                return False
        self.move(match.end())
        return True


def _loads(text: str) -> tuple[object, str]:
    """The value and what is wrong with the text."""
    try:
        return json.loads(text), ""
    except json.JSONDecodeError as error:
        return None, f"is not JSON: {_reason(error)}"
    except (ValueError, RecursionError):
        return None, UNREADABLE


def _reason(error: json.JSONDecodeError) -> str:
    return error.msg[0].lower() + error.msg[1:].removesuffix(" at")


def _record(line: int, value: object, why: str) -> Record:
    if isinstance(value, dict):
        return Record(line, value)
    return Record(line, {}, why or f"is {NAMES.get(type(value), 'null')}, not an object")
