"""selftaught turns data that nobody has labelled into a model that needs few labels.

Every verb of the command line is a function here, with the same name and arguments (but ``objectives`` and
``plan``, which are modules of these names: see :mod:`selftaught.verbs`)::

    selftaught.pretrain("docs/", for_="10m", out="run")
    selftaught.verdict("run", "labels.csv")
"""

import importlib
from typing import Any

from selftaught.threads import share_cores

_VERBS = (
    "check",
    "prepare",
    "pretrain",
    "finetune",
    "verdict",
    "distill",
    "evaluate",
    "predict",
    "generate",
    "embed",
    "search",
    "similarity",
    "export",
)

__all__ = [
    "check",
    "distill",
    "embed",
    "evaluate",
    "export",
    "finetune",
    "generate",
    "predict",
    "prepare",
    "pretrain",
    "search",
    "similarity",
    "verdict",
]


def __getattr__(name: str) -> Any:
    """Import a verb when it is first used: importing selftaught itself imports no torch."""
    if name not in _VERBS:
        raise AttributeError(f"module 'selftaught' has no attribute {name!r}")
    share_cores()
    return getattr(importlib.import_module(f"selftaught.verbs.{name}"), name)
