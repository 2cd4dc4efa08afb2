"""``selftaught objectives``: what can be learned here."""

import dataclasses
import inspect
from typing import Any

from selftaught import lookup
from selftaught.console import tell
from selftaught.word2vec.options import WORD_OBJECTIVES, described


def objectives(*, json: bool = False) -> dict[str, Any]:
    """List the objectives and tasks with their options.

    Options are set with --set objective.options.NAME=VALUE.

    Args:
        json: Print one JSON object.
    """
    report = {
        "objectives": {name: _described(name, lookup.OBJECTIVES) for name in lookup.names(lookup.OBJECTIVES)},
        "word vectors": {name: described(name) for name in WORD_OBJECTIVES},
        "tasks": {name: _described(name, lookup.TASKS) for name in lookup.names(lookup.TASKS)},
    }
    lines = []
    for title, found in report.items():
        lines.append(f"{title}:")
        for name, facts in found.items():
            options = ", ".join(f"{option}={value!r}" for option, value in facts["options"].items())
            lines += [f"  {name:12} {facts['about']}", f"  {'':12} options: {options or 'none'}"]
    return tell(report, lines, json=json)


def _described(name: str, package: str) -> dict[str, Any]:
    kind = lookup.find(name, package)
    about = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
    options = {
        field.name: field.default
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.default is not dataclasses.MISSING
    }
    return {"about": about, "options": options}
