"""The bytes of a file, unpacked on the way, in pieces of bounded size."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from selftaught.data.files import DataFile

CHUNK = 1 << 20
SIP, SMALLEST_SIP = 1 << 10, 1 << 4  # a zstd block unpacks to 128 KiB at most, from four bytes: sips bound the memory
LARGEST_WINDOW = 1 << 26  # bytes that zstd may look back, and must hold; all but its --ultra levels need 8 MiB
MOST_TIMES, UNCOUNTED = 200, 1 << 25  # what becomes so many times as large, from so many bytes on, is a bomb
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
    gathered, damage, size = bytearray(), "", 0
    try:
        most = max(UNCOUNTED, MOST_TIMES * file.path.stat().st_size)
        for chunk in unpack(file.path):
            if (size := size + len(chunk)) > most and file.packing:
                damage = f"unpacks to more than {MOST_TIMES} times its size, and is read no further"
                break
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
    """Cuts after a line, or else after a space near the end, or else where no character of UTF-8 is cut."""
    end = (piece.rfind(b"\n") + 1) or (piece.rfind(b" ", len(piece) // 2) + 1) or len(piece)
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
        unpacker = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        frame = unpacker.decompressobj()
        inside, sip = False, SMALLEST_SIP  # inside a frame, that is
        while packed := stream.read(sip):
            large = False
            while packed:
                chunk = frame.decompress(packed)
                large |= len(chunk) > CHUNK
                yield chunk
                inside, packed = not frame.eof, frame.unused_data
                if frame.eof:
                    frame = unpacker.decompressobj()
            sip = max(SMALLEST_SIP, sip // 8) if large else min(SIP, 2 * sip)
        if inside:
            raise zstandard.ZstdError("it ends too early")
