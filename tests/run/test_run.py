"""The run folder: a checkpoint is whole or it is noticed, and nobody writes beside us."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from selftaught.errors import SelftaughtError
from selftaught.loop import Progress
from selftaught.optim import adamw
from selftaught.run.durable import replace_file, written_aside
from selftaught.run.folder import Run
from selftaught.run.state import learner_tensors, restore_learner

FILES = ["learner.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json"]


class Tied(nn.Module):
    """Two names for one weight, and a buffer."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.second.weight = self.first.weight
        self.register_buffer("seen", torch.zeros(()))


def trained(steps: int) -> tuple[Tied, torch.optim.AdamW]:
    torch.manual_seed(0)
    learner = Tied()
    optimizer = adamw(learner, 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        learner.second(learner.first(torch.ones(2, 6))).square().sum().backward()
        optimizer.step()
        learner.get_buffer("seen").add_(1)
    return learner, optimizer


def save(run: Run, step: int) -> Path:
    learner, optimizer = trained(step)
    return run.save_checkpoint(learner, optimizer, Progress(step, 4 * step, 0.5 * step), {"best": step})  # type: ignore[arg-type]


def weights(learner: nn.Module) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in learner.state_dict().items()}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """With checkpoints of steps 1, 2 and 3, the last two of which are kept."""
    run = Run(tmp_path / "run")
    for step in (1, 2, 3):
        save(run, step)
    return run


def test_goes_on_from_the_newest(run: Run) -> None:
    learner, optimizer = trained(0)
    found = run.load_checkpoint(learner, optimizer)  # type: ignore[arg-type]
    assert found is not None
    assert (found.progress, found.extra, found.damaged) == (Progress(3, 12, 1.5), {"best": 3}, ())
    expected, moments = trained(3)
    assert weights(learner) == weights(expected)
    restored, expected_moments = optimizer.state_dict()["state"], moments.state_dict()["state"]
    assert restored.keys() == expected_moments.keys()
    for index, moment in expected_moments.items():
        assert all(torch.equal(restored[index][name], value) for name, value in moment.items())
    assert learner.second.weight is learner.first.weight


def test_keeps_the_latest_two(run: Run) -> None:
    assert sorted(p.name for p in run.checkpoints.iterdir()) == ["step-000000002", "step-000000003"]


def test_no_checkpoint_is_a_new_run(tmp_path: Path) -> None:
    assert Run(tmp_path).load_checkpoint(*trained(0)) is None  # type: ignore[arg-type]


def damage(file: Path, how: str) -> None:
    if how == "missing":
        file.unlink()
        return
    data = bytearray(file.read_bytes())
    if how == "flipped bit":
        data[len(data) // 2] ^= 0x10
    file.write_bytes(data if how == "flipped bit" else data[: len(data) // 2])


@pytest.mark.parametrize("how", ["flipped bit", "truncated", "missing"])
@pytest.mark.parametrize("name", FILES)
def test_damage_is_found_and_named_and_the_one_before_is_used(run: Run, name: str, how: str) -> None:
    damage(run.checkpoints / "step-000000003" / name, how)
    learner, optimizer = trained(0)
    found = run.load_checkpoint(learner, optimizer)  # type: ignore[arg-type]
    assert found is not None
    assert found.progress.step == 2
    assert weights(learner) == weights(trained(2)[0])
    (named,) = found.damaged
    assert "step-000000003" in named
    # a flipped bit in the manifest is the hash of some other file, which then does not match
    assert name in named or name == "MANIFEST.json"


def test_damage_everywhere_is_an_error_that_names_it(run: Run) -> None:
    for step in run.checkpoints.iterdir():
        damage(step / "learner.safetensors", "truncated")
    with pytest.raises(SelftaughtError, match="every checkpoint of this run is damaged") as caught:
        run.load_checkpoint(*trained(0))  # type: ignore[arg-type]
    assert caught.value.what.count("learner.safetensors") == 2


def test_a_checkpoint_of_another_model_is_refused(run: Run) -> None:
    other = nn.Sequential(nn.Linear(6, 6))
    with pytest.raises(SelftaughtError, match="another model"):
        run.load_checkpoint(other, adamw(other, 0.1))  # type: ignore[arg-type]


def test_a_tied_weight_is_stored_once() -> None:
    learner, _ = trained(1)
    tensors = learner_tensors(learner)
    assert tensors.keys() == {"first.weight", "first.bias", "second.bias", "seen"}
    other = Tied()
    restore_learner(other, tensors)
    assert weights(other) == weights(learner)


def test_what_a_kill_left_half_written_is_never_read_and_is_cleared(run: Run) -> None:
    left = run.checkpoints / "step-000000009.partial"
    left.mkdir()
    (left / "learner.safetensors").write_bytes(b"half")
    learner, optimizer = trained(0)
    found = run.load_checkpoint(learner, optimizer)  # type: ignore[arg-type]
    assert found is not None
    assert (found.progress.step, found.damaged) == (3, ())
    save(run, 4)
    assert sorted(p.name for p in run.checkpoints.iterdir()) == ["step-000000003", "step-000000004"]


def test_saving_a_step_again_replaces_it(run: Run) -> None:
    damage(run.checkpoints / "step-000000003" / "state.json", "truncated")
    save(run, 3)
    found = run.load_checkpoint(*trained(0))  # type: ignore[arg-type]
    assert found is not None
    assert (found.progress.step, found.damaged) == (3, ())


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """No file can grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("size", [0, 100, 700])
def test_a_full_disk_is_a_clear_error_and_leaves_what_was_there(run: Run, size: int) -> None:
    with disk_with_room_for(size), pytest.raises(SelftaughtError, match="could not be saved") as caught:
        save(run, 4)
    assert caught.value.where.endswith("step-000000004")
    assert sorted(p.name for p in run.checkpoints.iterdir()) == ["step-000000002", "step-000000003"]
    found = run.load_checkpoint(*trained(0))  # type: ignore[arg-type]
    assert found is not None
    assert (found.progress.step, found.damaged) == (3, ())
    save(run, 4)  # room was made


def test_a_full_disk_leaves_an_old_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    replace_file(file, "old")
    with disk_with_room_for(2), pytest.raises(SelftaughtError, match=r"report\.json"):
        replace_file(file, "newer")
    assert file.read_text(encoding="utf-8") == "old"
    with disk_with_room_for(2), pytest.raises(SelftaughtError, match=r"heads\.safetensors"):
        Run(tmp_path).save_parts({"unigram": torch.ones(99)})
    assert Run(tmp_path).load_parts() == {}


def test_a_place_that_is_no_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="cannot be written"), Run(tmp_path / "file" / "run").locked():
        pass


def test_a_failure_of_another_kind_changes_nothing_either(tmp_path: Path) -> None:
    place = tmp_path / "model"
    with written_aside(place) as aside:
        (aside / "config.json").write_text("old", encoding="utf-8")
    with pytest.raises(IndexError), written_aside(place) as aside:
        (aside / "config.json").write_text("new"[9], encoding="utf-8")
    assert (place / "config.json").read_text(encoding="utf-8") == "old"


def test_parts_come_back_and_damage_is_named(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.save_parts({"unigram": torch.arange(4.0)})
    assert run.load_parts()["unigram"].tolist() == [0, 1, 2, 3]
    damage(tmp_path / "heads.safetensors", "truncated")
    with pytest.raises(SelftaughtError, match=r"damaged(?s:.)*heads\.safetensors"):
        run.load_parts()


HOLD = """
import sys
from pathlib import Path
from selftaught.run.folder import Run
with Run(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_kept_out_until_the_first_is_gone(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SelftaughtError, match=rf"another process \(pid {other.pid}\)"), run.locked():
            pass
        other.kill()
    with run.locked():
        pass


def test_the_manifest_lists_every_file(run: Run) -> None:
    place = run.checkpoints / "step-000000003"
    listed = json.loads((place / "MANIFEST.json").read_text(encoding="utf-8"))
    assert {*listed, "MANIFEST.json"} == {file.name for file in place.iterdir()}
