"""Pictures with words from end to end: pretrained on, searched, told labels, measured."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import selftaught
from selftaught.errors import SelftaughtError
from selftaught.pairs.model import PairModel

COLOURS = {
    "red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "yellow": (230, 220, 20),
    "black": (10, 10, 10), "white": (245, 245, 245),
}  # fmt: skip
SHAPES = ("square", "bar", "frame", "stripes")
ZH = {"red": "红", "green": "绿", "blue": "蓝", "yellow": "黄", "black": "黑", "white": "白"}


def drawn(colour: str, shape: str, shade: int) -> Image.Image:
    array = np.full((32, 32, 3), 128, np.uint8)
    mask = np.zeros((32, 32), bool)
    if shape == "stripes":
        mask[:, ::4] = True
    else:
        mask[8:24, (12 if shape == "bar" else 8) : (20 if shape == "bar" else 24)] = True
    if shape == "frame":
        mask[12:20, 12:20] = False
    array[mask] = np.clip(np.array(COLOURS[colour]) + shade, 0, 255)
    return Image.fromarray(array)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 pictures of coloured shapes, each with an English and a Chinese caption, in a table with their colours."""
    folder = tmp_path_factory.mktemp("shapes")
    rows = []
    for number, (colour, shape, shade) in enumerate((c, s, d) for c in COLOURS for s in SHAPES for d in (-8, 0, 8)):
        drawn(colour, shape, shade).save(folder / f"{number}.png")
        row = {"image": f"{number}.png", "en": f"a {colour} {shape}", "zh": f"{ZH[colour]}色", "label": colour}
        rows.append(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / "captions.jsonl").write_text("".join(rows), encoding="utf-8")
    return folder / "captions.jsonl"


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    selftaught.pretrain(str(data), text="en,zh", out=out, steps=25, batch=24, set_=["data.held_out=0.25"])
    return out


def report_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "report.json").read_text())["pretrain"]
    return found


def test_clip_is_what_pairs_are_pretrained_with(run: Path) -> None:
    report = report_of(run)
    assert report["objective"] == "clip"
    assert report["rows"]["kept"] == 72
    assert report["held_out"]["chance_loss"] == pytest.approx(np.log(report["held_out_pictures"]))
    assert set(report["retrieval"]) >= {"all"}
    for page in ("views.png", "retrieval.png", "curve.png", "report.md", "README.md"):
        assert (run / page).stat().st_size > 0
    assert "zero-shot-image-classification" in (run / "README.md").read_text()
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["loss"] < 0.9 * metrics[0]["loss"]
    assert any("caption_R@10" in line for line in metrics)


def test_a_run_repeats_to_the_bit_and_goes_on_from_where_it_was(data: Path, tmp_path: Path) -> None:
    vectors = []
    for name in ("one", "two"):
        selftaught.pretrain(str(data), text="en", out=tmp_path / name, steps=2, batch=16)
        vectors.append(PairModel.load(tmp_path / name).of_texts(["a red bar"]))
    assert np.array_equal(*vectors)
    selftaught.pretrain(str(data), text="en", out=tmp_path / "on", steps=1, batch=16, init=tmp_path / "one")
    begun = PairModel.load(tmp_path / "on").of_texts(["a red bar"])
    assert np.abs(begun - vectors[0]).max() < 0.2
    with pytest.raises(SelftaughtError, match="projection=128"):
        selftaught.pretrain(
            str(data), out=tmp_path / "other", steps=1, init=tmp_path / "one", set_=["objective.options.projection=64"]
        )


def test_each_tower_begins_from_a_run_of_its_own(data: Path, tmp_path: Path) -> None:
    pictures, texts = tmp_path / "pictures", tmp_path / "texts"
    selftaught.pretrain(str(data.parent), objective="simclr", size="conv-tiny", out=pictures, steps=1, batch=8)
    selftaught.pretrain(str(data), objective="mlm", text="en", size="tiny", out=texts, steps=1, batch=4)
    both = tmp_path / "both"
    towers = [f"model.text_init={texts}"]
    selftaught.pretrain(str(data), text="en", out=both, steps=1, batch=8, init=pictures, set_=towers)
    model = PairModel.load(both)
    assert model.picture.config.model_type == "regnet"
    assert model.text.config.model_type == "modernbert"
    assert not (both / "model" / "config.json").exists()
    assert (both / "model" / "towers.safetensors").exists()


def test_what_cannot_be_meant_is_told(data: Path, tmp_path: Path) -> None:
    for wrong, asked in {
        "no size 'vit-tiny'": {"size": "vit-tiny"},
        "--size and --init": {"size": "clip-tiny", "init": tmp_path},
        "pairs of a batch": {"set_": ["train.accumulate=2"]},
        "no column 'english'": {"text": "english"},
    }.items():
        with pytest.raises(SelftaughtError, match=wrong):
            selftaught.pretrain(str(data), objective="clip", out=tmp_path / "out", steps=1, **asked)  # type: ignore[arg-type]
    with pytest.raises(SelftaughtError, match="clip learns from pictures with words"):
        selftaught.pretrain(str(data), objective="clip+mlm", out=tmp_path / "out", steps=1)


def test_a_preview_trains_nothing(data: Path, tmp_path: Path) -> None:
    selftaught.pretrain(str(data), text="en", out=tmp_path / "out", preview=True)
    assert (tmp_path / "out" / "views.png").exists()
    assert not (tmp_path / "out" / "model").exists()
