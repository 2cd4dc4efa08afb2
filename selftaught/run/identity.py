"""Of what a checkpoint is: only a run of the same version, recipe, data and tokenizer goes on from it."""

from collections.abc import Mapping
from pathlib import Path

from selftaught.data.unchanged import contents, short_digest
from selftaught.errors import SelftaughtError
from selftaught.recipe import fingerprint, read_recipe

VERSION = "1"
"""Of what training computes and checkpoints hold. It is raised with a change that a run cannot be gone on across, as a
major version is: were it each release's number, every mended spelling would cost everybody their unfinished runs."""

_DO = {
    "version": "go on with the release of selftaught that began it, or choose another --out",
    "recipe": "put the recipe back as it was, or choose another --out",
    "data": "restore the data, or choose another --out",
    "tokenizer": "restore the tokenizer, or choose another --out",
}
_APART = {"checkpoints", "model"}


def identity_of(run: Path, about: Mapping[str, str]) -> dict[str, str]:
    """The fingerprints of a run folder.

    Args:
        about: those of what lies elsewhere.
    """
    recipe, tokenizer = run / "recipe.yaml", run / "tokens" / "tokenizer.json"
    stores = [place for place in run.iterdir() if place.is_dir() and place.name not in _APART] if run.is_dir() else []
    found = {place.name: held for place in sorted(stores) if place.suffix != ".partial" and (held := contents(place))}
    return {
        "version": VERSION,
        **({"recipe": fingerprint(read_recipe(recipe))} if recipe.exists() else {}),
        **({"tokenizer": short_digest(tokenizer.read_text(encoding="utf-8"))} if tokenizer.exists() else {}),
        **({"data": short_digest(found)} if found else {}),
        **about,
    }


def refuse_another(before: Mapping[str, str], now: Mapping[str, str], where: Path) -> None:
    """Refuse to go on from a checkpoint of something else.

    Raises:
        SelftaughtError: naming the fingerprints of both.
    """
    for key in ("version", "recipe", "tokenizer", "data"):
        old, new = before.get(key, "unknown"), now.get(key, "unknown")
        if old != new:
            raise SelftaughtError(
                f"the checkpoints of this run are of another {key}: theirs is {old}, and this is {new}",
                where=str(where),
                do=_DO[key],
            )
