"""What the READMEs and the pages of docs/ tell a user to type works, in a quick form."""

import csv
import re
import shlex
import sys
from pathlib import Path

import pytest
from cyclopts import CycloptsError

import selftaught
from selftaught.cli import VERBS, build, main

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PAGES = [*READMES, *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The calls of selftaught in a block, without their comments."""
    lines = (shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines())
    return [line[1:] for line in lines if line[:1] == ["selftaught"]]


def on_your_own_data() -> str:
    """The block of commands that takes a new user from a folder of notes to a prediction."""
    return next(block for block in blocks(READMES[0], "sh") if "labels.csv" in block)


@pytest.fixture
def notes(tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: ``notes/`` with files of Markdown, and ``labels.csv``."""
    (tmp_path / "notes").mkdir()
    for i in range(12):
        text = "\n\n".join(f"{text} It was day {i}." for text in texts)
        (tmp_path / "notes" / f"{i}.md").write_text(text, encoding="utf-8")
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as out:
        rows = [(f"{text} {i}", "over" if "over" in text else "not") for i, text in enumerate(texts * 3)]
        csv.writer(out).writerows([("text", "label"), *rows])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_notes_to_a_prediction(
    notes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = {"--for 10m": "--steps 4", "finetune run": "finetune --steps 4 run"}
    text = on_your_own_data()
    for long, short in quick.items():
        assert long in text
        text = text.replace(long, short)
    found = commands(text)
    assert [command[0] for command in found] == ["check", "pretrain", "verdict", "finetune", "predict"]
    for command in found:
        monkeypatch.setattr(sys, "argv", ["selftaught", *command])
        main()
        said = capsys.readouterr()
        assert said.out, command
        assert "Traceback" not in said.err
    assert said.out.split("\t")[0] in {"over", "not"}
    assert (notes / "run" / "report.md").is_file()

    from transformers import AutoModelForMaskedLM

    loads = re.search(r"`(AutoModelForMaskedLM\S+)`", READMES[0].read_text(encoding="utf-8"))
    assert loads
    assert eval(loads[1], {"AutoModelForMaskedLM": AutoModelForMaskedLM}).config.vocab_size > 0


def test_the_python_calls(notes: Path) -> None:
    calls = re.findall(r"`(selftaught\.\w+\(.*?\))`", READMES[0].read_text(encoding="utf-8"))
    assert calls
    for call in calls:
        report = eval(call.replace('for_="10m"', "steps=2"), {"selftaught": selftaught})
        assert report["verb"] == "pretrain"
    finetuned = selftaught.finetune("run", "labels.csv", steps=2, out="mine")
    assert selftaught.predict(finetuned["run"], "a fox")["predictions"][0]["label"] in {"over", "not"}
    assert selftaught.embed("run", "notes", out="vectors.parquet")["rows"]["kept"] > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_one_that_there_is(page: Path) -> None:
    for block in blocks(page, "sh"):
        for command in commands(block):
            if command[0] not in VERBS and command[0].isupper():
                continue  # selftaught VERB --help
            try:
                build().parse_args(command, exit_on_error=False, print_error=False)
            except CycloptsError as error:
                pytest.fail(f"{page.name}: selftaught {shlex.join(command)}: {error}")


def test_both_readmes_have_the_same_sections_and_commands() -> None:
    english, chinese = (
        (len(re.findall("^## ", page.read_text("utf-8"), re.MULTILINE)), [commands(b) for b in blocks(page, "sh")])
        for page in READMES
    )
    assert english == chinese


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"
