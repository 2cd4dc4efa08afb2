"""Decoded lines in blocks: clean text at full speed, and each line that is no text set apart."""

import codecs
import io
from collections.abc import Iterator
from typing import NamedTuple

from selftaught.data.encoding import Encoding, decode_line, in_lines
from selftaught.data.files import DataFile
from selftaught.data.streams import Damaged, read_chunks

NUL_WHY = "contains NUL bytes"


class Block(NamedTuple):
    """Whole lines, the first of them number ``line``; each but the last of a file ends in ``\\n``."""

    line: int
    text: str


class Bad(NamedTuple):
    """One line that is no text; ``text`` holds it with what is wrong replaced."""

    line: int
    text: str
    why: str


class Piece(NamedTuple):
    """A part of a line that is too long to be held at once; ``why`` is empty where it is good text."""

    line: int
    text: str
    last: bool
    why: str


def read_lines(file: DataFile, encoding: Encoding, longest: int, *, hold: bool = True) -> Iterator[Block | Bad | Piece]:
    """Streams a file; lines of more than about ``longest`` bytes come in pieces of that size.

    Damage ends the file with a `Bad` line that takes the place of the broken one.

    Args:
        hold: false to leave those pieces empty.
    """
    codec, line, rest, inside = encoding.line_codec, 1, bytearray(), False  # inside: an over-long line
    damage = ""
    chunks = in_lines(read_chunks(file), encoding)
    while True:
        try:
            chunk = next(chunks, None)
        except Damaged as damaged:
            chunk, damage = None, str(damaged)
        if chunk is None:
            break
        if inside and (end := chunk.find(b"\n") + 1):
            rest += chunk[:end]
            yield _piece(line, bytes(rest) if hold else b"", codec, last=True)
            line, rest, inside, chunk = line + 1, bytearray(), False, chunk[end:]
        if end := chunk.rfind(b"\n") + 1:
            rest += chunk[:end]
            yield from _decoded(line, bytes(rest), codec)
            line += rest.count(b"\n")
            rest = bytearray(chunk[end:])
        elif hold or not inside:
            rest += chunk
        while len(rest) > longest:
            end = _cut(rest, longest, codec) if hold else len(rest)
            yield _piece(line, bytes(rest[:end]) if hold else b"", codec, last=False)
            del rest[:end]
            inside = True
    if damage:
        yield Bad(line, "", damage)
    elif inside:
        yield _piece(line, bytes(rest) if hold else b"", codec, last=True)
    elif rest:
        yield from _decoded(line, bytes(rest), codec)


def flat(events: Iterator[Block | Bad | Piece]) -> Iterator[tuple[int, str, str]]:
    """Every line, and every piece of a long one: its number, its text with its end, and what is wrong."""
    for event in events:
        if isinstance(event, Block):
            for number, text in enumerate(io.StringIO(event.text, newline="\n"), event.line):
                yield number, text, ""
        else:
            yield event.line, event.text, event.why


def _decoded(line: int, raw: bytes, codec: str) -> Iterator[Block | Bad]:
    if (clean := _at_once(raw, codec)) is not None:
        yield Block(line, clean)
        return
    good: list[str] = []
    for number, one in enumerate(io.BytesIO(raw), line):
        text, why = _one_line(one, codec)
        if not why:
            good.append(text)
            continue
        if good:
            yield Block(number - len(good), "".join(good))
            good.clear()
        yield Bad(number, text, why)
    if good:
        yield Block(number + 1 - len(good), "".join(good))


def _at_once(raw: bytes, codec: str) -> str | None:
    if b"\0" in raw or not (codec == "utf-8" or raw.isascii()):
        return None
    try:
        return raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None


def _one_line(raw: bytes, codec: str) -> tuple[str, str]:
    """The text and what is wrong with it."""
    try:
        text = decode_line(raw, codec).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        text = raw.decode(codec, "replace").replace("\r\n", "\n")
        return text, f"byte {error.start + 1} of the line (0x{raw[error.start]:02x}) is not {Encoding(codec)}"
    return text, NUL_WHY if "\0" in text else ""


def _piece(line: int, raw: bytes, codec: str, last: bool) -> Piece:
    text, why = _one_line(raw, codec)
    return Piece(line, text, last, why)


def _cut(rest: bytearray, longest: int, codec: str) -> int:
    """Where to cut a long line: after a space, or else between two characters."""
    end = max(rest.rfind(b" ", 0, longest), rest.rfind(b"\t", 0, longest)) + 1
    if end:
        return end
    decoder = codecs.getincrementaldecoder(codec)("replace")
    decoder.decode(rest[:longest])
    return longest - len(decoder.getstate()[0])
