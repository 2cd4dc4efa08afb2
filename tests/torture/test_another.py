"""A run that is resumed as another one, with another tokenizer, data, recipe or version, is refused before a step."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.store import sha256_of
from selftaught.errors import SelftaughtError
from selftaught.verbs.finetune import finetune
from selftaught.verbs.pretrain import pretrain
from tests.torture.data import write_texts
from tests.torture.table import Tried

SETTINGS = ["train.length=16", "train.save_seconds=0"]
FINGERPRINTS = re.compile(r"\b[0-9a-f]{12}\b|\bis [12]\b")


def begin(data: Path, out: Path, **given: Any) -> dict[str, Any]:
    """Train a little; the same again trains nothing, or goes on if the report is gone."""
    asked = {"objective": "mlm", "size": "tiny", "batch": 4, "steps": 6, "device": "cpu", "set_": SETTINGS, **given}
    return pretrain(str(data), out=out, **asked)


def interrupted(begun: Path, out: Path) -> Path:
    """A copy of a run that has a checkpoint and is not finished."""
    shutil.copytree(begun, out)
    for name in ("model", "report.json", "MANIFEST.json"):
        place = out / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    return out


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """For these tests alone, which change it."""
    return write_texts(tmp_path_factory.mktemp("text"), texts)


@pytest.fixture(scope="module")
def begun(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("begun") / "run"
    begin(text, out)
    return out


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> Path:
    return interrupted(begun, tmp_path / "run")


def refused(change: Callable[[], object], again: Callable[[], object], run: Path) -> str:
    """What was said; the log of steps must not have grown."""
    before = (run / "metrics.jsonl").read_bytes()
    change()
    with pytest.raises(SelftaughtError) as caught:
        again()
    assert (run / "metrics.jsonl").read_bytes() == before
    assert len(set(FINGERPRINTS.findall(str(caught.value)))) == 2, caught.value
    return str(caught.value)


def rewrite(file: Path, old: str, new: str) -> None:
    before = file.read_text(encoding="utf-8")
    assert old in before
    file.write_text(before.replace(old, new), encoding="utf-8")


def in_checkpoints(run: Path, old: str, new: str) -> None:
    """As another release would have written it: the manifest is right."""
    for place in (run / "checkpoints").iterdir():
        rewrite(place / "state.json", old, new)
        manifest = json.loads((place / "MANIFEST.json").read_text(encoding="utf-8"))
        manifest["state.json"] = sha256_of(place / "state.json")
        (place / "MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_the_data_may_be_gone(run: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aside = tmp_path / "aside"
    shutil.move(text, aside)
    begin(text, run)
    shutil.move(aside, text)
    assert "resuming at step 6" in capsys.readouterr().err


def test_the_data_may_be_touched(run: Path, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text / "3.md").touch()
    begin(text, run)
    assert "resuming at step 6" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["a word", "a file more", "a file less", "the tokens of another run"])
def test_other_data(run: Path, text: Path, tmp_path: Path, tried: Tried, change: str) -> None:
    other = tmp_path / "other"
    shutil.copytree(text, other)

    def do() -> None:
        if change == "a word":
            rewrite(text / "3.md", "quietly", "loudly")
        elif change == "a file more":
            (text / "more.md").write_text("The green newt swam.", encoding="utf-8")
        elif change == "a file less":
            (text / "3.md").unlink()
        else:
            rewrite(other / "3.md", "quietly", "loudly")
            begin(other, tmp_path / "another")
            shutil.rmtree(run / "tokens")
            shutil.copytree(tmp_path / "another" / "tokens", run / "tokens")

    said = refused(do, lambda: begin(text, run), run)
    shutil.rmtree(text)
    shutil.copytree(other, text)
    if change == "the tokens of another run":
        rewrite(text / "3.md", "loudly", "quietly")
    assert "data" in said or "tokenizer" in said
    tried(f"resumed with other data: {change}", 1, 0)


@pytest.mark.parametrize("where", ["the one that was named", "the run's own"])
def test_another_tokenizer(begun: Path, text: Path, tmp_path: Path, tried: Tried, where: str) -> None:
    reader, given = tmp_path / "reader", {}
    if where == "the one that was named":
        shutil.copytree(begun / "model", reader)
        given = {"set_": [*SETTINGS, f"model.tokenizer={reader}"]}
    begin(text, tmp_path / "begun", **given)
    run = interrupted(tmp_path / "begun", tmp_path / "run")
    file = (reader if given else run / "tokens") / "tokenizer.json"

    def exchange() -> None:  # two tokens of the vocabulary
        tree = json.loads(file.read_text(encoding="utf-8"))
        words = tree["model"]["vocab"]
        one, two = list(words)[-2:]
        words[one], words[two] = words[two], words[one]
        file.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")
        if not given:  # or it would be damage
            facts = read_sealed(run / "tokens" / "corpus.json")
            assert facts is not None
            facts["tokenizer"][file.name] = sha256_of(file)
            write_sealed(run / "tokens" / "corpus.json", facts)

    assert "tokenizer" in refused(exchange, lambda: begin(text, run, **given), run)
    tried(f"resumed with another tokenizer: {where}", 1, 0)


@pytest.mark.parametrize("how", ["an argument", "a setting", "by hand"])
def test_another_recipe(run: Path, text: Path, tried: Tried, how: str) -> None:
    if how == "by hand":
        said = refused(
            lambda: rewrite(run / "recipe.yaml", "warmup: 0.1", "warmup: 0.2"), lambda: begin(text, run), run
        )
    elif how == "an argument":
        said = refused(lambda: None, lambda: begin(text, run, seed=1), run)
    else:
        said = refused(lambda: None, lambda: begin(text, run, set_=[*SETTINGS, "train.rate=0.5"]), run)
    assert "recipe" in said
    tried(f"resumed with another recipe: {how}", 1, 0)


def test_another_version(run: Path, text: Path, tried: Tried) -> None:
    said = refused(lambda: in_checkpoints(run, '"version": "1"', '"version": "2"'), lambda: begin(text, run), run)
    assert "theirs is 2, and this is 1" in said
    tried("resumed with another version", 1, 0)


def test_other_labels(begun: Path, texts: list[str], tmp_path: Path, tried: Tried) -> None:
    labels = tmp_path / "labels.csv"
    rows = [f'"{text}",{"fox" in text}' for text in texts]
    labels.write_text("\n".join(["text,label", *rows]), encoding="utf-8")

    def teach() -> None:
        finetune(begun, str(labels), task="classify", out=tmp_path / "task", steps=4, device="cpu")

    teach()
    (tmp_path / "task" / "report.json").unlink()
    teach()
    (tmp_path / "task" / "report.json").unlink()
    said = refused(lambda: rewrite(labels, "quietly", "loudly"), teach, tmp_path / "task")
    assert "data" in said
    tried("fine-tuning resumed with other labels", 1, 0)
