"""What the runs that are tortured learn from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def write_texts(folder: Path, texts: Sequence[str], files: int = 20) -> Path:
    for i in range(files):
        (folder / f"{i}.md").write_text("\n".join(f"{text} {i}" for text in texts), encoding="utf-8")
    return folder


def write_pictures(folder: Path, count: int = 48, side: int = 16) -> Path:
    """Pictures, each of other colours, with a caption beside each."""
    drawn = np.random.default_rng(0)
    for i in range(count):
        coarse = drawn.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse.repeat(side // 4, 0).repeat(side // 4, 1)).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text(f"colours number {i} of {i % 7} kinds", encoding="utf-8")
    return folder


def write_array(folder: Path, count: int, side: int) -> Path:
    """Pictures of noise in one file."""
    file = folder / "some.npy"
    np.save(file, np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8))
    return file
