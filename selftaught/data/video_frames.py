"""Clips as folders of numbered pictures, a frame each, as ``ffmpeg -i clip.mp4 frames/%04d.png`` leaves them."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from selftaught.data.files import printable
from selftaught.data.picture_decoding import SUFFIXES, PictureProblem, decode, shape
from selftaught.data.tally import WHOLE_FILE
from selftaught.data.video_decoding import MOST_FRAMES
from selftaught.data.video_item import VideoFacts, VideoItem, VideoProblem

_FRAMES = tuple(suffix for suffix in SUFFIXES if suffix != ".gif")
_NUMBER = re.compile(r"(\d+)\D*$")
_LOOKED_AT = 5  # folders, to see whether pictures are frames
_COMPARED = 16  # pixels a side
_STEADY = 0.7  # frames that follow each other differ by less than this share of what frames far apart do


def is_frame(file: Path) -> bool:
    """Whether its name is that of a numbered picture."""
    return file.suffix.lower() in _FRAMES and _NUMBER.search(file.stem) is not None


def frame_folders(files: list[Path]) -> dict[Path, list[Path]]:
    """The folders with at least two numbered pictures among ``files``, each with them in order."""
    found: dict[Path, list[Path]] = {}
    for file in files:
        if is_frame(file):
            found.setdefault(file.parent, []).append(file)
    return {folder: sorted(some, key=_number) for folder, some in found.items() if len(some) > 1}


def look_like_clips(folders: dict[Path, list[Path]]) -> bool:
    """Whether numbered pictures follow each other as frames do: steps are small, and far apart they differ more."""
    near, far = [], []
    for files in list(folders.values())[:_LOOKED_AT]:
        half = len(files) // 2
        try:
            first, second, other = (decode(files[i], _COMPARED).astype(np.float32) for i in (0, 1, half or 1))
        except (PictureProblem, OSError):
            continue
        near.append(float(np.abs(first - second).mean()))
        far.append(float(np.abs(first - other).mean()))
    return sum(near) < _STEADY * sum(far)


def frame_items(
    folders: dict[Path, list[Path]], root: Path, shown: str, labels_below: Path | None
) -> Iterator[VideoItem]:
    """Each folder as a clip. What rate its frames had is not known: they are taken as they are.

    Args:
        shown: what the user calls ``root``.
        labels_below: the folder whose subfolders are labels, if they are.
    """
    for folder, files in folders.items():
        name = printable(shown if folder == root else f"{shown}/{folder.relative_to(root)}")
        label = printable(folder.relative_to(labels_below).parts[0]) if labels_below else ""
        yield VideoItem(name, WHOLE_FILE, label, partial(_load, files), partial(_facts, files))


def _load(files: list[Path], size: int, rate: float) -> np.ndarray:
    frames = []
    for file in files[:MOST_FRAMES]:
        try:
            frames.append(decode(file, size))
        except PictureProblem as problem:
            raise VideoProblem(f"{printable(file.name)} {problem}") from None
    return np.stack(frames)


def _facts(files: list[Path]) -> VideoFacts:
    width, height = shape(files[0])
    if not width:
        raise VideoProblem(f"{printable(files[0].name)} is no picture that can be read")
    return VideoFacts(width, height, 0.0, 0.0)


def _number(file: Path) -> tuple[int, str]:
    found = _NUMBER.search(file.stem)
    return int(found.group(1)) if found else 0, file.name
