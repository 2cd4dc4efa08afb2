"""Ranks that fine-tune: one model, as of one process; one of them measures and writes."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from selftaught.errors import SelftaughtError
from selftaught.finetuning import learner
from selftaught.ranks import leads
from selftaught.tasks.classify import Classify
from selftaught.verbs.finetune import finetune

from ..joined import in_processes


def learned(out: str, *settings: str, **given: Any) -> dict[str, Any]:
    return finetune(
        Path("run"),
        "labels.csv",
        label="bucket (final)",
        out=Path(out),
        set_=["train.precision=fp32", *settings],
        **{"steps": 12, "batch": 8, "device": "cpu", **given},
    )


def weights(run: str) -> dict[str, torch.Tensor]:
    return load_file(f"{run}/model/model.safetensors")


def course(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("shard", [False, True], ids=["DDP", "FSDP2"])
def test_two_ranks_learn_a_task_as_one_process_does(shard: bool, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "LEAST_TO_SPLIT", 40)
    alone = learned("alone")
    first, second = in_processes(lambda: learned("both", f"train.shard={str(shard).lower()}"))
    assert second == {}
    assert (first["steps"], first["stopping"]) == (alone["steps"], pytest.approx(alone["stopping"]))
    assert [line["step"] for line in course("both")] == [line["step"] for line in course("alone")]
    for ours, theirs in zip(course("both"), course("alone"), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert ours.get("held_out_accuracy") == pytest.approx(theirs.get("held_out_accuracy"))
    one = weights("alone")
    assert weights("both").keys() == one.keys()
    for name, tensor in weights("both").items():
        assert torch.allclose(tensor, one[name], atol=1e-4), name
    assert not Path("both/best.safetensors").exists()


def test_all_ranks_stop_when_the_first_has_seen_enough(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "LEAST_TO_SPLIT", 40)
    monkeypatch.setattr(Classify, "patience", 0)
    first, second = in_processes(lambda: learned("stopped", steps=200))
    assert first["steps"] < 200
    assert second == {}


def test_ranks_that_are_interrupted_go_on_to_the_same_bits(here: Path) -> None:
    """A signal to one of them ends all after the same step, with a checkpoint."""

    def signalled() -> None:
        while not [*Path("ended/checkpoints").glob("step-*[0-9]")]:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    def interrupted() -> bool:
        if not leads():
            threading.Thread(target=signalled, daemon=True).start()
        with pytest.raises(SystemExit):
            learned("ended", "train.save_seconds=0", steps=40)
        return True

    assert in_processes(interrupted) == [True, True]
    assert not Path("ended/report.json").exists()
    for out in ("ended", "whole"):
        first, _ = in_processes(lambda out=out: learned(out, "train.save_seconds=0", steps=40))
        assert first["steps"] == 40
    one, other = weights("ended"), weights("whole")
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_batch_that_leaves_a_rank_without_a_row_is_refused(here: Path) -> None:
    def refused() -> bool:
        if not leads():
            return True  # it waits to be told, and torchrun ends it
        with pytest.raises(SelftaughtError, match="cannot be shared among 2 ranks"):
            learned("small", batch=1)
        return not Path("small").exists()

    assert in_processes(refused) == [True, True]
