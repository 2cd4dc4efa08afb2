"""A corpus that ``prepare`` made: its manifest says which files are text, and what they must be to the bit."""

import json
from pathlib import Path
from typing import Any

from selftaught.data.store import sha256_of
from selftaught.errors import SelftaughtError

MANIFEST = "MANIFEST.json"
FORMAT = "selftaught corpus 1"


def prepared_shards(folder: Path) -> list[Path] | None:
    """The shards of a prepared corpus, verified; None if the folder is none.

    Raises:
        SelftaughtError: it is not finished, or a shard is missing or damaged.
    """
    if (manifest := _manifest(folder)) is None:
        return None
    if manifest.get("finished") is not True:
        raise SelftaughtError(
            "this corpus is not finished", where=str(folder), do="run the same prepare command again; it goes on"
        )
    if not _are_shards(manifest.get("shards")):
        raise SelftaughtError("the manifest of this corpus is damaged", where=str(folder), do="prepare it anew")
    shards = [folder / shard["name"] for shard in manifest["shards"]]
    for file, shard in zip(shards, manifest["shards"], strict=True):
        if not file.is_file() or sha256_of(file) != shard["sha256"]:
            raise SelftaughtError(
                "the corpus is damaged: this shard does not match its SHA-256",
                where=str(file),
                do="run the same prepare command again; it is made anew",
            )
    return shards


def has_tokens_by(folder: Path, tokenizer: str) -> bool:
    """Whether a corpus has tokens by this tokenizer, which are verified; its shards are by :func:`prepared_shards`.

    Args:
        tokenizer: its fingerprint.

    Raises:
        SelftaughtError: they are missing or damaged.
    """
    manifest = _manifest(folder)
    if (
        manifest is None
        or not isinstance(manifest.get("tokens"), dict)
        or manifest["tokens"].get("tokenizer") != tokenizer
    ):
        return False
    files: dict[str, str] = {}
    for shard in manifest["shards"]:
        if not isinstance(shard.get("tokens"), dict):
            raise SelftaughtError("the manifest of this corpus is damaged", where=str(folder), do="prepare it anew")
        files |= shard["tokens"]
    for name, sha256 in files.items():
        file = folder / Path(name).name
        if not file.is_file() or sha256_of(file) != sha256:
            raise SelftaughtError(
                "the corpus is damaged: these tokens do not match their SHA-256",
                where=str(file),
                do="run the same prepare command again; they are made anew",
            )
    return True


def brings_tokens(data: str) -> bool:
    """Whether this is a corpus that has tokens, and the tokenizer that made them."""
    manifest = _manifest(Path(data))
    return manifest is not None and isinstance(manifest.get("tokens"), dict)


def _manifest(folder: Path) -> dict[str, Any] | None:
    """What a corpus says of itself; None if the folder is none."""
    try:
        file = folder / MANIFEST
        manifest: Any = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None  # it may be a pipe
    except (OSError, ValueError, RecursionError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("format") == FORMAT else None


def _are_shards(shards: Any) -> bool:
    """Whether a manifest names shards as it must; they lie beside it, wherever else their names may lead."""
    return isinstance(shards, list) and all(
        isinstance(shard, dict)
        and isinstance(name := shard.get("name"), str)
        and Path(name).name == name
        and "sha256" in shard
        for shard in shards
    )
