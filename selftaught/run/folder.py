"""The run folder: what was asked, the model, and checkpoints that survive a kill at any moment.

    RUN/recipe.yaml                                what was asked, resolved
    RUN/model/                                     a transformers folder
    RUN/heads.safetensors                          the objective's parts that transformers does not know
    RUN/checkpoints/step-000000500/…               weights, optimizer moments, progress, MANIFEST.json
    RUN/metrics.jsonl, report.json, report.md, curve.png, README.md
    RUN/.lock                                      one writer at a time

A checkpoint is written aside, made durable, and renamed into place; it exists whole or not at all. Where each rank has
its part of the weights, each writes it. Its manifest
holds the SHA-256 of every file, so that a damaged one is noticed, named, and passed over for the one before.
"""

import copy
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from selftaught.data.files import read_json
from selftaught.data.store import sha256_of
from selftaught.errors import SelftaughtError, saving
from selftaught.loop import Progress
from selftaught.ranks import leads, told
from selftaught.run.durable import fsync, save_tensors, written_aside
from selftaught.run.pieces import PARTS, Piece, Pieces, files_of, is_sharded, own_file, piece_of, save_pieces
from selftaught.run.saver import Saver
from selftaught.run.state import learner_tensors, optimizer_state, restore_from, restore_optimizer

KEPT_CHECKPOINTS = 2
MANIFEST, STATE = "MANIFEST.json", "state.json"


@dataclass(frozen=True)
class Run:
    """A run folder.

    Args:
        folder: its path; made by :meth:`locked`.
        prepared: whether what the run needs has been put there by another rank.
    """

    folder: Path
    prepared: bool = False

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def has_begun(self) -> bool:
        """Whether there is a checkpoint to go on from, or the other ranks go on from here: what is there is used."""
        return self.prepared or bool(self._steps())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second writer; the lock goes with the process, however it ends."""
        made, lock = not self.folder.exists(), self.folder / ".lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = lock.open("a+")
        except OSError as error:
            why = "there is a file of this name" if self.folder.is_file() else error.strerror
            raise SelftaughtError(
                f"the run folder cannot be written: {why}",
                where=str(self.folder),
                do="choose another --out",
            ) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                raise SelftaughtError(
                    f"another process ({handle.read().strip() or 'unknown'}) is writing this run",
                    where=str(self.folder),
                    do="wait until it ends, or choose another --out",
                ) from None
            handle.truncate(0)
            with saving(lock):  # past the buffer, which would be written once more when it is closed
                os.write(handle.fileno(), f"pid {os.getpid()}".encode())
            try:
                yield
            finally:
                if made and [*self.folder.iterdir()] == [lock]:  # nothing came of it
                    lock.unlink()
                    self.folder.rmdir()

    def save_checkpoint(
        self,
        learner: nn.Module,
        optimizer: torch.optim.Optimizer,
        progress: Progress,
        extra: dict[str, Any],
        saver: Saver | None = None,
    ) -> Path:
        """Write everything that going on needs; keep the latest two. All ranks come here.

        Args:
            extra: JSON-ready facts to find again in :class:`Checkpoint`.
            saver: writes it while training goes on; without one it is written when this returns.
        """
        place, sharded = self.checkpoints / f"step-{progress.step:09d}", is_sharded(learner)
        if not (sharded or leads()):
            return place
        moments, scalars = optimizer_state(optimizer)
        state = {"progress": asdict(progress), "optimizer": scalars, "extra": copy.deepcopy(extra)}
        parts = {
            own_file(part, sharded): {name: piece_of(tensor) for name, tensor in tensors.items()}
            for part, tensors in zip(PARTS, (learner_tensors(learner), moments), strict=True)
        }
        if saver is None:
            self._write(place, parts, state, sharded)
        else:
            copies = {file: {name: one.copied() for name, one in pieces.items()} for file, pieces in parts.items()}
            saver.start(lambda: self._write(place, copies, state, sharded, saver.group))
        return place

    def _write(
        self, place: Path, parts: dict[str, dict[str, Piece]], state: dict[str, Any], sharded: bool, group: Any = None
    ) -> None:
        """Each rank its own part; the one that leads puts the checkpoint in place when all parts are durable."""
        if not leads():
            told(None, group)  # the folder is there
            with saving(place):
                hashes = _saved(parts, place.with_name(place.name + ".partial"), sharded)
            told(hashes, group)
            return
        with written_aside(place) as aside:
            if sharded:
                told(None, group)
            hashes = _saved(parts, aside, sharded)
            of_all = told(hashes, group) if sharded else [hashes]
            (aside / STATE).write_text(json.dumps(state), encoding="utf-8")
            _write_manifest(aside, {name: digest for one in of_all for name, digest in one.items()})
        with saving(self.checkpoints):
            for done_with in [*self._steps()[:-KEPT_CHECKPOINTS], *self.checkpoints.glob("*.partial")]:
                shutil.rmtree(done_with)  # the partial ones are from kills

    def load_checkpoint(
        self,
        learner: nn.Module,
        optimizer: torch.optim.Optimizer,
        accept: Callable[[dict[str, Any]], None] = lambda extra: None,
    ) -> "Checkpoint | None":
        """Restore the newest checkpoint that is whole; None if there is none at all.

        The damaged ones that were passed over are named in the result.

        Args:
            accept: raises if one with such ``extra`` facts is not to be gone on from; nothing is restored then.

        Raises:
            SelftaughtError: if there are checkpoints and every one is damaged.
        """
        damaged: list[str] = []
        for place in reversed(self._steps()):
            problem = _problem(place)
            if problem is not None:
                damaged.append(problem)
                continue
            state = json.loads((place / STATE).read_text(encoding="utf-8"))
            accept(state["extra"])
            names = [file.name for file in place.iterdir()]
            weights, moments = (Pieces(place / name for name in files_of(part, names) or ()) for part in PARTS)
            restore_from(weights, learner)
            restore_optimizer(optimizer, moments, state["optimizer"])
            return Checkpoint(Progress(**state["progress"]), state["extra"], tuple(damaged))
        if damaged:
            raise SelftaughtError(
                "every checkpoint of this run is damaged: " + "; ".join(damaged),
                where=str(self.checkpoints),
                do="restore the files, or start again with another --out",
            )
        return None

    def save_parts(self, tensors: dict[str, Tensor]) -> None:
        """Write ``heads.safetensors``: what belongs to the model and has no place in its transformers folder."""
        file = self.folder / "heads.safetensors"
        aside = file.with_name(file.name + ".partial")
        with saving(file):
            save_tensors(tensors, aside)
            fsync(aside)
            aside.replace(file)

    def load_parts(self) -> dict[str, Tensor]:
        """What :meth:`save_parts` wrote; empty if nothing."""
        file = self.folder / "heads.safetensors"
        try:
            return load_file(file) if file.exists() else {}
        except SafetensorError as error:
            raise SelftaughtError(f"the file is damaged: {error}", where=str(file), do="repeat the run") from error

    def _steps(self) -> list[Path]:
        return sorted(p for p in self.checkpoints.glob("step-*") if p.is_dir() and not p.name.endswith(".partial"))


def folder_of_kind(place: Path, kinds: Collection[str]) -> Path | None:
    """The model folder of a run, or the place itself, if its configuration is of one of these kinds; else None."""
    for folder in (place / "model", place):
        try:
            facts: Any = read_json(folder / "config.json")
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict) and facts.get("model_type") in kinds:
            return folder
    return None


@dataclass(frozen=True)
class Checkpoint:
    """Where a checkpoint stands.

    Args:
        progress: of the loop.
        extra: what :meth:`Run.save_checkpoint` was given.
        damaged: newer checkpoints that were passed over, with the file that is damaged.
    """

    progress: Progress
    extra: dict[str, Any]
    damaged: tuple[str, ...]


def _saved(parts: dict[str, dict[str, Piece]], folder: Path, sharded: bool) -> dict[str, str]:
    """Write the files, durably; their hashes by name."""
    for name, pieces in parts.items():
        save_pieces(pieces, folder / name, sharded=sharded)
        fsync(folder / name)
    return {name: sha256_of(folder / name) for name in parts}


def _write_manifest(folder: Path, hashes: dict[str, str]) -> None:
    hashes = {**hashes, STATE: sha256_of(folder / STATE)}
    (folder / MANIFEST).write_text(json.dumps(dict(sorted(hashes.items())), indent=1), encoding="utf-8")


def _problem(place: Path) -> str | None:
    """What is wrong with a checkpoint, naming the file; None if it is whole."""
    try:
        hashes = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        files = {file.name for file in place.iterdir()} - {MANIFEST}
    except (OSError, ValueError):
        return f"{place / MANIFEST} is missing or unreadable"
    if not isinstance(hashes, dict) or STATE not in hashes or not all(files_of(part, hashes) for part in PARTS):
        return f"{place / MANIFEST} does not list the checkpoint's files"
    for name, expected in hashes.items():
        if name not in files:
            return f"{place / name} is missing"
        if sha256_of(place / name) != expected:
            return f"{place / name} does not match its SHA-256"
    return None
