"""Where files lie: a local folder, or a folder behind a URL that fsspec knows; a file is there whole or not at all."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from selftaught.errors import SelftaughtError, saving


def is_url(name: str) -> bool:
    """``s3://bucket/x`` is one; ``builtin:docs`` and ``hf:NAME`` are names of data."""
    return "://" in name


@dataclass(frozen=True)
class Place:
    """A folder.

    Args:
        url: a local path, or a URL such as ``s3://bucket/folder``.
    """

    url: str

    @property
    def local(self) -> Path | None:
        """The folder, if it is on this machine."""
        if self.url.startswith("file://"):
            return Path(self.url.removeprefix("file://"))
        return None if is_url(self.url) else Path(self.url)

    def names(self) -> list[str]:
        """What lies in the folder, sorted; nothing if there is no folder."""
        if (folder := self.local) is not None:
            return sorted(os.listdir(folder)) if folder.is_dir() else []
        files, root = _filesystem(self.url)
        with _reached(self.url):
            found = files.ls(root, detail=False, refresh=True) if files.isdir(root) else []
        return sorted(name.rstrip("/").rpartition("/")[2] for name in found)

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None if there is none."""
        try:
            if (folder := self.local) is not None:
                return (folder / name).read_bytes()
            files, root = _filesystem(self.url)
            with _reached(self.url):
                return files.cat_file(f"{root}/{name}")
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> str:
        """Put a small file there; its SHA-256."""
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "file")
            file.write_bytes(content)
            return self.put(file, name)

    def put(self, file: Path, name: str) -> str:
        """Copy a local file there: aside, made durable, and renamed; stores behind URLs do as much. Its SHA-256."""
        with file.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if (folder := self.local) is None:
            files, root = _filesystem(self.url)
            with _reached(self.url):
                files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
                files.put_file(str(file), f"{root}/{name}")
            return digest
        target = folder / name
        with saving(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_name(f".{target.name}.{os.getpid()}.partial")
            shutil.copyfile(file, aside)
            with aside.open("rb") as handle:
                os.fsync(handle.fileno())
            aside.rename(target)
        return digest

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """A file of this place as a local one; a copy, if the place is far away."""
        if (folder := self.local) is not None:
            yield folder / name
            return
        files, root = _filesystem(self.url)
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch, name.rpartition("/")[2])
            with _reached(self.url):
                files.get_file(f"{root}/{name}", str(copy))
            yield copy

    def holds(self, name: str, sha256: str) -> bool:
        """Whether a file is there and has this SHA-256."""
        try:
            with self.fetched(name) as file, file.open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def remove(self, name: str) -> None:
        """A file, or a folder with all that is in it."""
        if (folder := self.local) is not None:
            target = folder / name
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            return
        files, root = _filesystem(self.url)
        with _reached(self.url):
            if files.exists(f"{root}/{name}"):
                files.rm(f"{root}/{name}", recursive=True)

    def sizes(self) -> dict[str, tuple[int, str]]:
        """Every file below the folder, or the one file that it is, by URL: its bytes, and what tells its version."""
        files, root = _filesystem(self.url)
        with _reached(self.url):
            found: dict[str, dict[str, Any]] = files.find(root, detail=True)
        if not found:
            raise SelftaughtError("there is no file", where=self.url, do="check the URL")
        return {
            str(files.unstrip_protocol(name)): (
                int(info.get("size") or 0),
                str(info.get("ETag") or info.get("mtime", "")),
            )
            for name, info in sorted(found.items())
        }

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold a local folder against a second writer; the lock goes with the process, however it ends."""
        if (folder := self.local) is None:
            yield
            return
        with saving(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle = (folder / ".lock").open("a")
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SelftaughtError(
                    "another process is preparing this corpus",
                    where=str(folder),
                    do="wait until it ends, or choose another --out",
                ) from None
            yield


@cache
def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec  # slow to load, and needed only for URLs

    with _reached(url):
        files, root = fsspec.core.url_to_fs(url)
    return files, root.rstrip("/")


@contextmanager
def _reached(url: str) -> Iterator[None]:
    """What goes wrong on the way to a URL, as the user meets it; a file that is not there is for the caller."""
    try:
        yield
    except FileNotFoundError:
        raise
    except ImportError as error:
        raise SelftaughtError(
            f"{url.partition('://')[0]}:// cannot be read: {error}", do="install it with pip"
        ) from None
    except Exception as error:
        raise SelftaughtError(f"the store cannot be reached: {type(error).__name__}: {error}", where=url) from error
