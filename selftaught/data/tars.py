"""Tar files, read member by member: nothing is unpacked, no link is followed, and nothing is larger than on disk."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selftaught.data.files import not_a_file


class TarProblem(Exception):
    """Why a tar file cannot be read to its end, as a sentence without its name."""


@contextmanager
def opened_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar file that is not compressed: what is in it takes as many bytes as it has.

    Raises:
        TarProblem: it cannot be read, or not to its end.
    """
    if why := not_a_file(path):
        raise TarProblem(why)
    try:
        with tarfile.open(path, "r:") as shard:
            yield shard
    except (OSError, EOFError, ValueError, OverflowError, tarfile.TarError) as error:
        raise TarProblem(f"cannot be read to its end: {error}") from None


def member_problem(member: tarfile.TarInfo, most: int) -> str:
    """Why a member is not read; empty if it is a file of at most so many bytes."""
    if not member.isfile():
        return "is a link or no file"
    if member.issparse():
        return "is a file with holes"  # a few bytes that would become as many as its head likes
    return f"has {member.size:,} bytes" if member.size > most else ""
