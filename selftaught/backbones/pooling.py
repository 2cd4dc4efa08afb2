"""A text's vector: the states of its tokens made one, and the files in which sentence-transformers keeps how."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selftaught.data.files import read_json
from selftaught.errors import SelftaughtError
from selftaught.objective import Pooling


def mean_state(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean over the tokens that are no padding: [B, T, D] and [B, T] to [B, D]."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def first_state(hidden: Tensor, mask: Tensor) -> Tensor:
    """The state of the first token: [B, T, D] to [B, D]."""
    return hidden[:, 0]


def last_state(hidden: Tensor, mask: Tensor) -> Tensor:
    """The state of the last token that is no padding: [B, T, D] to [B, D]."""
    place = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask.bool(), place, -1).amax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), last]


POOL: dict[Pooling, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean_state,
    "cls": first_state,
    "lasttoken": last_state,
}

# The names of sentence-transformers' version 2, which every later version reads too.
_MODES: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "lasttoken",
}
_MODULES = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}


def save_pooling(folder: Path, pooling: Pooling, width: int, longest: int) -> None:
    """Make a transformers folder one that sentence-transformers loads, with vectors of length one.

    Args:
        width: of a token's state.
        longest: tokens of a text that are read.
    """
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(_MODULES.items())
    ]
    modes = {name: mode == pooling for name, mode in _MODES.items()}
    _write(folder / "modules.json", modules)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **modes})


def read_pooling(folder: Path) -> Pooling | None:
    """How the model in a folder makes a text's vector; None if it was not made to.

    Raises:
        SelftaughtError: if it does so in a way that is not known here.
    """
    file = folder / "modules.json"
    if not file.is_file():
        return None
    try:
        modules = read_json(file)
        paths = {module["type"].rpartition(".")[2]: module["path"] for module in modules}
        found = _modes(read_json(folder / paths.pop("Pooling") / "config.json"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SelftaughtError(
            f"how this model makes a text's vector cannot be read: {error}",
            where=str(file),
            do="restore the files that sentence-transformers wrote",
        ) from error
    strange = sorted(paths.keys() - _MODULES.keys()) + [mode for mode in found if mode not in POOL]
    if strange or len(found) != 1:
        raise SelftaughtError(
            f"this model makes a text's vector in a way that is not known here: {', '.join(strange or found)}",
            where=str(file),
            do="a single pooling is known: " + ", ".join(POOL),
        )
    return next(mode for mode in POOL if mode == found[0])


def _modes(config: dict[str, Any]) -> list[str]:
    """The poolings that a configuration names, of any version of sentence-transformers."""
    given = config.get("pooling_mode")
    if given is None:
        asked = [name for name, value in config.items() if name.startswith("pooling_mode_") and value]
        return [_MODES.get(name, name) for name in asked]
    return [given] if isinstance(given, str) else list(given)


def _write(file: Path, value: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(value, indent=2), encoding="utf-8")
