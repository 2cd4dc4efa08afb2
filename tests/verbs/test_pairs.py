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
from selftaught.pairs.pretraining import _by_heart

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


def test_a_held_out_loss_that_rises_is_told() -> None:
    lines = [{"step": step, "held_out_loss": loss} for step, loss in ((1, 5.0), (50, 4.5), (90, 4.9))]
    (said,) = _by_heart([*lines, {"step": 91}])
    assert "step 50 (4.50)" in said
    assert not _by_heart(lines[:2])


def test_a_preview_trains_nothing(data: Path, tmp_path: Path) -> None:
    selftaught.pretrain(str(data), text="en", out=tmp_path / "out", preview=True)
    assert (tmp_path / "out" / "views.png").exists()
    assert not (tmp_path / "out" / "model").exists()


def test_words_and_pictures_find_pictures(run: Path, data: Path, tmp_path: Path) -> None:
    found = selftaught.search(run, "a red square", top=4)
    assert found["among"] == 72
    assert [one["cosine"] for one in found["found"]] == sorted((o["cosine"] for o in found["found"]), reverse=True)
    assert found["found"][0]["caption"]
    itself = selftaught.search(run, str(data.parent / "5.png"), in_=str(data), text="en", top=2)
    assert itself["found"][0]["cosine"] == pytest.approx(1, abs=0.01)
    assert itself["found"][0]["file"].endswith(":6")
    assert len(list((run / "search").iterdir())) == 1
    assert selftaught.search(run, str(data.parent / "5.png"), in_=str(data), text="en", top=2) == itself
    vectors = tmp_path / "vectors.parquet"
    selftaught.embed(run, str(data.parent), out=vectors)
    near = selftaught.search(run, str(data.parent / "5.png"), in_=str(vectors), top=1)["found"][0]
    assert near["file"].endswith(":6")
    for query, wrong in {"there_is_none.png": "no file", " ": "nothing to search for"}.items():
        with pytest.raises(SelftaughtError, match=wrong):
            selftaught.search(run, query)


def test_texts_and_pictures_are_embedded_in_one_space(run: Path, data: Path, tmp_path: Path) -> None:
    kinds = {}
    for name, column in {"pictures": None, "texts": "zh"}.items():
        out = tmp_path / f"{name}.parquet"
        kinds[name] = selftaught.embed(run, str(data), out=out, text=column)
    assert kinds["pictures"]["dimensions"] == kinds["texts"]["dimensions"] == 128
    assert kinds["texts"]["kind"].startswith("vectors of texts")
    assert kinds["pictures"]["rows"]["kept"] == 72


def test_a_picture_is_told_by_labels_that_nobody_taught(run: Path, data: Path, tmp_path: Path) -> None:
    names = tmp_path / "labels.txt"
    names.write_text("\n".join(COLOURS) + "\n")
    said = selftaught.predict(run, str(data.parent / "0.png"), labels=str(names), top=2)
    assert len(said["predictions"][0]["nearest"]) == 2
    assert set(said["templates"]) == {"{}", "a {}"}  # what the captions are familiar with
    again = selftaught.predict(run, str(data.parent / "0.png"), labels=",".join(COLOURS), template=["a {}"])
    assert sum(one["probability"] for one in again["predictions"][0]["nearest"]) <= 1
    for asked, wrong in {
        (None, None): "none are given",
        ("one", None): "fewer than two",
        ("one,two", ("no place",)): "no place for a label",
    }.items():
        with pytest.raises(SelftaughtError, match=wrong):
            selftaught.predict(run, str(data.parent / "0.png"), labels=asked[0], template=asked[1])  # type: ignore[arg-type]


def test_what_was_trained_on_is_left_out_of_the_measures(run: Path, data: Path) -> None:
    found, before = selftaught.evaluate(run, str(data), text="en,zh"), report_of(run)
    assert found["pictures"] == before["held_out_pictures"]
    assert found["trained_on"] + found["pictures"] == 72
    assert found["measures"] == before["retrieval"]
    assert found["losses"]["chance_loss"] == pytest.approx(np.log(found["pictures"]))
    assert found["zero_shot"]["labels"] == 6
    assert 1 / 6 <= found["zero_shot"]["most_frequent"] <= 1
    english = selftaught.evaluate(run, str(data), text="en")
    assert english["measures"]["all"]["caption to picture"]["queries"] < len(COLOURS) * len(SHAPES) + 1


def test_a_verdict_sets_zero_shot_beside_the_probe(run: Path, data: Path, tmp_path: Path) -> None:
    found = selftaught.verdict(run, str(data), label="label", seeds=2, budgets="2,all", out=tmp_path / "verdict")
    shown = found["zero_shot"]
    assert shown["labels"] == 6
    assert shown["chance"] == pytest.approx(1 / 6)
    assert shown["low"] <= shown["accuracy"] <= shown["high"]
    assert "zero-shot" in (tmp_path / "verdict" / "report.md").read_text()


def test_its_tower_of_pictures_is_fine_tuned(run: Path, data: Path, tmp_path: Path) -> None:
    selftaught.finetune(run, str(data), label="label", steps=3, out=tmp_path / "taught")
    said = selftaught.predict(tmp_path / "taught", str(data.parent / "0.png"))
    assert said["predictions"][0]["label"] in COLOURS


def test_check_tells_what_pairs_hold(data: Path) -> None:
    found = selftaught.check(str(data), text="en,zh")
    assert found["kind"] == "pairs"
    assert (found["rows"], found["pictures"]) == (72, 72)
    assert found["captions"] == 144
    assert found["different_captions"] == 30
    assert found["chinese_captions"] == 72
