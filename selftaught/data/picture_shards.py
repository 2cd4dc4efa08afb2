"""Pictures in tar files whose members share a key, as WebDataset has them: ``0001.jpg``, and perhaps ``0001.cls``."""

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from selftaught.data.files import printable
from selftaught.data.picture_decoding import SUFFIXES, decode, shape
from selftaught.data.picture_item import PictureItem, PictureSource, fingerprint, no_shape, refuse
from selftaught.data.tally import WHOLE_FILE
from selftaught.data.tars import TarProblem, member_problem, opened_tar

_LARGEST_MEMBER, _LARGEST_LABEL = 1 << 28, 1000  # bytes


def shard_source(paths: list[Path], data: str) -> PictureSource:
    """The pictures of tar files; nothing is unpacked."""

    def items() -> Iterator[PictureItem]:
        for path in paths:
            name = printable(data if path == Path(data) else f"{data.rstrip('/')}/{path.name}")
            try:
                with opened_tar(path) as shard:
                    yield from _members(shard, name)
            except TarProblem as problem:
                yield PictureItem(name, WHOLE_FILE, "", partial(refuse, str(problem)), no_shape)

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
        kind, is_label = f".{suffix.lower()}", suffix.lower() in ("cls", "label")
        if kind not in SUFFIXES and not is_label:
            continue
        for other in [other for other in waiting if other != key]:
            yield released(other)
        why = member_problem(member, _LARGEST_LABEL if is_label else _LARGEST_MEMBER)
        file = None if why else shard.extractfile(member)
        if file is not None and is_label:
            labels[key] = file.read().decode("utf-8", "replace").strip()
        elif file is not None:
            waiting[key] = file.read()
        elif not is_label:
            yield PictureItem(f"{name}/{printable(member.name)}", WHOLE_FILE, "", partial(refuse, why), no_shape)
    for key in list(waiting):
        yield released(key)
