"""Rows of documents with pictures: which token is of which, and what is not there."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from selftaught.data.processor import Processor
from selftaught.data.sights import SightProblem, load_sight
from selftaught.errors import SelftaughtError


def sight(value: int, frames: int = 1) -> np.ndarray:
    return np.full((frames, 3, 16, 16), value, np.uint8)


def test_a_token_has_the_number_of_its_document_and_padding_has_none(processor: Processor) -> None:
    rows = [[([5, 6], sight(1)), ([7], sight(2, frames=3))], [([8], sight(3))]]
    batch = processor.shown(rows)
    pad = processor.id_of("pad_token")
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, pad, pad]]
    assert batch["media"].tolist() == [[1, 1, 2], [1, 0, 0]]
    assert batch["frames"].tolist() == [[1, 3], [1, 1]]
    assert batch["pixels"].shape == (2, 2, 3, 3, 16, 16)
    assert batch["pixels"][:, :, :, 0, 0, 0].tolist() == [[[1, 0, 0], [2, 2, 2]], [[3, 0, 0], [0, 0, 0]]]
    before = processor.shown(rows, before=True)
    assert before["media"].tolist() == [[1, 1, 2], [0, 0, 1]]
    assert torch.equal(before["pixels"], batch["pixels"])


def test_a_picture_is_one_frame_at_the_resolution(processor: Processor, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (40, 20), (10, 20, 30)).save(file)
    seen = processor.sight(str(file))
    assert seen.shape == (1, 3, 16, 16)
    assert seen[0, :, 0, 0].tolist() == [10, 20, 30]
    with pytest.raises(SelftaughtError, match="is not there"):
        processor.sight(str(tmp_path / "b.png"))
    (tmp_path / "c.mp4").write_bytes(b"no video")
    with pytest.raises(SightProblem, match="no video"):
        load_sight(str(tmp_path / "c.mp4"), 16, 3)


def test_of_a_clip_evenly_spaced_frames_are_taken_the_first_and_the_last_among_them(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    file = tmp_path / "a.mp4"
    with av.open(str(file), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for number in range(21):
            grey = np.full((32, 32, 3), 10 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        out.mux(stream.encode(None))
    seen = load_sight(str(file), 16, 5).mean((1, 2, 3))
    assert seen == pytest.approx([0, 50, 100, 150, 200], abs=6)


def test_it_goes_to_worker_processes(processor: Processor) -> None:
    again = pickle.loads(pickle.dumps(processor))
    assert (again.resolution, again.frames) == (processor.resolution, processor.frames)
    assert again.encode(["The red fox"]) == processor.encode(["The red fox"])
