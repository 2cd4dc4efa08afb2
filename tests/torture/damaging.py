"""Damage as it happens to files: cut, flipped, repeated, in another encoding, with other columns or types."""

import gzip
import io
import random
import re
import zlib
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from hypothesis import strategies as st

Damage = Callable[[bytes, random.Random], bytes]

_ODD = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x80", b"\r", b"\n", b"\n\n", b"\t", b",", b'"', b"'", b"\\"),
    *(b"{", b"}", b"[", b"]", b":", b"\x1a", b"\xe2\x80\xa8", b"\\ud800", b"\\u0000", b"-1", b"9" * 400, b"[" * 3000),
)
_VALUES = (
    *(b"null", b"true", b"7", b"-1", b"1e999", b"NaN", b"9" * 5000, b'""', b'" "', b"[]", b"{}", b'[["x"]]', b"[null]"),
    *(b'{"a": {"b": []}}', b'"\\ud800"', b'"\\u0000"', b'"/etc/passwd"', b'"../../x.png"', b'"x\\u0000.png"', b"0.5"),
    *(b'"' + b"n" * 300 + b'.png"', b"[1, 2]", b'["", ""]', b"-9223372036854775809"),
)
_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|[^\s,"\[\]{}:]+')
_CODECS = ("utf-16", "utf-16-be", "utf-32", "gb18030", "latin-1", "cp1252", "utf-8-sig", "utf-7", "shift_jis")


def damaged(most: int = 3) -> st.SearchStrategy[tuple[tuple[str, ...], int]]:
    """The names of one to ``most`` damages that follow each other, and the seed by which each is drawn."""
    return st.tuples(st.lists(st.sampled_from(sorted(DAMAGES)), min_size=1, max_size=most).map(tuple), st.integers(0))


def apply(content: bytes, damages: tuple[str, ...], seed: int) -> bytes:
    drawn = random.Random(seed)
    for name in damages:
        content = DAMAGES[name](content, drawn)
    return content


def _place(content: bytes, drawn: random.Random) -> int:
    return drawn.randrange(len(content) + 1)


def _cut(content: bytes, drawn: random.Random) -> bytes:
    return content[: _place(content, drawn)]


def _beheaded(content: bytes, drawn: random.Random) -> bytes:
    return content[_place(content, drawn) :]


def _flipped(content: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(drawn.choice((1, 1, 4, 40))):
        if changed:
            changed[drawn.randrange(len(changed))] ^= 1 << drawn.randrange(8)
    return bytes(changed)


def _overwritten(content: bytes, drawn: random.Random) -> bytes:
    """Some bytes in a row become the least or the greatest number, or anything: lengths in heads of files lie."""
    start, length = _place(content, drawn), drawn.choice((1, 2, 4, 8))
    new = drawn.choice((b"\0", b"\xff", b"\x7f", bytes([drawn.randrange(256)]))) * length
    return content[:start] + new + content[start + length :]


def _inserted(content: bytes, drawn: random.Random) -> bytes:
    place = _place(content, drawn)
    return content[:place] + drawn.choice(_ODD) + content[place:]


def _without(content: bytes, drawn: random.Random) -> bytes:
    start, end = sorted((_place(content, drawn), _place(content, drawn)))
    return content[:start] + content[end:]


def _repeated(content: bytes, drawn: random.Random) -> bytes:
    start, end = sorted((_place(content, drawn), _place(content, drawn)))
    return content[:end] + content[start:end] * drawn.choice((1, 3)) + content[end:]


def _lines_shuffled(content: bytes, drawn: random.Random) -> bytes:
    lines = content.split(b"\n")
    drawn.shuffle(lines)
    return b"\n".join(lines)


def _columns_swapped(content: bytes, drawn: random.Random) -> bytes:
    mark = max((b"\t", b",", b" ", b";"), key=content.count)
    rows = [line.split(mark) for line in content.split(b"\n")]
    order = list(range(max(map(len, rows))))
    drawn.shuffle(order)
    every = drawn.random() < 0.5  # or each row as it likes
    shuffled = [[row[i] for i in order if i < len(row)] if every or drawn.random() < 0.3 else row for row in rows]
    return b"\n".join(mark.join(row) for row in shuffled)


def _column_lost(content: bytes, drawn: random.Random) -> bytes:
    mark = max((b"\t", b",", b" ", b";"), key=content.count)
    lost = drawn.randrange(1, 3)
    return b"\n".join(mark.join(line.split(mark)[lost:]) for line in content.split(b"\n"))


def _other_type(content: bytes, drawn: random.Random) -> bytes:
    """A few values become other values."""
    found = list(_VALUE.finditer(content[:100_000]))
    for match in sorted(drawn.sample(found, min(len(found), drawn.choice((1, 3)))), key=lambda m: -m.start()):
        content = content[: match.start()] + drawn.choice(_VALUES) + content[match.end() :]
    return content


def _other_encoding(content: bytes, drawn: random.Random) -> bytes:
    return content.decode("utf-8", "replace").encode(drawn.choice(_CODECS), "replace")


def _half_in_another(content: bytes, drawn: random.Random) -> bytes:
    place = _place(content, drawn)
    return content[:place] + _other_encoding(content[place:], drawn)


def _repacked(content: bytes, drawn: random.Random) -> bytes:
    """What was packed is unpacked, and the other way round."""
    if content[:2] == b"\x1f\x8b":
        try:
            return gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return content[10:]
    return drawn.choice((gzip.compress, zstandard.compress))(content)


def _damaged_within(content: bytes, drawn: random.Random) -> bytes:
    """What is packed is damaged before it is packed again: the packing is whole, and its content is not."""
    if content[:2] != b"\x1f\x8b":
        return _flipped(content, drawn)
    try:
        return gzip.compress(_other_type(_cut(gzip.decompress(content), drawn), drawn))
    except (OSError, EOFError, zlib.error):
        return content


def _parquet_types(content: bytes, drawn: random.Random) -> bytes:
    """A parquet file whose columns hold other types, other names, or each other's values."""
    try:
        table = pq.read_table(io.BytesIO(content))
    except Exception:  # noqa: BLE001 it is no such file, or is no longer one
        return _other_type(content, drawn)
    if table.num_columns == 0:
        return content
    which = drawn.randrange(table.num_columns)
    name = table.schema[which].name
    columns = {
        "numbers": pa.array(range(table.num_rows)),
        "nothing": pa.nulls(table.num_rows),
        "bytes": pa.array([b"\xff\0"] * table.num_rows),
        "lists": pa.array([[None, 1]] * table.num_rows),
        "objects": pa.array([{"x": None}] * table.num_rows),
        "times": pa.array([0] * table.num_rows, pa.timestamp("ns", tz="UTC")),
        "years": pa.array([2**52] * table.num_rows, pa.int64()).cast(pa.timestamp("s")),
        "texts": pa.array(["x"] * table.num_rows).dictionary_encode(),
        "maps": pa.array([[("a", 1)]] * table.num_rows, pa.map_(pa.string(), pa.int64())),
        "decimals": pa.array([1] * table.num_rows).cast(pa.decimal128(20)),
    }
    change = drawn.choice((*columns, "swapped", "twice", "unnamed", "lost"))
    if change in columns:
        table = table.set_column(which, name, columns[change])
    elif change == "swapped":
        table = table.rename_columns([*table.column_names[1:], table.column_names[0]])
    elif change == "twice":
        table = table.append_column(name, table.column(which))
    elif change == "unnamed":
        table = table.rename_columns(["" if i == which else other for i, other in enumerate(table.column_names)])
    else:
        table = table.remove_column(which)
    out = io.BytesIO()
    try:
        pq.write_table(table, out)
    except pa.ArrowException:  # what was read from a damaged file cannot always be written
        return content
    return out.getvalue()


DAMAGES: dict[str, Damage] = {
    damage.__name__.strip("_"): damage
    for damage in (
        *(_cut, _beheaded, _flipped, _overwritten, _inserted, _without, _repeated, _lines_shuffled, _columns_swapped),
        *(_column_lost, _other_type, _other_encoding, _half_in_another, _repacked, _damaged_within, _parquet_types),
    )
}
