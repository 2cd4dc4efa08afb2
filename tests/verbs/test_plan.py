"""The verb: what a user types, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from selftaught.errors import SelftaughtError
from selftaught.verbs.plan import plan
from selftaught.verbs.pretrain import pretrain


def test_a_plan_in_words_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    made = plan(params=7e9, tokens=1e12, gpus=512)
    said = capsys.readouterr().out
    assert "7 G parameters" in said
    assert "512 x H100" in said
    assert f"train.save_seconds={made['daly']:.0f}" in said
    plan(params=7e9, tokens=1e12, gpus=512, json=True)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(made))


def test_figures_of_one_s_own() -> None:
    usual = plan(params=1e8, tokens=2e9, gpus=8, device="a100")
    own = plan(params=1e8, tokens=2e9, gpus=8, device="a100", flops=624e12, mtbf=100, disk=2e9)
    assert own["compute"] == pytest.approx(usual["compute"] / 2)
    assert own["saving"] == pytest.approx(usual["saving"] / 2)
    assert own["failures_a_day"] == pytest.approx(24 * 8 / 100)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "--params"),
        ({"params": 7e9, "run": "there"}, "--params"),
        ({"params": -1.0}, "params must be a number above 0"),
        ({"params": 7e9, "gpus": 0}, "gpus must be a number above 0"),
        ({"params": 7e9, "tokens": float("nan")}, "tokens must be a number above 0"),
        ({"params": 7e9, "share": 40.0}, "from 0 to 1"),
        ({"params": 7e9, "device": "H10"}, "did you mean H100"),
        ({"params": 7e9, "device": "abacus"}, "--flops"),
        ({"params": 7e9, "restart": "soon"}, "not a duration"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SelftaughtError) as caught:
        plan(**given)
    assert said in str(caught.value)


def test_the_run_at_hand(tmp_path: Path, texts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("\n".join(f"{text} {i}" for i in range(30) for text in texts), encoding="utf-8")
    settings = ["train.length=32", "train.precision=fp32"]
    done = pretrain(
        str(tmp_path / "text.txt"), objective="causal_lm", size="tiny", batch=4, steps=20, device="cpu",
        out=tmp_path / "run", set_=settings,
    )  # fmt: skip
    made = plan(run=tmp_path / "run", device="core", tokens=done["tokens"], batch=4)
    assert made["question"]["network"]["length"] == 32
    assert made["question"]["network"]["layers"] == 2
    (last,) = sorted((tmp_path / "run" / "checkpoints").iterdir())[-1:]
    size = sum(file.stat().st_size for file in last.glob("*.safetensors"))
    assert made["checkpoint"] == pytest.approx(size, rel=0.02)
    assert made["measured"]["tokens_per_second"] == pytest.approx(done["tokens"] / done["seconds"])
    assert "measured" in capsys.readouterr().out


def test_finished_runs_beside_what_was_announced(
    tmp_path: Path, texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Operations, memory and checkpoints are announced rightly of an objective that reads its sentences twice."""
    text, out = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("\n".join(f"{text} {i}" for i in range(30) for text in texts), encoding="utf-8")
    given: dict[str, Any] = {"size": "tiny", "steps": 4, "device": "cpu", "set_": ["train.precision=fp32"]}
    pretrain(str(text), objective="simcse", batch=16, out=out, **given)
    capsys.readouterr()
    device: dict[str, Any] = {"device": "H100", "flops": 1e9, "share": 0.5}
    (rows,) = plan(check=[out], **device)["runs"].values()
    said = {row["name"]: row for row in rows}
    assert {"seconds a step", "tokens a second", "seconds, with checks", "memory, bytes"} < said.keys()
    assert said["checkpoint, bytes"]["ratio"] == pytest.approx(1, rel=0.02)
    assert said["seconds, with checks"]["planned"] == pytest.approx(
        4 * said["FLOPs a step"]["planned"] / (1e9 * 0.5 * torch.get_num_threads())
    )
    taken = json.loads((out / "taken.json").read_text(encoding="utf-8"))
    assert (taken["steps"], taken["samples"], taken["ranks"]) == (4, 64, 1)
    before = (out / "plan.json").read_bytes()
    (out / "plan.json").unlink()
    pretrain(str(text), objective="simcse", batch=16, out=out, **given)  # made anew, as whatever else has gone
    assert (out / "plan.json").read_bytes() == before
    assert "checkpoint, bytes" in capsys.readouterr().out


def test_of_pictures_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    pretrain("builtin:digits", objective="simclr", batch=16, steps=2, device="cpu", out=out)
    assert "FLOPs a step, about" in capsys.readouterr().err
    (rows,) = plan(check=[out], device="H100")["runs"].values()
    said = {row["name"]: row for row in rows}
    taken = json.loads((out / "taken.json").read_text(encoding="utf-8"))
    assert said["samples a second"]["measured"] == pytest.approx(16 / taken["step_seconds"])
    assert said["checkpoint, bytes"]["ratio"] == pytest.approx(1, rel=0.02)


def test_a_run_that_kept_no_plan_is_not_checked(tmp_path: Path, texts: list[str]) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "words"
    text.write_text("\n".join(texts * 20), encoding="utf-8")
    pretrain(str(text), objective="skipgram", steps=4, out=out)
    with pytest.raises(SelftaughtError, match=r"no plan\.json") as caught:
        plan(check=[out])
    assert "word vectors" in str(caught.value)
    (out / "plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="not those of a run"):
        plan(check=[out], device="H100")
    with pytest.raises(SelftaughtError, match="--check is for runs"):
        plan(check=[out], params=7e9)
