"""What a finished run holds, by SHA-256: whoever opens it is told of a file that is not as it was written.

``RUN/MANIFEST.json`` has the hashes of what numbers depend on: the recipe, the model folder and ``heads.safetensors``.
Of what is there for people it has the names: other verbs and people may write in it. Checkpoints and the data that was
read have manifests of their own.
"""

from pathlib import Path

from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.store import MANIFEST, sha256_of
from selftaught.errors import SelftaughtError

_RECIPE = "recipe.yaml"
_FOR_PEOPLE = (".md", ".png", ".json", ".jsonl")


def seal(run: Path) -> None:
    """Write down what a run holds, at its end."""
    files = [run / _RECIPE, run / "heads.safetensors", *sorted((run / "model").rglob("*"))]
    hashes = {str(file.relative_to(run)): sha256_of(file) for file in files if file.is_file()}
    also = sorted(file.name for file in run.iterdir() if file.suffix in _FOR_PEOPLE and file.name != MANIFEST)
    write_sealed(run / MANIFEST, {"sha256": hashes, "also": also}, indent=1)


def unseal(run: Path) -> None:
    """Whatever a run holds is about to change."""
    (run / MANIFEST).unlink(missing_ok=True)


def damaged_file(run: Path, *, for_people: bool = False) -> Path | None:
    """The first file of a finished run that is not as it was written, the manifest included; None if all are.

    Args:
        for_people: also one that is there for people, and is gone.
    """
    try:
        known = read_sealed(run / MANIFEST)
    except SelftaughtError:
        known = None
    if known is None:
        return run / MANIFEST
    for name, expected in known["sha256"].items():
        if not (run / name).is_file() or sha256_of(run / name) != expected:
            return run / name
    gone = [run / name for name in known["also"] if not (run / name).is_file()]
    return gone[0] if for_people and gone else None


def refuse_damaged(folder: Path) -> None:
    """Refuse a model folder that is not as its run left it; of one that belongs to no finished run nothing is known.

    Args:
        folder: ``RUN/model``, or a folder in it.

    Raises:
        SelftaughtError: naming the file.
    """
    for run in list(folder.absolute().parents)[:2]:
        if (run / MANIFEST).is_file() and (file := damaged_file(run)) is not None:
            why = "does not match its SHA-256" if file.exists() else "is missing"
            raise SelftaughtError(
                f"this run was damaged after it had ended: a file {why}",
                where=str(file),
                do="repeat the command that made the run: it makes this anew from the last checkpoint. If the change "
                f"was meant, delete {run / MANIFEST}",
            )
