"""Pictures in tar files whose members share a key, as WebDataset has them: ``0001.jpg``, and perhaps ``0001.cls``."""

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from selftaught.data.files import printable
from selftaught.data.picture_decoding import SUFFIXES, decode, shape
from selftaught.data.picture_item import PictureItem, PictureSource, fingerprint, no_shape, refuse
from selftaught.data.tally import WHOLE_FILE

_LARGEST_MEMBER = 1 << 28  # bytes of a picture


def shard_source(paths: list[Path], data: str) -> PictureSource:
    """The pictures of tar files; nothing is unpacked."""

    def items() -> Iterator[PictureItem]:
        for path in paths:
            name = printable(data if path == Path(data) else f"{data.rstrip('/')}/{path.name}")
            try:
                with tarfile.open(path) as shard:
                    yield from _members(shard, name)
            except (OSError, tarfile.TarError) as error:
                yield PictureItem(
                    name, WHOLE_FILE, "", partial(refuse, f"cannot be read to its end: {error}"), no_shape
                )

    size = sum(path.stat().st_size for path in paths)
    return PictureSource(f"{len(paths):,} tar files, {size / 1e6:.1f} MB", fingerprint(paths), items)


def _members(shard: tarfile.TarFile, name: str) -> Iterator[PictureItem]:
    waiting: dict[str, bytes] = {}
    labels: dict[str, str] = {}

    def released(key: str) -> PictureItem:
        content = waiting.pop(key)
        file = f"{name}/{printable(key)}"
        return PictureItem(file, WHOLE_FILE, labels.pop(key, ""), partial(decode, content), partial(shape, content))

    for member in shard:
        key, _, suffix = member.name.rpartition(".")
        if not member.isfile():
            continue
        for other in [other for other in waiting if other != key]:
            yield released(other)
        if f".{suffix.lower()}" in SUFFIXES:
            if member.size > _LARGEST_MEMBER:
                too_large = partial(refuse, f"has {member.size:,} bytes")
                yield PictureItem(f"{name}/{printable(member.name)}", WHOLE_FILE, "", too_large, no_shape)
            elif (file := shard.extractfile(member)) is not None:
                waiting[key] = file.read()
        elif suffix.lower() in ("cls", "label") and member.size < 1000 and (file := shard.extractfile(member)):
            labels[key] = file.read().decode("utf-8", "replace").strip()
    for key in list(waiting):
        yield released(key)
