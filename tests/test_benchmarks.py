"""The benchmarks can be asked how they are used; what they measure is for a quiet machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import memorisation, objectives, retention
from selftaught.data.hold_out import hold_out
from selftaught.data.scan import scan
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.randomness import derive

NAMES = [
    *("budget", "clm_vs_trainer", "mlm_vs_trainer", "objectives", "order", "prepare", "retention", "sharing"),
    *(
        "clip_vs_transformers",
        "easy_vqa",
        "interaction_vs_alone",
        "memorisation",
        "mae_vs_transformers",
        "prepare_vs_datatrove",
        "prepare_workers",
        "picture_objectives",
        "ranks_vs_threads",
        "startup",
        "views_vs_kornia",
        "word2vec_vs_gensim",
    ),
]
WITHOUT_DATA = ("interaction_vs_alone", "startup", "views_vs_kornia")


@pytest.mark.parametrize("name", NAMES)
def test_help(name: str) -> None:
    if name in (peers := {"prepare": "datasets", "prepare_vs_datatrove": "datatrove"}):
        pytest.importorskip(peers[name])
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--data" in done.stdout or name in WITHOUT_DATA


@pytest.mark.parametrize(("alone", "passed"), [(0.6, True), (0.9, False)])
def test_a_student_passes_if_it_is_small_and_good_and_better_than_alone(alone: float, passed: bool) -> None:
    scores = [{"teacher": 0.8, "student": 0.8 - 0.01 * seed, "student without a teacher": alone} for seed in range(3)]
    rows = [{"seed": seed, "scores": one, "parameters": 0.2} for seed, one in enumerate(scores)]
    found = retention.result(rows, minutes=1)
    assert found["kept"]["mean"] == pytest.approx((1 + 0.79 / 0.8 + 0.78 / 0.8) / 3)
    assert found["gained"]["mean"] == pytest.approx(0.79 - alone)
    assert found["passed"] is passed
    assert not retention.result([{**row, "parameters": 0.3} for row in rows], minutes=1)["passed"]


def test_objectives_are_compared_seed_by_seed() -> None:
    """What a seed makes easy for all is no uncertainty of the difference."""
    key = ("labels.csv", 8)
    scores = {"mlm": [{key: 0.5}, {key: 0.7}], "electra": [{key: 0.6}, {key: 0.8}]}
    mlm, electra = objectives.compared(key, scores)
    assert (electra["labels"], electra["per_class"]) == key
    assert mlm["accuracy"]["mean"] == pytest.approx(0.6)
    assert mlm["difference"] is None
    assert electra["accuracy"]["low"] < 0.5
    assert [electra["difference"][name] for name in ("mean", "low", "high")] == pytest.approx([0.1, 0.1, 0.1])
    _, one = objectives.compared(key, {name: seeds[:1] for name, seeds in scores.items()})
    assert one["difference"]["low"] is None


def test_canaries_are_planted_as_often_as_they_say_and_never_held_out(tmp_path: Path) -> None:
    canaries, file = memorisation.Canaries.of(1), tmp_path / "planted.jsonl"
    canaries.plant([f"A message, number {i}, about nothing in particular." for i in range(400)], file, seed=1)
    rows = [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert {sentence: rows.count(sentence) for sentence in canaries.planted} == canaries.planted
    held = hold_out(scan(open_text(file, text="text"), Tally()).sizes, derive("hold out", 1))
    assert not canaries.planted.keys() & {rows[document] for document in held}
    assert not canaries.planted.keys() & {*canaries.references}
    assert len({*canaries.references}) == memorisation.REFERENCES
