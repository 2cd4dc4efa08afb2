"""Whether a file is text at all, and in which encoding: a picture named .txt is refused by name."""

from selftaught.data.encoding import Encoding, detect
from selftaught.data.files import DataFile
from selftaught.data.streams import Damaged, samples

SIGNATURES = {
    b"\x1f\x8b": "gzip data (name it .gz)",
    b"\x28\xb5\x2f\xfd": "zstd data (name it .zst)",
    b"PAR1": "a parquet file (name it .parquet)",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or an office document",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ\x00": "xz data",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x7fELF": "a program",
    b"SQLite format 3\x00": "a database",
}
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\v\x1b\x00"))
MOST_CONTROL = 0.05


def text_encoding(file: DataFile) -> Encoding:
    """The encoding of a text file.

    Raises:
        Damaged: the file cannot be read, or what it holds is not text.
    """
    pieces = samples(file)
    for signature, what in SIGNATURES.items():
        if pieces[0].startswith(signature):
            raise Damaged(f"{what}, not text")
    encoding = detect(pieces)
    if encoding.line_codec == encoding.codec and _is_binary(b"".join(pieces)):
        raise Damaged("binary data, not text")
    return encoding


def _is_binary(sample: bytes) -> bool:
    controls = len(sample) - len(sample.translate(None, CONTROL))
    zeros = sample.count(0)
    return controls > MOST_CONTROL * len(sample) or zeros > 0.3 * len(sample)
