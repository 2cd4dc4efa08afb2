"""The secret of a private run, from which it follows who is drawn for a step and what noise is added."""

import os
import secrets

import torch

from selftaught.errors import SelftaughtError, saving
from selftaught.randomness import derive
from selftaught.recipe import Recipe
from selftaught.run.folder import Run

_KEY = "noise.key"


def noise_key(run: Run, recipe: Recipe) -> str:
    """The secret that decides who is drawn and what noise is added, as long as the run goes on.

    It is drawn by the operating system and written into the run, for its owner alone to read, so that an interrupted
    run goes on with the bits that it would have had: a step that is made twice is the same step, and costs nothing
    more. Whoever has it can take the noise off; :func:`forget_key` deletes it when the run has ended.

    Raises:
        SelftaughtError: if the run has begun and its key is gone.
    """
    if recipe.privacy.seeded:
        return f"seed {recipe.train.seed}"
    file = run.folder / _KEY
    if file.exists():
        return file.read_text(encoding="ascii")
    if run.has_begun:
        raise SelftaughtError(
            "the key of this run's noise is gone, and with another one steps would be made twice",
            where=str(file),
            do="restore it, or begin again with another --out",
        )
    key = secrets.token_hex(32)
    with saving(file):
        aside = file.with_name(_KEY + ".partial")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write(key)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(file)
    return key


def forget_key(run: Run) -> None:
    """Delete the secret of a run that has ended."""
    (run.folder / _KEY).unlink(missing_ok=True)


def generator(name: str, key: str, step: int) -> torch.Generator:
    """The random numbers called ``name`` of a step, on the processor: the same on every device."""
    return torch.Generator().manual_seed(derive(name, key, step))
