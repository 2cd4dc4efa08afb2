"""Little that becomes much when it is unpacked: all of it must be refused."""

import gzip
import struct
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.torture.hostile import Make, Scene, case, tar, written, zipped

BOMBS: dict[str, Make] = {}


def _zeros(count: int) -> bytes:
    """``count`` MiB of zeros, packed by gzip as one member."""
    packer, million = zlib.compressobj(9, wbits=31), bytes(1 << 20)
    return b"".join([*(packer.compress(million) for _ in range(count)), packer.flush()])


BOMBS["a bomb of an IDX file"] = written(
    "a-ubyte.gz", lambda s: gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, 1 << 20, 28, 28))[:-8] + _zeros(900)
)


BOMBS["a bomb of zip named .txt"] = written("a.txt", lambda s: zipped(bytes(300 << 20)))


BOMBS["a bomb of zip named .parquet"] = written("a.parquet", lambda s: zipped(bytes(1 << 20)))


BOMBS["a bomb of gzip: a line of NULs"] = written("a.txt.gz", lambda s: _zeros(300))


BOMBS["a bomb of gzip in JSON lines"] = written("a.jsonl.gz", lambda s: _zeros(300))


BOMBS["a bomb of zstd, its window of 128 MiB"] = written(
    "a.txt.zst",
    lambda s: zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    ).compress(bytes(300 << 20)),
)


BOMBS["a packed parquet file that is a bomb"] = written("a.parquet.gz", lambda s: _zeros(300))


BOMBS["a tar that is packed, a bomb"] = written("a.tar", lambda s: gzip.compress(tar(("a.png", bytes(100 << 20)))))


@case(BOMBS, "a string of 600 MB in a parquet file of 20 kB")
def _string(scene: Scene) -> Path:
    pq.write_table(pa.table({"text": ["x" * (600 << 20)]}), scene.inside / "a.parquet", compression="zstd")
    return scene.inside / "a.parquet"


@case(BOMBS, "a line of JSON of 60 MB in 60 kB")
def _long_line(scene: Scene) -> Path:
    (scene.inside / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "' + b"x" * (60 << 20)))
    return scene.inside / "a.jsonl.gz"


@case(BOMBS, "a line of JSON of 10 GB in 10 MB")
def _longer_line(scene: Scene) -> Path:
    (scene.inside / "a.jsonl.zst").write_bytes(zstandard.compress(b'{"text": "' + b"x" * (100 << 20)) * 100)
    return scene.inside / "a.jsonl.zst"


@case(BOMBS, "a line of JSON of a gigabyte of holes")
def _line(scene: Scene) -> Path:
    with (scene.inside / "a.jsonl").open("wb") as out:
        out.write(b'{"text": "')
        out.truncate(1 << 30)
    return scene.inside / "a.jsonl"
