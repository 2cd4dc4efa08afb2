"""Pages of pictures: what stands where."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from selftaught.pictures.gallery import draw_map, neighbours, write_page
from selftaught.pretext.image import joined_patches, patches_of


def test_a_page_holds_each_picture_in_its_place_enlarged(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 32, 32), np.uint8)
    write_page(rows, tmp_path / "page.png")
    page = np.asarray(Image.open(tmp_path / "page.png")).transpose(2, 0, 1)
    assert page.shape == (3, 2 * 68 - 4, 3 * 68 - 4)
    assert np.array_equal(page[:, 68:132:2, 136:200:2], rows[1, 2])
    assert (page[:, 64:68] == 255).all()


def test_the_nearest_of_a_picture_is_itself_and_then_what_is_like_it() -> None:
    features = np.array([[1, 0], [0, 1], [0.9, 0.1], [0.1, 0.9], [-1, 0]], np.float32)
    pixels = np.arange(5, dtype=np.uint8).repeat(12).reshape(5, 3, 2, 2)
    found = neighbours(features, pixels, queries=5, nearest=2)[:, :, 0, 0, 0]
    assert found.tolist() == [[0, 2, 3], [1, 3, 2], [2, 0, 3], [3, 1, 2], [4, 1, 3]]


def test_patches_are_joined_to_the_picture_they_were_cut_from() -> None:
    pictures = torch.rand(2, 3, 12, 12)
    assert torch.equal(joined_patches(patches_of(pictures, 4), 4), pictures)


@pytest.mark.parametrize("labels", [["a"] * 20 + ["b"] * 20, [""] * 40])
def test_colours_of_a_map_are_labels_or_else_clusters(tmp_path: Path, labels: list[str]) -> None:
    features = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    said = draw_map(features, labels, tmp_path / "map.png", seed=0)
    assert said == ("labels" if labels[0] else "clusters of their features")
    assert (tmp_path / "map.png").stat().st_size > 5_000
