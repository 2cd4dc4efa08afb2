"""From text to a model that answers questions about pairs, its own and another objective's."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from selftaught.errors import SelftaughtError
from selftaught.pretrained import open_pretrained
from selftaught.verbs.evaluate import evaluate
from selftaught.verbs.pretrain import pretrain


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """Thirty documents whose sentences stand in alphabetical order, and ten of a single sentence."""
    place = tmp_path_factory.mktemp("pairs") / "text"
    place.mkdir()
    for i in range(30):
        lines = sorted(texts[i % 4 :: 2])
        (place / f"{i}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for i in range(10):
        (place / f"single {i}.txt").write_text("Only one sentence stands here.\n", encoding="utf-8")
    return place


def small(text: Path, out: Path, objective: str, **more: Any) -> dict[str, Any]:
    settings = ["train.length=64", "train.precision=fp32"]
    size = None if "init" in more else "tiny"
    return pretrain(str(text), objective=objective, out=out, steps=4, batch=4, size=size, set_=settings, **more)


@pytest.fixture(scope="module")
def fused(text: Path) -> tuple[Path, dict[str, Any]]:
    return text.parent / "fused", small(text, text.parent / "fused", "mlm+nsp")


def test_a_run_says_what_its_samples_are(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = small(text, tmp_path / "run", "sop")
    said = capsys.readouterr().err
    assert re.search(r"pairs of segments an epoch, about \d+ breaks between sentences; \d+ documents of one", said)
    assert {"loss", "accuracy"} <= report["held_out"].keys()
    assert "bits_per_byte" not in report["held_out"]
    assert report["tokens"] < 16 * 64  # padding is not counted


def test_the_answer_about_pairs_is_kept_with_the_run(fused: tuple[Path, dict[str, Any]], text: Path) -> None:
    """And gone on from, by the same objective or one that shares the head."""
    parts = open_pretrained(fused[0]).parts
    assert {name for name in parts if name.startswith("heads.")} == {
        f"heads.nsp.{layer}.{kind}" for layer in ("pooler", "answer") for kind in ("weight", "bias")
    }
    again = evaluate(str(fused[0]), str(text))
    own = evaluate(str(fused[0]), str(text), objective="nsp")
    assert own["measures"]["loss"] == pytest.approx(again["measures"]["nsp.loss"], rel=0.2)  # masked, there


def test_a_run_is_asked_another_objective_s_question(fused: tuple[Path, dict[str, Any]], text: Path) -> None:
    found = evaluate(str(fused[0]), str(text), objective="sop")
    assert found["objective"] == "sop"
    assert 0 <= found["measures"]["accuracy"] <= 1
    assert evaluate(str(fused[0]), str(text), objective="sop") == found
    kept = json.loads((fused[0] / "report.json").read_text(encoding="utf-8"))["evaluate"]
    assert kept["objective"] == "sop"


def test_the_head_is_lent_not_made_anew(fused: tuple[Path, dict[str, Any]], text: Path) -> None:
    """Weights that always say "right" say so to either question: half of the pairs are right."""
    from safetensors.torch import load_file, save_file

    file = fused[0] / "heads.safetensors"
    before = load_file(file)
    try:
        save_file({**before, "heads.nsp.answer.bias": torch.tensor([100.0, 0.0])}, file)
        found = [evaluate(str(fused[0]), str(text), objective=name)["measures"] for name in ("nsp", "sop")]
    finally:
        save_file(before, file)
    for measures in found:
        assert measures["loss"] == pytest.approx(100 * (1 - measures["accuracy"]), abs=5)


def test_what_was_never_trained_is_not_asked(fused: tuple[Path, dict[str, Any]], text: Path, tmp_path: Path) -> None:
    small(text, tmp_path / "mlm", "mlm")
    with pytest.raises(SelftaughtError, match="never trained to answer this: it has no PairHead"):
        evaluate(str(tmp_path / "mlm"), str(text), objective="nsp")
    with pytest.raises(SelftaughtError, match="no objective called 'nsq'"):
        evaluate(str(fused[0]), str(text), objective="nsq")
    small(text, tmp_path / "sop", "sop", init=fused[0])
    with pytest.raises(SelftaughtError, match="it has no MaskedLMHead"):
        evaluate(str(tmp_path / "sop"), str(text), objective="mlm")


def test_text_without_pairs_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text("text\n" + "one sentence alone\n" * 300, encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no pairs of sentences"):
        small(tmp_path / "records.csv", tmp_path / "run", "nsp")
