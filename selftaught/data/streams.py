"""The bytes of a file, unpacked on the way, in pieces of bounded size."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from selftaught.data.files import DataFile

CHUNK = 1 << 20
ZSTD_INPUT = 1 << 10  # a zstd block unpacks to at most 128 KiB, from a few bytes: small sips bound the memory
SAMPLES = 16
SAMPLE = 1 << 16


class Damaged(Exception):
    """The rest of a stream cannot be read; what came before it was handed out."""


def read_chunks(file: DataFile) -> Iterator[bytes]:
    """The unpacked bytes, about 1 MiB at a time.

    Raises:
        Damaged: after all bytes that could be read.
    """
    unpack = {"": _plain, ".gz": _gzip, ".zst": _zstd}[file.packing]
    gathered, damage = bytearray(), ""
    try:
        for chunk in unpack(file.path):
            gathered += chunk
            if len(gathered) >= CHUNK:
                yield bytes(gathered)
                gathered.clear()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        damage = f"the gzip data is damaged from here on: {error}"
    except zstandard.ZstdError as error:
        damage = f"the zstd data is damaged from here on: {error}"
    except OSError as error:
        damage = f"cannot be read from here on: {(error.strerror or str(error)).lower()}"
    if gathered:
        yield bytes(gathered)
    if damage:
        raise Damaged(damage)


def samples(file: DataFile) -> list[bytes]:
    """The beginning of the file and, where one can seek, pieces of whole lines spread over the rest of it.

    Raises:
        Damaged: not one byte can be read.
    """
    if file.packing:
        return [_first_bytes(read_chunks(file), SAMPLES * SAMPLE)]
    try:
        size = file.path.stat().st_size
        with file.path.open("rb") as stream:
            if size <= SAMPLES * SAMPLE:
                return [stream.read()]
            pieces = [_until_last_line_end(stream.read(SAMPLE))]
            for part in range(1, SAMPLES):
                stream.seek(size * part // SAMPLES)
                piece = stream.read(SAMPLE)
                pieces.append(piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1])
            return pieces
    except OSError as error:
        raise Damaged(f"cannot be read: {(error.strerror or str(error)).lower()}") from None


def _until_last_line_end(piece: bytes) -> bytes:
    """Cuts after a line, or else after a space, or else where no character of UTF-8 is cut."""
    end = (piece.rfind(b"\n") + 1) or (piece.rfind(b" ") + 1) or len(piece)
    while end == len(piece) and 0x80 <= piece[-1] < 0xC0:
        piece, end = piece[:-1], end - 1
    return piece[:end] if piece[end - 1] < 0xC0 else piece[: end - 1]


def _first_bytes(chunks: Iterator[bytes], count: int) -> bytes:
    first = bytearray()
    try:
        for chunk in chunks:
            first += chunk
            if len(first) >= count:
                break
    except Damaged:
        if not first:
            raise
    return bytes(first[:count])


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _gzip(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as stream:
        while chunk := stream.read1(CHUNK):  # read() would lose what precedes the damage
            yield chunk


def _zstd(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        frame = zstandard.ZstdDecompressor().decompressobj()
        inside = False  # a frame, that is
        while packed := stream.read(ZSTD_INPUT):
            while packed:
                yield frame.decompress(packed)
                inside, packed = not frame.eof, frame.unused_data
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
        if inside:
            raise zstandard.ZstdError("it ends too early")
