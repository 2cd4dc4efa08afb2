"""Videos through the verbs: pretrained, judged, taught, and back to pictures."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from transformers import AutoModel

from selftaught.data.video_source import open_videos
from selftaught.data.video_store import prepare_videos
from selftaught.machine import pick_precision
from selftaught.pictures.model import PictureModel
from selftaught.verbs.pretrain import pretrain
from selftaught.video.model import VideoModel

from ..films import COLOURS, film, moving_square
from .conftest import Call

CPU = torch.device("cpu")
TRAIN = ("--steps", "3", "--batch", "4", "--set", "data.resolution=16", "--set", "data.frames=8")


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``motions/across`` and ``motions/down``, ten clips each, and a ``run`` on them."""
    place, drawn = tmp_path_factory.mktemp("filmed"), np.random.default_rng(0)
    for number in range(10):
        for name, (across, down) in {"across": (1, 0), "down": (0, 1)}.items():
            frames = moving_square(12, across=across, down=down, colour=COLOURS[number % 4])
            frames = np.roll(frames, drawn.integers(0, 32, 2), axis=(1, 2))
            film(place / "motions" / name / f"{number}.mkv", frames)
    before = Path.cwd()
    os.chdir(place)
    try:
        pretrain("motions", steps=3, batch=4, out=Path("run"), set_=["data.resolution=16", "data.frames=8"])
    finally:
        os.chdir(before)
    return place


@pytest.fixture
def motions(filmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``filmed`` to work in, and to spoil."""
    shutil.copytree(filmed, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here" / "motions"


def test_a_run_on_videos_is_a_network_over_pictures_too(motions: Path, call: Call) -> None:
    said = call("pretrain", "motions", *TRAIN, "--out", "learned", "--json")
    assert said.code == 0, said.err
    report = said.report
    assert report["objective"] == "frame_order"
    assert (report["rows"]["kept"], report["clips"]) == (20, 12)
    assert {"rank", "deviation"} <= report["features"].keys()
    assert "clips/s" in said.err
    assert "data-wait" in said.err
    for page in ("views.png", "neighbours.png", "map.png", "curve.png", "README.md", "report.md"):
        assert Path("learned", page).stat().st_size > 0
    assert AutoModel.from_pretrained("learned/model").config.model_type == "regnet"
    again = call("pretrain", "motions", "--objective", "frame_sort", "--init", "run", *TRAIN[:4], "--out", "more")
    assert again.code == 0, again.err
    still = call("embed", "run", "motions/across/0.mkv", "--out", "still.parquet")
    assert still.code == 0, still.err


def test_a_run_on_pictures_begins_one_on_videos_and_back(motions: Path, call: Call) -> None:
    for number, pixels in enumerate(moving_square(16, side=16)):
        Path("still").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(f"still/{number}.png")
    assert call("pretrain", "still", "--objective", "rotation", *TRAIN[:6], "--out", "seen").code == 0
    begun = call("pretrain", "motions", "--init", "seen", *TRAIN[:4], "--out", "moved")
    assert begun.code == 0, begun.err
    assert VideoModel.load("moved").picture.spec.resolution == PictureModel.load("seen").spec.resolution == 16
    back = call("pretrain", "still", "--objective", "rotation", "--init", "moved", *TRAIN[:4], "--out", "back")
    assert back.code == 0, back.err


def test_the_same_command_is_the_same_run(motions: Path, call: Call) -> None:
    """Windows and views hang on nothing but seed, epoch and index."""
    assert call("pretrain", "motions", *TRAIN, "--out", "again").code == 0
    files = [Path(run, "metrics.jsonl").read_text().splitlines() for run in ("run", "again")]
    losses = [[json.loads(line)["loss"] for line in lines] for lines in files]
    assert losses[0] == losses[1]


def test_the_verdict_sets_features_beside_one_frame_and_changes_of_pixels(motions: Path, call: Call) -> None:
    said = call("verdict", "run", "motions", "--budgets", "4,all", "--seeds", "2", "--json")
    assert said.code == 0, said.err
    methods = {point["method"] for point in said.report["curve"]}
    assert {"pretrained probe", "untrained probe", "one frame probe", "frame differences probe"} <= methods
    assert said.report["overlap_rows"] == 4  # the test clips were there when it was pretrained
    by_method = {p["method"]: p["mean"] for p in said.report["curve"] if p["labels_per_class"] is None}
    assert by_method["majority class"] == 0.5


def test_a_network_is_taught_motions_and_asked_about_others(motions: Path, call: Call) -> None:
    taught = call("finetune", "run", "motions", "--steps", "30", "--batch", "8", "--out", "told", "--json")
    assert taught.code == 0, taught.err
    assert taught.report["classes"] == {"across": 10, "down": 10}
    assert Path("told/attention.png").stat().st_size > 0
    said = call("predict", "told", "motions/across", "motions/down/3.mkv", "--json")
    assert [len(said.report["predictions"]), said.report["predictions"][-1]["file"]] == [11, "motions/down/3.mkv"]
    right = [one["label"] in one["file"] for one in said.report["predictions"]]
    assert np.mean(right) > 0.7
    measured = call("evaluate", "told", "motions", "--json")
    assert measured.report["measures"]["accuracy"] > 0.7
    refused = call("verdict", "told", "motions")
    assert refused.code == 1
    assert "fine-tuned on labels" in refused.err


def test_vectors_of_clips_and_of_frames(motions: Path, call: Call) -> None:
    (motions / "across" / "broken.mkv").write_bytes(b"nothing")
    said = call("embed", "run", "motions", "--out", "clips.parquet", "--json")
    assert [one["file"] for one in said.report["rows"]["quarantined"]] == ["motions/across/broken.mkv"]
    table, model = pq.read_table("clips.parquet").to_pydict(), VideoModel.load("run", pick_precision(CPU))
    assert table["label"] == ["across"] * 10 + ["down"] * 10
    store = prepare_videos(open_videos("motions"), Path("store"), resolution=16, rate=model.spec.rate, seed=0)
    assert np.abs(np.array(table["vector"]) - model.features(store, np.arange(20))).max() < 0.02
    assert call("embed", "run", "motions/down/1.mkv", "--frames", "--out", "frames.parquet").code == 0
    frames = pq.read_table("frames.parquet").to_pydict()
    assert frames["second"] == [place / model.spec.rate for place in range(len(frames["second"]))]
    assert np.abs(np.array(frames["vector"]) - model.picture.features(store.clip(11))).max() < 0.02


def test_a_pretrained_run_is_asked_its_own_question_about_other_clips(motions: Path, call: Call) -> None:
    said = call("evaluate", "run", "motions", "--json")
    assert said.code == 0, said.err
    assert {"loss", "accuracy", "rank"} <= said.report["measures"].keys()
    mistaken = call("evaluate", "run", "builtin:digits")
    assert mistaken.code == 1


def test_check_tells_what_there_is(motions: Path, call: Call) -> None:
    film(motions / "across" / "copy.mkv", moving_square(9))
    film(motions / "down" / "copy.mkv", moving_square(9))
    film(motions / "down" / "still.mkv", np.repeat(moving_square(1), 9, 0))
    (motions / "down" / "broken.mp4").write_bytes(b"nothing")
    said = call("check", "motions", "--json").report
    assert (said["kept"], said["quarantined_rows"], said["copies"]) == (23, 1, 1)
    assert said["still"] == ["motions/down/still.mkv"]
    assert said["seconds"] == {"least": 1.125, "median": 1.5, "most": 1.5}
    assert said["classes"] == {"across": 11, "down": 12}


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("pretrain", "motions", "--objective", "frame_order+simclr"), "simclr from pictures"),
        (("pretrain", "motions", "--size", "huge"), "there is no size"),
        (("pretrain", "motions", "--text", "a"), "--text is for text"),
        (
            ("pretrain", "motions", "--objective", "frame_sort", "--set", "objective.options.count=9"),
            "3, 4 or 5 frames",
        ),
        (("pretrain", "motions", "--set", "data.frames=4"), "5 frames cannot be chosen of 4"),
        (("check", "motions", "--pretext"), "leave it out"),
        (("pretrain", "builtin:digits", "--objective", "frame_order"), "no built-in clips"),
        (("pretrain", "empty", "--objective", "frame_order"), "there are no videos"),
    ],
)
def test_a_mistake_is_said_in_a_sentence(motions: Path, call: Call, command: tuple[str, ...], says: str) -> None:
    Path("empty").mkdir()
    said = call(*command, "--out", "new") if command[0] == "pretrain" else call(*command)
    assert said.code == 1
    assert says in said.err


def test_clips_find_clips(motions: Path, call: Call) -> None:
    near = call("search", "run", "motions/down/3.mkv", "--top", "20", "--json").report
    assert near["among"] == 20
    assert near["found"][0]["file"] == "motions/down/3.mkv"
    assert near["found"][0]["cosine"] == pytest.approx(1, abs=1e-2)
    among = call("search", "run", "motions/down/3.mkv", "--in", "motions/across", "--top", "1", "--json").report
    best = next(one for one in near["found"] if one["file"].startswith("motions/across"))
    assert (among["found"][0]["file"], among["among"]) == (best["file"], 10)
    call("embed", "run", "motions", "--out", "vectors.parquet")
    written = call("search", "run", "motions/down/3.mkv", "--in", "vectors.parquet", "--top", "1", "--json").report
    assert written["found"][0]["file"] == "motions/down/3.mkv"
    for asked, wrong in {"a red square": "reads no words", "motions": "20 clips", "none.mp4": "no file"}.items():
        said = call("search", "run", asked)
        assert said.code == 1
        assert wrong in said.err
