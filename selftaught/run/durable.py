"""Files and folders that are the old ones or the new ones at every moment, even if the power goes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from selftaught.errors import saving


@contextmanager
def written_aside(place: Path) -> Iterator[Path]:
    """A folder to write into that becomes ``place`` only when everything in it is durable.

    Raises:
        SelftaughtError: if the disk is full or cannot be written; ``place`` is then as it was.
    """
    aside = place.with_name(place.name + ".partial")
    with saving(place):
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            yield aside
            for file in aside.rglob("*"):
                fsync(file)
            fsync(aside)
            _put_in_place(aside, place)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def _put_in_place(aside: Path, place: Path) -> None:
    """Rename a folder, durably, over what may stand there: a rename alone cannot replace a folder that holds files."""
    old = place.with_name(place.name + ".old.partial")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    aside.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    fsync(place.parent)


def replace_file(file: Path, text: str) -> None:
    """Write a file so that it is the old one or the new one at every moment."""
    aside = file.with_name(file.name + ".partial")
    with saving(file):
        aside.write_text(text, encoding="utf-8")
        fsync(aside)
        aside.replace(file)


def save_tensors(tensors: dict[str, Tensor], file: Path) -> None:
    """Write a safetensors file.

    Raises:
        OSError: if it cannot be written.
    """
    try:
        save_file(tensors, file)
    except SafetensorError as error:  # its own name for a full disk
        raise OSError(str(error)) from error


def fsync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
