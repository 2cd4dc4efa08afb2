"""Clips from a folder of videos or of frames, a table of paths, tar shards, or this machine: before they are decoded.

A label is whatever the place of a clip says of it: the subfolder it lies in, or a column. Labels are for probes and
verdicts; pretraining never sees them.
"""

import os
import stat
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from selftaught.data.columns import label_by_name, named
from selftaught.data.files import KINDS, find_files, not_a_file, printable, split_suffix, walk
from selftaught.data.gather import opened
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.picture_item import fingerprint
from selftaught.data.tally import WHOLE_FILE
from selftaught.data.tars import TarProblem, member_problem, opened_tar
from selftaught.data.values import label_list
from selftaught.data.video_builtin import BUILTIN, BUILTIN_VIDEOS, builtin_videos
from selftaught.data.video_decoding import SUFFIXES, decode, facts
from selftaught.data.video_frames import frame_folders, frame_items, look_like_clips
from selftaught.data.video_item import VideoItem, VideoSource, no_facts, refuse
from selftaught.errors import SelftaughtError

_LARGEST_MEMBER, _LARGEST_LABEL = 1 << 30, 1000  # bytes of a video in a tar shard, and of its label
_LOOKED_AT = 1_000  # files of a folder, to see what it holds
_GIFS = 20  # of them, opened to see whether they move


def open_videos(data: str, *, clip: str | None = None, label: str | None = None) -> VideoSource:
    """The clips of a folder of videos (in subfolders, which are labels, or not), a folder of folders of numbered
    pictures, a table of paths (.csv, .tsv, .jsonl, .parquet), tar files, one video, or ``builtin:NAME``.

    Args:
        clip: the column of paths, where there are columns.
        label: the column of labels.

    Raises:
        SelftaughtError: if there is nothing of the kind.
    """
    if data.startswith(BUILTIN):
        return builtin_videos(data.removeprefix(BUILTIN))
    path = _place(data)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        find_files(path, data)  # says what is wrong, and what may be meant
        raise
    if is_folder:
        return _folder(path, data)
    if path.suffix.lower() == ".tar":
        return _shards([path], data)
    if split_suffix(path.name)[0] in KINDS:
        return _table(path, data, clip, label)
    return _files([path], path.parent, data)


def holds_videos(data: str) -> bool:
    """Whether DATA is clips rather than pictures or text."""
    if data.startswith(BUILTIN):
        return data.removeprefix(BUILTIN) in BUILTIN_VIDEOS
    path = _place(data)
    if path.is_dir():
        files = [file for file, _ in zip(walk(path), range(_LOOKED_AT), strict=False)]
        moving = sum(map(_is_video, files))
        return 2 * moving > len(files) or (not moving and look_like_clips(frame_folders(files)))
    if not path.is_file():
        return False
    return _names_clips(path, data) if split_suffix(path.name)[0] in KINDS else _is_video(path)


def _place(data: str) -> Path:
    """Where the data is on this machine; that of the Hub is fetched first."""
    if data.startswith(HUB):
        return hub_folder(data.removeprefix(HUB), (*KINDS, *SUFFIXES, ".tar"))
    return Path(data)


def _is_video(file: Path) -> bool:
    """By its suffix; a .gif by whether it moves, a tar file by its first video or picture."""
    suffix = file.suffix.lower()
    if suffix == ".tar":
        return _is_shard(file)
    return suffix in SUFFIXES and (suffix != ".gif" or _moves(file))


def _moves(file: Path) -> bool:
    from PIL import Image

    if not_a_file(file):
        return False
    try:
        with Image.open(file, formats=("GIF",)) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # noqa: BLE001 a broken file moves no one
        return False


def _is_shard(file: Path) -> bool:
    try:
        with opened_tar(file) as shard:
            names = (member.name.lower() for member, _ in zip(shard, range(_GIFS), strict=False))
            return any(name.endswith(SUFFIXES) and not name.endswith(".gif") for name in names)
    except TarProblem:
        return False


def _names_clips(path: Path, data: str) -> bool:
    """Whether a table has a column of paths to videos."""
    try:
        records, sample = opened(find_files(path, data).files[0])
    except SelftaughtError:
        return False
    return any(_names_videos(column, sample) for column in records.columns)


def _folder(path: Path, data: str) -> VideoSource:
    files = list(walk(path))
    videos = [file for file in files if file.suffix.lower() in SUFFIXES]
    shards = [file for file in files if file.suffix.lower() == ".tar"]
    if shards and not videos:
        return _shards(shards, data)
    if videos:
        return _files(videos, path, data)
    if folders := frame_folders(files):
        return _frames(folders, path, data)
    raise SelftaughtError(
        f"there are no videos in {printable(data)!r}",
        do=f"clips are read from {' '.join(SUFFIXES)}, .tar, folders of numbered pictures, and tables of paths",
    )


def _files(files: list[Path], root: Path, data: str) -> VideoSource:
    """Videos below a folder; where they all lie in subfolders of one place, those are labels."""
    shown = data.rstrip("/") or data
    base = Path(os.path.commonpath([file.parent for file in files]))
    labelled = _in_subfolders(files, base)

    def items() -> Iterator[VideoItem]:
        for file in files:
            name = printable(data if file == Path(data) else f"{shown}/{file.relative_to(root)}")
            label = printable(file.relative_to(base).parts[0]) if labelled else ""
            yield VideoItem(name, WHOLE_FILE, label, partial(decode, file), partial(facts, file))

    kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(f.suffix.lower() for f in files).most_common(3))
    return VideoSource(f"{len(files):,} clips: {kinds}{_said(files, base, labelled)}", fingerprint(files), items)


def _frames(folders: dict[Path, list[Path]], root: Path, data: str) -> VideoSource:
    places = list(folders)
    base = Path(os.path.commonpath([place.parent for place in places])) if places != [root] else root
    labelled = places != [root] and _in_subfolders(places, base)
    items = partial(frame_items, folders, root, data.rstrip("/") or data, base if labelled else None)
    every = [file for files in folders.values() for file in files]
    doubt = "" if look_like_clips(folders) else ", though they do not follow each other as frames do"
    said = f"{len(folders):,} folders of {len(every):,} numbered pictures, a clip each{doubt}"
    return VideoSource(said + _said(places, base, labelled), fingerprint(every), items)


def _in_subfolders(files: list[Path], base: Path) -> bool:
    parts = [file.relative_to(base).parts for file in files]
    return all(len(one) > 1 for one in parts) and len({one[0] for one in parts}) > 1


def _said(files: list[Path], base: Path, labelled: bool) -> str:
    folders = {file.relative_to(base).parts[0] for file in files} if labelled else ()
    return f"; {len(folders)} subfolders, taken for labels" if labelled else ""


def _table(path: Path, data: str, clip: str | None, label: str | None) -> VideoSource:
    """Paths in a column, from the folder of the table on."""
    file = find_files(path, data).files[0]
    records, sample = opened(file)
    columns = list(records.columns)
    column = named(clip, columns, file.name) if clip else next((c for c in columns if _names_videos(c, sample)), "")
    if not column:
        raise SelftaughtError(
            f"no column names videos; the columns are {', '.join(columns) or 'none'}",
            where=file.name,
            do="put the paths of videos into a column",
        )
    about = named(label, columns, file.name) if label else label_by_name([c for c in columns if c != column])

    def items() -> Iterator[VideoItem]:
        for record in records.records(*((column, about) if about else (column,))):
            given, told = str(record.values.get(column) or ""), record.values.get(about) if about else None
            said = "" if told is None else label_list(told) if isinstance(told, list) else str(told).strip()
            place = path.parent / given
            why = record.why or _missing(place, given)
            load = partial(refuse, why) if why else partial(decode, place)
            yield VideoItem(
                file.name, record.line, said, load, partial(no_facts, why) if why else partial(facts, place)
            )

    said = f", labels in {about!r}" if about else ""
    return VideoSource(f"{file.name}: paths in {column!r}{said}", fingerprint([path]), items)


def _names_videos(column: str, sample: list[dict[str, object]]) -> bool:
    values = [str(row.get(column) or "") for row in sample]
    return bool(values) and sum(value.lower().endswith(SUFFIXES) for value in values) > len(values) / 2


def _missing(place: Path, given: str) -> str:
    """Why a place that a table names cannot be read; empty if it is there."""
    if not given:
        return "names no video"
    return "" if os.path.isfile(place) else f"names {printable(given)!r}, which is not there"


def _shards(paths: list[Path], data: str) -> VideoSource:
    """Tar files of videos, each perhaps with its label beside it: ``0001.mp4`` and ``0001.cls``."""

    def items() -> Iterator[VideoItem]:
        for path in paths:
            name = printable(data if path == Path(data) else f"{data.rstrip('/')}/{path.name}")
            try:
                with opened_tar(path) as shard:
                    yield from _members(shard, name)
            except TarProblem as problem:
                yield VideoItem(name, WHOLE_FILE, "", partial(refuse, str(problem)), partial(no_facts, str(problem)))

    size = sum(path.stat().st_size for path in paths)
    return VideoSource(f"{len(paths):,} tar files, {size / 1e6:.1f} MB", fingerprint(paths), items)


def _members(shard: tarfile.TarFile, name: str) -> Iterator[VideoItem]:
    members = list(shard)
    labels = {
        m.name.rpartition(".")[0]: m
        for m in members
        if m.name.lower().endswith((".cls", ".label")) and not member_problem(m, _LARGEST_LABEL)
    }
    for member in members:
        key, _, suffix = member.name.rpartition(".")
        if f".{suffix.lower()}" not in SUFFIXES:
            continue
        place = f"{name}/{printable(member.name)}"
        if why := member_problem(member, _LARGEST_MEMBER):
            yield VideoItem(place, WHOLE_FILE, "", partial(refuse, why), partial(no_facts, why))
            continue
        content, about = shard.extractfile(member), shard.extractfile(labels[key]) if key in labels else None
        read = content.read() if content else b""
        said = about.read().decode("utf-8", "replace").strip() if about else ""
        yield VideoItem(place, WHOLE_FILE, said, partial(decode, read), partial(facts, read))
