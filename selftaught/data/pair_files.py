"""Pictures with words in files: a text beside each picture, in a folder or in tar shards."""

import json
import tarfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from selftaught.data.encoding import decode_line, detect, in_lines
from selftaught.data.files import printable
from selftaught.data.pair_item import PairItem
from selftaught.data.picture_decoding import SUFFIXES, decode, shape
from selftaught.data.picture_item import no_shape, refuse
from selftaught.data.tally import WHOLE_FILE
from selftaught.data.tars import TarProblem, member_problem, opened_tar
from selftaught.data.values import text_problem

CAPTION_SUFFIXES = (".txt", ".caption")
_JSON_KEYS = ("caption", "captions", "text")  # of the .json that img2dataset and others put beside a picture
_LARGEST_PICTURE = 1 << 28  # bytes
_LARGEST_TEXT = 1 << 20
_NO_TEXT = "has no caption: there is no .txt of its name beside it"
_NO_PICTURE = "is a caption without a picture of its name beside it"


def captions_in(content: bytes) -> tuple[tuple[str, ...], str]:
    """The different captions in a text file, one a line, and what is wrong with it."""
    encoding = detect([content])
    try:
        lines = b"".join(in_lines(iter([content]), encoding)).split(b"\n")
        texts = [" ".join(decode_line(line, encoding.line_codec).split()) for line in lines]
    except UnicodeDecodeError:
        return (), "has a caption that is no text in any known encoding"
    found = tuple(dict.fromkeys(filter(None, texts)))
    if why := next((why for text in found if (why := text_problem(text, "caption"))), ""):
        return (), f"has a caption that {why}"
    return found, "" if found else "has an empty caption"


def folder_pairs(pictures: Sequence[Path], root: Path, shown: str) -> Iterator[PairItem]:
    """Each picture with the text file beside it, and each text file that has no picture."""
    claimed = set()
    for file in pictures:
        name = printable(f"{shown}/{file.relative_to(root)}")
        beside = text_beside(file)
        claimed.add(beside)
        texts, why = _read(beside) if beside else ((), _NO_TEXT)
        load = partial(refuse, why) if why else partial(decode, file)
        yield PairItem(name, WHOLE_FILE, "", load, partial(shape, file), texts)
    folders = {file.parent for file in pictures}
    for folder in sorted(folders):
        for text in sorted(folder.iterdir()):
            if text.suffix.lower() in CAPTION_SUFFIXES and text not in claimed:
                yield _refused(printable(f"{shown}/{text.relative_to(root)}"), _NO_PICTURE)


def text_beside(picture: Path) -> Path | None:
    """The file of captions for a picture, if there is one."""
    return next((file for suffix in CAPTION_SUFFIXES if (file := picture.with_suffix(suffix)).is_file()), None)


def _read(file: Path) -> tuple[tuple[str, ...], str]:
    try:
        if file.stat().st_size > _LARGEST_TEXT:
            return (), f"has a caption file of {file.stat().st_size:,} bytes"
        return captions_in(file.read_bytes())
    except OSError as error:
        return (), f"has a caption file that cannot be read: {(error.strerror or str(error)).lower()}"


def shard_pairs(paths: Sequence[Path], names: Sequence[str]) -> Iterator[PairItem]:
    """Each key of tar files whose members follow each other, as WebDataset has them: ``0001.jpg``, ``0001.txt``."""
    for path, name in zip(paths, names, strict=True):
        try:
            with opened_tar(path) as shard:
                yield from _keys(shard, name)
        except TarProblem as problem:
            yield _refused(name, str(problem))


def _keys(shard: tarfile.TarFile, name: str) -> Iterator[PairItem]:
    group, current = dict[str, bytes](), ""
    for member in shard:
        key, _, suffix = member.name.rpartition(".")
        kind, place = f".{suffix.lower()}", f"{name}/{printable(member.name)}"
        if group and key != current:
            yield from _released(f"{name}/{printable(current)}", group)
            group = {}
        current = key
        if kind not in (*SUFFIXES, *CAPTION_SUFFIXES, ".json"):
            continue
        if why := member_problem(member, _LARGEST_PICTURE if kind in SUFFIXES else _LARGEST_TEXT):
            yield _refused(place, why)
        elif (file := shard.extractfile(member)) is not None:
            group[kind] = file.read()
    if group:
        yield from _released(f"{name}/{printable(current)}", group)


def _released(name: str, group: dict[str, bytes]) -> Iterator[PairItem]:
    """The pictures of a key, each with the captions that go with it."""
    found = next((captions_in(group[kind]) for kind in CAPTION_SUFFIXES if kind in group), None)
    texts, why = found or (_of_json(group[".json"]) if ".json" in group else ((), _NO_TEXT))
    pictures = [kind for kind in group if kind in SUFFIXES]
    if not pictures and found:
        yield _refused(name, _NO_PICTURE)
    for kind in pictures:
        content = group[kind]
        load = partial(refuse, why) if why else partial(decode, content)
        yield PairItem(name, WHOLE_FILE, "", load, partial(shape, content), texts)


def _of_json(content: bytes) -> tuple[tuple[str, ...], str]:
    try:
        facts = json.loads(content)
        value = next(facts[key] for key in _JSON_KEYS if key in facts)
    except (ValueError, TypeError, StopIteration, RecursionError):
        return (), "has no caption in its .json"
    parts = value if isinstance(value, list) else [value]
    texts = [" ".join(part.split()) for part in parts if isinstance(part, str)]
    found = tuple(dict.fromkeys(filter(None, texts)))
    return found, "" if found else "has an empty caption"


def _refused(name: str, why: str) -> PairItem:
    return PairItem(name, WHOLE_FILE, "", partial(refuse, why), no_shape)
