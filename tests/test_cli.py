"""The command line: what goes wrong is said in one place, in one way, with the right exit code."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import selftaught
from selftaught.cli import VERBS, main


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of a command, called in this process."""
    monkeypatch.setattr(sys, "argv", ["selftaught", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pretrian", "text"], "pretrain"),
        (["pretrain"], "--data"),
        (["pretrain", "text", "--stesp", "3"], "--steps"),
        (["pretrain", "text", "--steps", "many"], "--steps"),
        (["pretrain", "text", "more", "and", "more"], "more"),
    ],
)
def test_wrong_usage(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--steps", "3"], "nowhere"),
        (["text", "--steps", "3", "--epochs", "1"], "the budget is given twice"),
        (["text", "--for", "10x"], "not a duration"),
        (["text", "--set", "train.rte=3"], "did you mean train.rate?"),
        (["text", "--size", "huge"], "the sizes are tiny"),
        (["text", "--objective", "mml"], "did you mean mlm?"),
        (["text", "--size", "tiny", "--init", "text"], "exclude each other"),
        (["text", "--init", "text"], "neither a run nor a checkpoint"),
        (["text", "--init", "nowhere"], "no such folder"),
        (["text", "--recipe", "nowhere.yaml"], "recipe cannot be read"),
        (["text", "--device", "abacus"], "no device 'abacus'"),
        (["builtin:nothing"], "builtin:docs"),
        (["empty"], "no text"),
    ],
)
def test_a_user_s_mistake_is_a_sentence(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, text in (("text", "The fox. " * 200), ("empty", "\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(text, encoding="utf-8")
    assert call(monkeypatch, "pretrain", *arguments) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert "selftaught: " in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_an_interruption_before_training(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("selftaught.verbs.pretrain.compose", interrupted)
    assert call(monkeypatch, "pretrain", "text") == 130
    assert "interrupted" in capsys.readouterr().err


def test_every_verb_is_listed_and_a_function(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    for verb in VERBS:
        assert verb in shown
        assert callable(getattr(import_module(f"selftaught.verbs.{verb}"), verb))
    assert set(selftaught.__all__) == set(VERBS) - {"objectives", "plan"}  # modules have these names
    assert all(callable(getattr(selftaught, name)) for name in selftaught.__all__)
    with pytest.raises(AttributeError, match="pretrian"):
        _ = selftaught.pretrian


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_explained(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert call(monkeypatch, verb, "--help") == 0
    shown = capsys.readouterr().out
    assert VERBS[verb].split()[0] in shown
    options = [line.split() for line in shown.splitlines() if line.strip().startswith("--") or " --" in line[:30]]
    assert all(len(words) > 2 for words in options), shown


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip().count(".") == 2


@pytest.fixture
def folder(tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with texts in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").mkdir()
    for i in range(20):
        (tmp_path / "text" / f"{i}.md").write_text("\n".join(f"{text} {i}" for text in texts), encoding="utf-8")
    return tmp_path


SMALL = ["--size", "tiny", "--batch", "4", "--set=train.length=16", "--set=train.precision=fp32"]


def test_json_is_one_object_on_stdout(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "pretrain", "text", "--steps", "5", "--json", *SMALL) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert captured.out.count("\n") == 1
    assert report["steps"] == 5
    assert report["tokens"] == 5 * 4 * 16
    assert report["rows"]["rows"] == report["rows"]["kept"] == 720
    assert (folder / report["run"] / "model" / "model.safetensors").is_file()
    assert "objective   mlm" in captured.err
    assert "720 in = 720 kept + 0 quarantined" in captured.err

    assert call(monkeypatch, "pretrain", "text", "--steps", "5", "--json", *SMALL) == 0  # finished: the same again
    assert json.loads(capsys.readouterr().out) == report
    assert call(monkeypatch, "pretrain", "text", "--steps", "6", *SMALL) == 1
    assert "train.steps = 5, not 6" in capsys.readouterr().err


def test_a_dry_run_tells_the_plan_and_trains_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "pretrain", "text", "--steps", "50", "--dry-run", "--json", *SMALL) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["steps"], plan["tokens"], plan["batch"], plan["length"]) == (50, 50 * 4 * 16, 4, 16)
    assert min(plan["parameters"], plan["flops"], plan["memory_bytes"], plan["seconds"]) > 0
    run = folder / "runs" / "text-mlm"
    assert not (run / "model").exists()
    assert not (run / "checkpoints").exists()


def test_the_recipe_that_a_run_leaves_repeats_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = selftaught.pretrain("text", steps=5, size="tiny", batch=4, set_=["train.length=16"], out=Path("a"))
    again = selftaught.pretrain("text", recipe=Path("a/recipe.yaml"), out=Path("b"))
    files = [Path(run) / "model" / "model.safetensors" for run in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert {**first, "run": "", "seconds": 0} == {**again, "run": "", "seconds": 0}
    capsys.readouterr()


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """As with ``| head``."""
    command = f"{sys.executable} -m selftaught --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
