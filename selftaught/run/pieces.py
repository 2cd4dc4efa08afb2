"""A checkpoint's tensors in safetensors files, whole or in pieces: each rank writes its rows and where they lie.

Whoever reads them takes the rows it needs from whichever files have them. So a run goes on from the same state, to the
bit, on any number of ranks, each with all weights or with its share.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from selftaught.ranks import leads, place, world

PARTS = ("learner", "optimizer")
_PLACES = "pieces"
_SHARD = re.compile(r"(\w+)-(\d+)-of-(\d+)\.safetensors")


@dataclass(frozen=True)
class Piece:
    """Rows of a tensor.

    Args:
        rows: what this process has of it.
        begin: the first one's number in the whole.
        shape: of the whole.
    """

    rows: Tensor
    begin: int
    shape: tuple[int, ...]

    def copied(self) -> "Piece":
        """With rows that training does not change any more, in main memory."""
        return replace(self, rows=self.rows.to("cpu", copy=True).contiguous())


def piece_of(tensor: Tensor) -> Piece:
    """What this process has of a tensor: all of it, unless it is sharded."""
    rows, begin = _own(tensor.detach())
    return Piece(rows, begin, tuple(tensor.shape))


def is_sharded(module: nn.Module) -> bool:
    """Whether each process has only its part of the weights."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def own_file(part: str, sharded: bool) -> str:
    """The file in which this process writes what it has of the ``part``."""
    return f"{part}-{place() + 1}-of-{world()}.safetensors" if sharded else f"{part}.safetensors"


def files_of(part: str, names: Iterable[str]) -> list[str] | None:
    """Of the files of a checkpoint those that make up the ``part``; None if one is missing."""
    names = set(names)
    if f"{part}.safetensors" in names:
        return [f"{part}.safetensors"]
    counts = {int(found[3]) for name in names if (found := _SHARD.fullmatch(name)) and found[1] == part}
    wanted = [
        f"{part}-{number}-of-{max(counts, default=1)}.safetensors" for number in range(1, max(counts, default=1) + 1)
    ]
    return wanted if names.issuperset(wanted) else None


def save_pieces(pieces: Mapping[str, Piece], file: Path, *, sharded: bool) -> None:
    """Write them; what is whole in every process is written by the one that leads."""
    if sharded:
        parted = {name: one for name, one in pieces.items() if one.rows.shape != one.shape}
        pieces = pieces if leads() else {name: one for name, one in parted.items() if one.rows.numel()}
    places = (
        {_PLACES: json.dumps({name: [pieces[name].begin, *pieces[name].shape] for name in sorted(pieces)})}
        if sharded
        else None
    )
    try:
        save_file({name: one.rows.contiguous() for name, one in pieces.items()}, file, places)
    except SafetensorError as error:  # its own name for a full disk
        raise OSError(str(error)) from error


class Pieces:
    """The tensors of some files, by name.

    Args:
        files: that together hold all of each.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._at: dict[str, list[tuple[Any, int, int]]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for file in files:
            reader: Any = safe_open(file, "pt")
            places = json.loads((reader.metadata() or {}).get(_PLACES, "{}"))
            for name in reader.keys():  # noqa: SIM118 a file is no dictionary
                shape = tuple(reader.get_slice(name).get_shape())
                begin, *whole = places.get(name, [0, *shape])
                self.shapes[name] = tuple(whole)
                self._at.setdefault(name, []).append((reader, begin, shape[0] if shape else 1))

    def whole(self, name: str) -> Tensor:
        """All of a tensor."""
        shape = self.shapes[name]
        return self._rows(name, 0, shape[0]) if shape else self._at[name][0][0].get_tensor(name)

    def fill(self, name: str, target: Tensor) -> None:
        """Copy a tensor into ``target``, or into what this process has of it."""
        rows, begin = _own(target.detach())
        if not self.shapes[name]:
            rows.copy_(self.whole(name))
        elif rows.numel():
            rows.copy_(self._rows(name, begin, begin + len(rows)))

    def _rows(self, name: str, begin: int, end: int) -> Tensor:
        found = [
            reader.get_slice(name)[max(begin - first, 0) : min(end - first, count)]
            for reader, first, count in sorted(self._at[name], key=lambda one: one[1])
            if first < end and begin < first + count
        ]
        return torch.cat(found) if len(found) != 1 else found[0]


def _own(tensor: Tensor) -> tuple[Tensor, int]:
    """This process' rows of a tensor, and the number of the first."""
    if not isinstance(tensor, DTensor):
        return tensor, 0
    rows = len(tensor)
    return tensor.to_local(), min(rows, place() * math.ceil(rows / world()))
