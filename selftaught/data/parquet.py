"""Parquet: records in batches, its columns by name; a row's number stands for its line."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from selftaught.data.files import DataFile
from selftaught.data.records import Record
from selftaught.data.streams import MOST_TIMES, UNCOUNTED, Damaged, read_chunks

BATCH = 1024
BATCH_OF_BYTES = 64  # rows that hold files, all of which are in memory


def parquet_columns(file: DataFile) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        Damaged: this is no parquet file.
    """
    with _opened(file) as table:
        return tuple(table.schema_arrow.names)


def parquet_records(file: DataFile, columns: tuple[str, ...]) -> Iterator[Record]:
    """The rows with these columns; damage ends the file with a record that names it."""
    row = 0
    try:
        with _opened(file) as table:
            wanted = [field.type for field in table.schema_arrow if field.name in columns]
            size = BATCH_OF_BYTES if any(map(holds_bytes, wanted)) else BATCH
            for batch in table.iter_batches(size, columns=list(columns)):
                yield from _records(batch, row + 1)
                row += batch.num_rows
    except Damaged as damaged:
        yield Record(row + 1, {}, str(damaged))


def _records(batch: pa.RecordBatch, first: int) -> Iterator[Record]:
    try:
        for row, values in enumerate(batch.to_pylist(), first):
            yield Record(row, values)
    except (ValueError, OverflowError, pa.ArrowException) as error:  # no text, or a time of no calendar
        if batch.num_rows == 1:
            is_text = isinstance(error, UnicodeDecodeError)
            yield Record(first, {}, f"holds a {'string that is not UTF-8' if is_text else 'value that cannot be read'}")
            return
        for offset in range(batch.num_rows):
            yield from _records(batch.slice(offset, 1), first + offset)


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether values of a type are bytes, or have bytes among them as the pictures of the Hugging Face Hub do."""
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and holds_bytes(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _no_bomb(table: pq.ParquetFile) -> pq.ParquetFile:
    """The file, if no part of it becomes very much larger when it is unpacked, which is done at once."""
    about = table.metadata
    for group in range(about.num_row_groups):
        for column in range(about.num_columns):
            part = about.row_group(group).column(column)
            most = max(UNCOUNTED, MOST_TIMES * part.total_compressed_size)
            if part.total_uncompressed_size > most:
                raise ValueError(f"column {part.path_in_schema!r} unpacks to {part.total_uncompressed_size:,} bytes")
    return table


@contextmanager
def _opened(file: DataFile) -> Iterator[pq.ParquetFile]:
    """A parquet file is read from its end: a packed one is unpacked to a temporary file first."""
    try:
        if not file.packing:
            with pq.ParquetFile(file.path) as table:
                yield _no_bomb(table)
            return
        with tempfile.TemporaryFile() as unpacked:
            for number, chunk in enumerate(read_chunks(file)):
                if not number and not chunk.startswith(b"PAR1"):
                    raise Damaged("no parquet file, once it is unpacked")
                unpacked.write(chunk)
            with pq.ParquetFile(unpacked) as table:
                yield _no_bomb(table)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Damaged(f"no parquet file that can be read: {str(error).splitlines()[0]}") from None
