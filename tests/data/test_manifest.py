"""A finished run says when a file of it is not as it was written."""

from pathlib import Path

import pytest

from selftaught.data.manifest import damaged_file, refuse_damaged, seal, unseal
from selftaught.errors import SelftaughtError

HASHED = ["recipe.yaml", "heads.safetensors", "model/config.json", "model/vision/model.safetensors"]
FOR_PEOPLE = ["README.md", "curve.png"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name in [*HASHED, *FOR_PEOPLE, "checkpoints/step-000000001/state.json", ".lock"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    seal(tmp_path)
    return tmp_path


def test_a_run_that_is_as_it_was_written_is_whole(run: Path) -> None:
    assert damaged_file(run, for_people=True) is None
    refuse_damaged(run / "model")
    seal(run)
    assert damaged_file(run, for_people=True) is None


@pytest.mark.parametrize("name", [*HASHED, "MANIFEST.json"])
def test_what_is_changed_is_named(run: Path, name: str) -> None:
    (run / name).write_text("other", encoding="utf-8")
    assert damaged_file(run) == run / name
    for folder in (run / "model", run / "model" / "vision"):
        with pytest.raises(SelftaughtError, match=name):
            refuse_damaged(folder)


@pytest.mark.parametrize("name", [*HASHED, *FOR_PEOPLE, "MANIFEST.json"])
def test_what_is_gone_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    assert damaged_file(run, for_people=True) == run / name
    assert damaged_file(run) == (run / name if name not in FOR_PEOPLE else None)


def test_people_may_write_in_what_is_there_for_them(run: Path) -> None:
    (run / "README.md").write_text("my model", encoding="utf-8")
    assert damaged_file(run, for_people=True) is None


def test_of_a_folder_that_is_no_run_nothing_is_known(run: Path) -> None:
    unseal(run)
    (run / "model" / "config.json").write_text("other", encoding="utf-8")
    refuse_damaged(run / "model")
