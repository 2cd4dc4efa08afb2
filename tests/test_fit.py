"""A run from start to end: what it logs, checks, saves, and how it goes on."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from selftaught import signals
from selftaught.fit import Outcome, Plan, fit, gradient_steps
from selftaught.health import Diverged
from selftaught.loop import Learner, Progress, Report
from selftaught.objective import Batch, Spec
from selftaught.objectives.mlm import MLM
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.run.folder import Run
from selftaught.schedule import Schedule

NewLearner = Callable[[], Learner]


@pytest.fixture
def batches(packed: Batch, spec: Spec) -> Callable[[int], Iterator[Batch]]:
    """Eight samples a batch, another mask in each."""

    def starting(position: int) -> Iterator[Batch]:
        indices = torch.arange(8)
        while True:
            rng = Randomness.of(0, torch.full_like(indices, position), indices)
            yield {**MLM().pretext(packed, spec, rng), "size": 8}
            position += 8

    return starting


def run_it(run: Run, learner: Learner, batches: Any, steps: int = 12, **more: Any) -> Outcome:
    plan = Plan(Schedule(steps=12), seed=0, save_seconds=more.pop("save_seconds", 1e9), checks=more.pop("checks", 4))
    taken: list[int] = []

    def watch(report: Report) -> str | None:
        taken.append(report.progress.step)
        return more["say"](report) if "say" in more else None

    def stop() -> bool:
        return bool(taken) and taken[-1] >= steps and steps < 12

    options = {name: value for name, value in more.items() if name != "say"}
    optimizer = adamw(learner, 1e-2)
    taking = gradient_steps(learner, batches, optimizer, plan)
    with run.locked():
        return fit(run, learner, optimizer, taking, plan, watch=watch, stop=stop, **options)


def metrics(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]


def same(one: Learner, other: Learner) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_every_early_step_is_logged_with_what_was_measured(
    tmp_path: Path, new_learner: NewLearner, batches: Any
) -> None:
    run = Run(tmp_path)
    outcome = run_it(run, new_learner(), batches)
    assert (outcome.progress.step, outcome.progress.samples, outcome.interrupted) == (12, 96, False)
    lines = metrics(run)
    assert [line["step"] for line in lines][:10] == list(range(1, 11))
    assert {"step", "seconds", "samples", "loss", "accuracy", "gradient", "rate", "per_second", "data_wait"} <= lines[
        0
    ].keys()
    assert lines[9]["loss"] < lines[0]["loss"]


def test_checks_are_spread_evenly_and_logged(tmp_path: Path, new_learner: NewLearner, batches: Any) -> None:
    seen: list[int] = []

    def check(progress: Progress) -> dict[str, Any]:
        seen.append(progress.step)
        return {"probe": progress.step / 100}

    run = Run(tmp_path)
    run_it(run, new_learner(), batches, check=check)
    assert seen == [1, 3, 6, 9]
    assert [line["step"] for line in metrics(run) if "probe" in line] == seen


def test_going_on_repeats_nothing_and_ends_the_same(tmp_path: Path, new_learner: NewLearner, batches: Any) -> None:
    whole, parted, begun = new_learner(), new_learner(), new_learner()
    run_it(Run(tmp_path / "whole"), whole, batches)
    run = Run(tmp_path / "parted")
    run_it(run, begun, batches, steps=5)
    with run.metrics.open("a", encoding="utf-8") as out:
        out.write('{"step": 6, "loss": 1.0}\n{"step": 7, "lo')  # steps after the checkpoint, and a kill while logging
    run_it(run, parted, batches)
    assert same(whole, parted)
    assert [line["step"] for line in metrics(run)][:10] == list(range(1, 11))


def test_memory_is_kept_with_the_checkpoints(tmp_path: Path, new_learner: NewLearner, batches: Any) -> None:
    run_it(Run(tmp_path), new_learner(), batches, steps=5, memory={"best": 0.7})
    memory: dict[str, Any] = {}
    run_it(Run(tmp_path), new_learner(), batches, memory=memory)
    assert memory == {"best": 0.7}


def test_a_damaged_checkpoint_is_passed_over_and_said(
    tmp_path: Path, new_learner: NewLearner, batches: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run, whole, mended = Run(tmp_path / "run"), new_learner(), new_learner()
    run_it(Run(tmp_path / "whole"), whole, batches)
    run_it(run, new_learner(), batches, steps=5, save_seconds=0)
    newest = sorted(run.checkpoints.iterdir())[-1]
    (newest / "learner.safetensors").write_bytes(b"")
    outcome = run_it(run, mended, batches)
    assert newest.name in outcome.notes[0]
    assert newest.name in capsys.readouterr().err
    assert same(whole, mended)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_the_step_with_a_checkpoint(
    number: signal.Signals, tmp_path: Path, new_learner: NewLearner, batches: Any
) -> None:
    def interrupt(report: Report) -> None:
        if report.progress.step == 5:
            os.kill(os.getpid(), number)

    run, whole, parted = Run(tmp_path / "run"), new_learner(), new_learner()
    before = signal.getsignal(number)
    outcome = run_it(run, new_learner(), batches, say=interrupt)
    assert (outcome.interrupted, outcome.progress.step) == (True, 5)
    assert signal.getsignal(number) is before
    assert [p.name for p in run.checkpoints.iterdir()] == ["step-000000005"]
    assert not run_it(run, parted, batches).interrupted
    run_it(Run(tmp_path / "whole"), whole, batches)
    assert same(whole, parted)


def test_divergence_keeps_the_last_good_checkpoint_and_is_logged(
    tmp_path: Path, new_learner: NewLearner, batches: Any
) -> None:
    learner, run = new_learner(), Run(tmp_path)

    def poison(report: Report) -> None:
        if report.progress.step == 5:
            learner.heads.register_forward_hook(lambda module, inputs, logits: logits * float("nan"))

    with pytest.raises(Diverged, match="step 6"):
        run_it(run, learner, batches, say=poison, save_seconds=0)
    assert metrics(run)[-1].keys() == {"step", "diverged"}
    mended, whole = new_learner(), new_learner()
    run_it(run, mended, batches)
    run_it(Run(tmp_path / "whole"), whole, batches)
    assert same(mended, whole)
    assert all("diverged" not in line for line in metrics(run))


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path, new_learner: NewLearner, batches: Any) -> None:
    learner, run = new_learner(), Run(tmp_path)

    def poison(report: Report) -> None:
        if report.progress.step == 12:  # the last: no loss of a next step will tell
            next(learner.parameters()).data[0, 0] = float("inf")

    with pytest.raises(Diverged, match=r"the weight backbones.*at step 12"):
        run_it(run, learner, batches, say=poison, save_seconds=0)
    mended, whole = new_learner(), new_learner()
    run_it(run, mended, batches)
    run_it(Run(tmp_path / "whole"), whole, batches)
    assert same(mended, whole)


def test_what_is_noticed_is_said_and_kept(
    tmp_path: Path, new_learner: NewLearner, batches: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_it(Run(tmp_path), new_learner(), batches, say=lambda r: "a plateau" if r.progress.step == 3 else None)
    assert outcome.notes == ("a plateau",)
    assert "a plateau" in capsys.readouterr().err


def test_a_signal_that_came_too_early_for_python_to_hear_it_ends_training(
    tmp_path: Path, new_learner: NewLearner, batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Last:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(100):  # Python runs the handler between two of these
                pass

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr("sys.unraisablehook", sys.unraisablehook)  # another is set below
    signals.listen()
    try:
        Last()  # is gone at once, and with it the exception
        outcome = run_it(Run(tmp_path), new_learner(), batches)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signals._heard = False  # for good: monkeypatch would put back what was heard
    assert (outcome.interrupted, outcome.progress.step) == (True, 1)
    assert run_it(Run(tmp_path), new_learner(), batches).progress.step == 12
