"""Files made to hurt whoever reads them: code where data should be, little that becomes much, ways out of a folder."""

import io
import json
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

SECRET = "the secret words of another folder"


@dataclass(frozen=True)
class Scene:
    """Where a case takes place.

    Args:
        inside: the folder that the user has been given.
        outside: one that nobody gave: nothing may be written there, or read from it.
        model: a good model, to be copied and spoiled.
    """

    inside: Path
    outside: Path
    model: Path

    @property
    def canary(self) -> Path:
        """The file that exists when code was run."""
        return self.outside / "canary"

    def code(self) -> str:
        """Python that makes the canary."""
        return f"open({str(self.canary)!r}, 'w').close()\n"

    def spoiled(self, **contents: bytes | str | None) -> Path:
        """A copy of the model with other files in it, ``__`` for the dot; None takes one away."""
        folder = self.inside / "model"
        shutil.copytree(self.model, folder)
        for name, content in contents.items():
            file = folder / name.replace("__", ".")
            if content is None:
                file.unlink()
            else:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    def config(self, name: str = "config.json", **facts: Any) -> str:
        """A configuration of the model with other facts in it."""
        return json.dumps({**json.loads((self.model / name).read_text(encoding="utf-8")), **facts})


class _Payload:
    """What makes the canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.canary}'",)


def pickled(scene: Scene) -> bytes:
    return pickle.dumps(_Payload(scene.canary))


def checkpoint(scene: Scene) -> bytes:
    """As ``torch.save`` writes it."""
    out = io.BytesIO()
    torch.save({"weights": _Payload(scene.canary)}, out)
    return out.getvalue()


Make = Callable[[Scene], Path]


def case(of: dict[str, Make], name: str) -> Callable[[Make], Make]:
    """Put a function that makes a case among others, by its name."""

    def put(make: Make) -> Make:
        of[name] = make
        return make

    return put


def written(name: str, content: Callable[[Scene], bytes]) -> Make:
    """A case that is one file."""

    def make(scene: Scene) -> Path:
        (scene.inside / name).write_bytes(content(scene))
        return scene.inside / name

    return make


def array(scene: Scene) -> bytes:
    """One of objects, as numpy pickles them."""
    out = io.BytesIO()
    np.save(out, np.array([_Payload(scene.canary)], object), allow_pickle=True)
    return out.getvalue()


def zipped(content: bytes) -> bytes:
    """An archive as numpy has them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.npy", content)
    return out.getvalue()


def tar(*members: tuple[str, bytes], links: tuple[tuple[str, str, bytes], ...] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
        for name, target, kind in links:
            about = tarfile.TarInfo(name)
            about.type, about.linkname = kind, target
            tar.addfile(about)
    return out.getvalue()
