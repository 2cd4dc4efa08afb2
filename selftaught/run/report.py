"""The reports of a run: ``report.json`` with a part for each verb, and ``report.md`` for people."""

import json
import re
from typing import Any

from selftaught.console import dump, note
from selftaught.data.manifest import damaged_file, seal, unseal
from selftaught.data.store import MANIFEST
from selftaught.errors import SelftaughtError
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run

TRAINING = ("pretrain", "finetune", "distill")
_TITLE = re.compile(r"^# (\w+)$", re.MULTILINE)


def read_report(run: Run, verb: str) -> dict[str, Any] | None:
    """What ``verb`` reported in this run, None if it has not ended there."""
    return _read(run).get(verb)


def finished(run: Run, verb: str) -> dict[str, Any] | None:
    """What ``verb`` reported in this run, if it has ended there and left what is there now; None if it must go on.

    What is damaged or gone is told, and made anew from the last checkpoint if there is one.

    Raises:
        SelftaughtError: if a file that numbers depend on is damaged and cannot be made anew.
    """
    report, file = read_report(run, verb), damaged_file(run.folder, for_people=True)
    if file is None and not _read(run):
        file = run.folder / "report.json"
    if file is None or (report is None and file.name == MANIFEST):
        return report
    what = "was damaged" if file.exists() else "is missing"
    if run.has_begun and file != run.recipe:
        note(f"{file} {what}, though this run had ended: what can be made from the last checkpoint is")
        unseal(run.folder)
        return None
    if report is not None and (file.name == MANIFEST or damaged_file(run.folder) is None):
        note(f"{file} {what}, and there is no checkpoint to make it from")
        return report
    raise SelftaughtError(
        f"this run had ended, and since then a file {what}",
        where=str(file),
        do="restore it, or choose another --out",
    )


def write_report(run: Run, report: dict[str, Any], lines: list[str]) -> None:
    """Set the part of ``report["verb"]`` in both files, and leave the other verbs' parts.

    That of a training is the last thing written: from then on the run is sealed.

    Args:
        lines: Markdown.
    """
    verb = report["verb"]
    replace_file(run.folder / "report.json", dump({**_read(run), verb: report}, indent=1))
    file = run.folder / "report.md"
    pieces = _TITLE.split(file.read_text(encoding="utf-8")) if file.exists() else [""]
    parts = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    parts[verb] = "\n\n" + "\n".join(lines).strip() + "\n\n"
    replace_file(file, "".join(f"# {name}{text}" for name, text in parts.items()))
    if verb in TRAINING:
        seal(run.folder)


SET_ASIDE = "The score on labels set aside chose the weights and is therefore a little too good; a test file's is not."


def finetuned_lines(report: dict[str, Any]) -> list[str]:
    """The end of a fine-tuning run, for the terminal."""
    lines = [f"trained     {report['steps']:,} steps in {report['seconds']:.0f} s"]
    for name, title in (("stopping", "set aside   "), ("test", "test file   ")):
        if report[name]:
            lines.append(title + ", ".join(f"{k.replace('_', '-')} {v:.3f}" for k, v in report[name].items()))
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/, report.md, curve.png, README.md)"]


def finetuned_measures(report: dict[str, Any]) -> dict[str, float]:
    """The scores of a fine-tuning run, for its model card."""
    found = {f"{name} (labels set aside)": value for name, value in (report["stopping"] or {}).items()}
    return found | {f"{name} (test file)": value for name, value in (report["test"] or {}).items()}


def _read(run: Run) -> dict[str, Any]:
    try:
        found = json.loads((run.folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
