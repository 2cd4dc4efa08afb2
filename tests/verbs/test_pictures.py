"""Pictures through the verbs: pretrained, resumed, judged, and loaded by transformers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from transformers import AutoImageProcessor, AutoModel

from selftaught.pictures.model import PictureModel

from .conftest import Call

TRAIN = ("--steps", "3", "--batch", "8", "--set", "data.resolution=16")


@pytest.fixture
def shapes(here: Path) -> Path:
    """Disks and bars of any colour, in a folder each."""
    drawn, folder = np.random.default_rng(0), here / "shapes"
    across, down = np.meshgrid(np.arange(16), np.arange(16))
    for number in range(60):
        x, y = drawn.integers(4, 12, 2)
        masks = {"disk": (across - x) ** 2 + (down - y) ** 2 < 9, "bar": abs(across - x) < 1}
        for name, mask in masks.items():
            colour = drawn.integers(60, 256, 3)
            picture = np.where(mask[..., None], colour, drawn.integers(0, 40, 3)).astype(np.uint8)
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("objective", "size"),
    [("simclr", "conv-tiny"), ("vicreg", "vit-tiny"), ("rotation", "conv-tiny"), ("mae", "vit-tiny")],
)
def test_a_run_loads_in_transformers_with_the_same_numbers(shapes: Path, call: Call, objective: str, size: str) -> None:
    said = call("pretrain", "shapes", "--objective", objective, "--size", size, *TRAIN, "--out", "seen", "--json")
    assert said.code == 0, said.err
    assert said.report["rows"]["kept"] == 120
    assert {"knn", "probe", "rank", "deviation"} <= said.report["features"].keys()
    file = next((shapes / "disk").iterdir())
    processor, theirs = AutoImageProcessor.from_pretrained("seen/model"), AutoModel.from_pretrained("seen/model").eval()
    ours = PictureModel.load("seen")
    with torch.no_grad():
        states = theirs(**processor(Image.open(file), return_tensors="pt")).last_hidden_state
    states = states if objective in ("vicreg", "mae") else states.flatten(2).transpose(1, 2)
    assert np.abs(ours.features(ours.read([file]))[0] - states.mean(1)[0].numpy()).max() < 1e-4


def test_pictures_are_met_with_simclr_and_the_plan_is_told(shapes: Path, call: Call) -> None:
    said = call("pretrain", "shapes", *TRAIN, "--dry-run", "--out", "seen", "--json")
    assert said.code == 0, said.err
    assert said.report["objective"] == "simclr"
    assert "2 subfolders, taken for labels" in said.err
    assert "120 in = 120 kept + 0 quarantined" in said.err


def test_a_resumed_run_ends_as_if_never_stopped(shapes: Path, call: Call) -> None:
    exact = ("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--set", "train.save_seconds=0")
    for name in ("one", "two"):
        assert call(*exact, "--out", name).code == 0
    places = [sorted(Path(name, "checkpoints").iterdir()) for name in ("one", "two")]
    weights = load_file(places[0][-1] / "learner.safetensors")
    shutil.rmtree(places[1][-1])
    for file in ("report.json", "model/model.safetensors"):
        Path("two", file).unlink()
    again = call(*exact, "--out", "two")
    assert "resuming at step" in again.err
    resumed = load_file(places[1][-1] / "learner.safetensors")
    assert all(np.array_equal(weights[name], resumed[name]) for name in weights)


def test_a_verdict_sets_features_beside_raw_pixels(shapes: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    said = call("verdict", "seen", "shapes", "--budgets", "4,all", "--seeds", "2", "--json")
    assert said.code == 0, said.err
    methods = {one["method"] for one in said.report["curve"]}
    assert {"raw pixels probe", "raw pixels kNN", "pretrained probe", "pretrained kNN", "untrained probe"} <= methods
    assert said.report["overlap_rows"] == 24  # it was pretrained on these very pictures, and says so
    assert Path("seen/verdict.png").stat().st_size > 0
    rows = json.loads(Path("seen/verdict_rows.json").read_text("utf-8"))
    assert [len(draw) for draw in rows["4"]] == [8, 8]


def test_every_picture_has_its_vector_and_a_broken_one_is_named(shapes: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    (shapes / "disk" / "broken.png").write_bytes(b"no picture")
    said = call("embed", "seen", "shapes", "--out", "vectors.parquet", "--json")
    assert said.code == 0, said.err
    assert said.report["rows"]["kept"] == 120
    assert said.report["rows"]["quarantined"][0]["file"] == "shapes/disk/broken.png"
    table = pq.read_table("vectors.parquet")
    assert table.column_names == ["file", "line", "label", "vector"]
    model, place = PictureModel.load("seen"), table["file"].to_pylist().index("shapes/bar/7.png")
    wanted = model.features(model.read([shapes / "bar" / "7.png"]))[0]
    assert np.array(table["vector"][place].as_py()) == pytest.approx(wanted, abs=1e-2)  # the verb may read in bfloat16
    assert table["label"][place].as_py() == "bar"


def test_mistakes_are_told(shapes: Path, here: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    shutil.copytree(shapes / "disk", here / "flat")
    for command, says in (
        (["pretrain", "shapes", "--objective", "mae", "--size", "conv-tiny", "--out", "x"], "leaves patches out"),
        (
            ["pretrain", "shapes", "--objective", "simclr", "--size", "tiny", "--out", "x"],
            "no size 'tiny' for pictures",
        ),
        (["pretrain", "notes", "--objective", "mlm", "--size", "vit-tiny", "--out", "x"], "vit-tiny reads pictures"),
        (["pretrain", "notes", "--objective", "simclr", "--out", "x"], "there are no pictures"),
        (["pretrain", "shapes", "--objective", "simclr+mlm", "--out", "x"], "pictures, and mlm from text"),
        (["verdict", "seen", "flat"], "these pictures have no labels"),
        (["verdict", "seen", "shapes", "--task", "tag"], "--task tag is for text"),
        (["finetune", "seen", "shapes"], "over pictures"),
    ):
        said = call(*command)
        assert said.code == 1, (command, said.err)
        assert says in said.err, (command, said.err)


def test_check_counts_sizes_labels_copies_and_what_is_in_both(shapes: Path, here: Path, call: Call) -> None:
    shutil.copy(shapes / "bar" / "3.png", shapes / "bar" / "again.png")
    (shapes / "disk" / "broken.png").write_bytes(b"no picture")
    drawn = np.random.default_rng(1)
    for name in ("new", "newer"):
        (here / "test" / name).mkdir(parents=True)
        Image.fromarray(drawn.integers(0, 256, (40, 30, 3), np.uint8)).save(here / "test" / name / "a.png")
    shutil.copy(shapes / "bar" / "5.png", here / "test" / "new" / "b.png")
    said = call("check", "shapes", "--labels", "test", "--json")
    assert said.code == 0, said.err
    found = said.report
    assert (found["rows"], found["kept"], found["copies"]) == (122, 121, 1)
    assert found["quarantined"][0]["file"] == "shapes/disk/broken.png"
    assert found["classes"] == {"bar": 61, "disk": 60}
    assert found["sizes"]["median"] == [16, 16]
    assert found["labels"]["sizes"]["most"] == [30, 40]
    assert found["labels"]["also_in_data"] == 1
    assert any("few" in sentence for sentence in found["advice"])
    assert "2 classes of 60 to 61 pictures" in call("check", "shapes").out
    assert call("check", "builtin:digits", "--json").report["near_copies"] == 0  # too small to tell


@pytest.mark.parametrize("size", ["conv-tiny", "vit-tiny"])
def test_a_run_goes_on_from_another(shapes: Path, call: Call, size: str) -> None:
    """With a rate of nearly nothing it ends where it began, whatever the objective."""
    assert call("pretrain", "shapes", "--size", size, *TRAIN, "--out", "seen").code == 0
    asked = ("--objective", "rotation", "--init", "seen", "--steps", "2", "--batch", "8", "--set", "train.rate=1e-12")
    said = call("pretrain", "shapes", *asked, "--out", "more")
    assert said.code == 0, said.err
    assert "as seen" in said.err
    one, two = (load_file(Path(run) / "model" / "model.safetensors") for run in ("seen", "more"))
    assert all(np.allclose(one[n], two[n], atol=1e-6) for n in one if "running" not in n and "num_batches" not in n)
    refused = call("pretrain", "shapes", *asked, "--set", "data.resolution=32", "--out", "other")
    assert refused.code == 1
    assert "reads pictures of 16 pixels" in refused.err
    if size == "conv-tiny":
        masked = call("pretrain", "shapes", "--objective", "mae", "--init", "seen", "--out", "other")
        assert "leaves patches out, which this network cannot" in masked.err


def test_features_that_collapse_are_told_of_and_others_are_not(here: Path, call: Call) -> None:
    """VICReg without what keeps views apart makes all pictures one; with it, it does not."""
    asked = (
        "pretrain",
        "builtin:digits",
        "--objective",
        "vicreg",
        "--size",
        "vit-tiny",
        "--steps",
        "60",
        "--batch",
        "32",
    )
    asked += ("--set", "data.resolution=16", "--json")
    without = ("--set", "objective.options.variance=0", "--set", "objective.options.covariance=0")
    said = call(*asked, *without, "--out", "all-one")
    assert any("collapse" in sentence for sentence in said.report["notes"])
    assert "collapse" in said.err
    assert not any("collapse" in sentence for sentence in call(*asked, "--out", "healthy").report["notes"])
