"""Each verb has its part of a run's reports."""

from pathlib import Path

from selftaught.run.folder import Run
from selftaught.run.report import read_report, write_report


def test_verbs_keep_to_their_part(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert read_report(run, "pretrain") is None
    write_report(run, {"verb": "pretrain", "loss": 2.0}, ["loss 2.0", "", "## More", "text"])
    write_report(run, {"verb": "verdict", "helped": True}, ["it helped"])
    write_report(run, {"verb": "pretrain", "loss": 1.0}, ["loss 1.0"])
    assert read_report(run, "pretrain") == {"verb": "pretrain", "loss": 1.0}
    assert read_report(run, "verdict") == {"verb": "verdict", "helped": True}
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text == "# pretrain\n\nloss 1.0\n\n# verdict\n\nit helped\n\n"


def test_a_damaged_report_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"pretrain": {', encoding="utf-8")
    assert read_report(Run(tmp_path), "pretrain") is None
