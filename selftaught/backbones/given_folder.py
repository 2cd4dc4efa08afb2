"""A model folder from anywhere, looked at before transformers reads it: what it might fetch or run is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from selftaught.data.files import not_a_file, read_json
from selftaught.errors import SelftaughtError

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_MOST_LAYERS = 1000  # that a network may have beside as many as it has weights


def examine(folder: Path) -> None:
    """Look at the files of a model folder that decide what is loaded.

    Whoever passes it gets weights out of safetensors files of this folder alone, and no code by way of a name: an
    attention of the form ``owner/name`` is fetched from the Hub and run by transformers, remote code or not.

    Raises:
        SelftaughtError: if there is something in them that no model needs.
    """
    try:
        facts = read_json(folder / "config.json")
        index = read_json(folder / _INDEX) if (folder / _INDEX).exists() else {"weight_map": {}}
        weights = index["weight_map"].values()
        names = [name for name in (_WEIGHTS, *weights) if name in weights or (folder / name).exists()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(folder, f"the configuration cannot be read: {error}") from error
    if not isinstance(facts, dict):
        raise _refused(folder, "config.json holds no configuration")
    if named := next((value for key, value in _parts(facts) if "implementation" in key and "/" in str(value)), None):
        raise _refused(folder, f"config.json names code from elsewhere, {named!r}")
    for name in dict.fromkeys(names):
        if Path(str(name)).name != name or not name.endswith(".safetensors"):
            raise _refused(folder, f"{_INDEX} names {name!r}, which is no safetensors file of this folder")
        if why := not_a_file(folder / name):
            raise _refused(folder, f"{name} {why}")
    deepest = max((value for key, value in _parts(facts) if "layer" in key and type(value) is int), default=0)
    if deepest > _MOST_LAYERS and deepest > (known := _count(folder, names)):
        raise _refused(folder, f"config.json speaks of {deepest:,} layers, and there are {known:,} weights")


def _count(folder: Path, names: list[str]) -> int:
    """How many tensors there are."""
    count = 0
    for name in names:
        try:
            with safe_open(folder / name, "pt") as file:
                count += len(list(file.keys()))
        except (OSError, SafetensorError) as error:
            raise _refused(folder, f"{name} cannot be read: {error}") from error
    return count


def _parts(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All values in a configuration, each with its key."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _parts(part, f"{key}.{name}")
    else:
        yield key, value


def _refused(folder: Path, why: str) -> SelftaughtError:
    return SelftaughtError(
        f"this model cannot be loaded: {why}",
        where=str(folder),
        do="weights must be in safetensors files, of an architecture that transformers itself knows",
    )
