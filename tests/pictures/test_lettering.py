"""What users wrote is drawn as they wrote it."""

from pathlib import Path

import numpy as np

from selftaught.data.pair_source import open_pairs
from selftaught.data.pair_store import prepare_pairs
from selftaught.flamingo.gallery import draw_captions
from selftaught.pictures.gallery import draw_map
from selftaught.pictures.lettering import fonts, literal
from selftaught.run.curve import draw_curve

NO_FORMULA = "$x_$ and $y^$"  # between two dollars matplotlib reads a formula, and these are broken ones


def test_dollars_are_dollars() -> None:
    assert literal("from $5 to $10") == r"from \$5 to \$10"
    assert fonts()[0] == "DejaVu Sans"


def test_labels_and_paths_are_no_formulas(tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    draw_map(features, [NO_FORMULA, "other"] * 15, tmp_path / "map.png", 0)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "seconds": 0.1, "loss": 1.0}\n', encoding="utf-8")
    draw_curve(tmp_path / "metrics.jsonl", tmp_path / "curve.png", {}, NO_FORMULA)
    assert (tmp_path / "map.png").is_file()
    assert (tmp_path / "curve.png").is_file()


def test_captions_are_no_formulas(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    (tmp_path / "pairs.csv").write_text(f"image,text\na.png,{NO_FORMULA}\n", encoding="utf-8")
    store = prepare_pairs(open_pairs(str(tmp_path / "pairs.csv")), tmp_path / "store", resolution=8, seed=0)
    example = {"file": store.files[0], "written": NO_FORMULA, "given": [NO_FORMULA]}
    draw_captions(store, [example], tmp_path / "captions.png")
    assert (tmp_path / "captions.png").is_file()
