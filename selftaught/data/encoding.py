"""Which encoding a file is in: byte order marks first, then UTF-8, GB18030, Windows-1252 by evidence."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
NAMES = {"utf-8": "UTF-8", "gb18030": "GB18030", "cp1252": "Windows-1252 (latin-1)", "latin-1": "latin-1"}
FEW_LINES = 3  # fewer broken lines than this in a long file are damage, not another encoding
WESTERN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüœŒšŠ‘’“”–—…«»¡¿°§£€¤©®·•´½¼¾º¨\xa0\x85")
COMMON_CHINESE = frozenset(  # characters of which any Chinese text has many, in simplified writing
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然"
    "家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日者意无力它与长把机"
    "十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应向头文体政美相见被利什二等产或新己制身果加"
)
PLAINLY_UTF8 = 6  # continuation bytes, as in three Chinese characters: by chance, GB18030 seldom has so many
GUESS_FROM = 1 << 16
REPLACEMENT, BROKEN = "\ufffd".encode(), b"\xff"


@dataclass(frozen=True)
class Encoding:
    """``codec`` of the bytes after ``mark``; ``newline`` is ``\\r`` in files of the old Mac kind only."""

    codec: str
    mark: bytes = b""
    newline: str = "\n"

    def __str__(self) -> str:
        name = NAMES.get(self.codec, self.codec.upper().replace("_", "-"))
        return f"{name} with a byte order mark" if self.mark else name

    @property
    def line_codec(self) -> str:
        """The codec of what `in_lines` hands out."""
        return "utf-8" if self.codec.startswith(("utf-16", "utf-32")) else self.codec


def detect(samples: list[bytes]) -> Encoding:
    """The encoding that explains pieces of a file, the first of which is its beginning."""
    head = samples[0]
    for mark, codec in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return Encoding(codec, mark, _newline(head.decode(codec, "replace")))
    if codec := _wide_without_mark(head):
        return Encoding(codec, b"", _newline(head.decode(codec, "replace")))
    joined = b"\n".join(samples)
    return Encoding(_narrow_codec(joined), b"", _newline(head.decode("latin-1")))


def in_lines(chunks: Iterator[bytes], encoding: Encoding) -> Iterator[bytes]:
    """The same text without its mark, in a codec where the byte 10 ends a line and means nothing else.

    What UTF-16 or UTF-32 cannot mean becomes the byte 255, which UTF-8 refuses, so that its line is found.
    """
    chunks = _without(encoding.mark, chunks)
    if encoding.line_codec != encoding.codec:
        chunks = _as_utf8(chunks, encoding.codec)
    if encoding.newline == "\r":
        chunks = (chunk.replace(b"\r", b"\n") for chunk in chunks)
    return chunks


def decode_line(line: bytes, codec: str) -> str:
    """Decodes one line; in a file of an older encoding, a line that is plainly UTF-8 is read as such.

    Raises:
        UnicodeDecodeError: the line is not in this codec.
    """
    if codec != "utf-8" and not line.isascii() and decodes(line, "utf-8"):
        text = line.decode()
        if codec != "gb18030" or len(line) - len(text) >= PLAINLY_UTF8:
            return text
    return line.decode(codec)


def decodes(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _narrow_codec(sample: bytes) -> str:
    lines = [line for line in sample.split(b"\n") if line.strip()]
    strange = [line for line in lines if not line.isascii()]
    broken = [line for line in strange if not decodes(line, "utf-8")]
    if 2 * len(broken) < len(strange) or not broken:
        return "utf-8"
    if len(broken) < FEW_LINES and len(broken) * 100 <= len(lines):
        return "utf-8"
    if _looks_chinese(broken):
        return "gb18030"
    evidence = b"\n".join(broken)
    if _looks_western(evidence):
        return "cp1252"
    if 2 * len(broken) <= len(lines):
        return "utf-8"  # mostly ASCII, and the rest is nothing we know: damage
    return _guess(evidence[:GUESS_FROM]) or "utf-8"


def _looks_chinese(lines: list[bytes]) -> bool:
    """Nearly all lines are GB18030, and their characters are those of Chinese rather than, say, of Korean."""
    strange, lost = [], 0
    for line in lines:
        try:
            text = codecs.getincrementaldecoder("gb18030")().decode(line)  # the end of a sample may be cut
        except UnicodeDecodeError:
            lost += 1
        else:
            strange += [char for char in text if not char.isascii()]
    hanzi = [char for char in strange if "一" <= char <= "鿿"]
    punctuation = sum(map(_is_chinese_punctuation, strange))
    common = sum(char in COMMON_CHINESE for char in hanzi)
    return (
        lost <= 0.1 * len(lines) and len(hanzi) + punctuation >= 0.8 * len(strange) > 0 and common >= 0.12 * len(hanzi)
    )


def _is_chinese_punctuation(char: str) -> bool:
    return "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uffef" or char in "“”‘’…—·"


def _looks_western(evidence: bytes) -> bool:
    text = evidence.decode("cp1252", "replace")
    strange = [char for char in text if not char.isascii()]
    return sum(char in WESTERN for char in strange) >= 0.95 * len(strange)


def _guess(evidence: bytes) -> str:
    """Another encoding in which ASCII is ASCII, such as Big5 or KOI8-R; nothing where none fits."""
    import charset_normalizer  # slow to load, seldom needed

    best = charset_normalizer.from_bytes(evidence, threshold=0.1).best()
    probe = '\n,;"\tazAZ09'
    if best is None or probe.encode(best.encoding, "ignore") != probe.encode() or not decodes(evidence, best.encoding):
        return ""
    return best.encoding


def _wide_without_mark(head: bytes) -> str:
    """UTF-16 of mostly ASCII text gives itself away: every other byte is zero."""
    pairs = len(head) // 2
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if pairs and odd > 0.4 * pairs and even < 0.1 * pairs:
        return "utf-16-le"
    return "utf-16-be" if pairs and even > 0.4 * pairs and odd < 0.1 * pairs else ""


def _newline(text: str) -> str:
    return "\r" if "\r" in text and "\n" not in text else "\n"


def _without(mark: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[len(mark) :]
        break
    yield from chunks


def _as_utf8(chunks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode().replace(REPLACEMENT, BROKEN)
    yield decoder.decode(b"", final=True).encode().replace(REPLACEMENT, BROKEN)
