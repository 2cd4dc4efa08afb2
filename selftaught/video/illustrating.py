"""The pages that a run over clips leaves in its folder, for a person to look at.

views.png                what the network is asked about: under each clip the frames as it is given them
rebuilt/step-….png       what it draws of what it does not see, while it learns
neighbours.png, map.png  what its features hold alike
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from selftaught.data.loader import Batches
from selftaught.data.video_store import Clips, VideoStore
from selftaught.errors import saving
from selftaught.loop import Learner, to_device
from selftaught.objective import Batch, Spec
from selftaught.pictures.gallery import as_bytes, draw_map, write_page
from selftaught.pretext.pictures import as_seen
from selftaught.video.model import VideoModel

_SHOWN = 6  # clips on a page
_STRIP = 8  # frames of a clip there
_QUERIES, _NEAREST, _SHORT = 8, 3, 4  # clips whose neighbours are shown, how many, and frames of each
_MAPPED, _LEAST_MAPPED = 1_000, 20


@dataclass(frozen=True)
class Filmstrips:
    """Draws pages into a run's folder.

    Args:
        model: the network as it is now.
    """

    folder: Path
    learner: Learner
    spec: Spec
    model: VideoModel
    store: VideoStore
    seed: int

    def views(self) -> Path:
        """Draw some clips as they are, and under each the frames that the network is asked about."""
        assert self.spec.image is not None
        clips, objective = self._some(), self.learner.objective
        samples = clips.take(np.arange(len(clips)), np.zeros(len(clips), np.int64))
        batch = Batches(clips, objective, self.spec, len(clips), self.seed).of(
            np.arange(len(clips)), np.zeros(len(clips), np.int64)
        )
        rows = [strip(one.numpy(), _STRIP) for one in samples["frames"]]
        pages = [page for posed in _streams(batch) for page in _posed_frames(posed, self.spec)]
        stacked = [row for clip, row in enumerate(rows) for row in (row, *(padded(p[clip], _STRIP) for p in pages))]
        return self._write("views.png", np.stack(stacked))

    @torch.no_grad()
    def answers(self, step: int) -> None:
        """Draw what the network makes of some held-out clips, if that can be seen."""
        clips, learner = self._some(), self.learner
        batches = Batches(clips, learner.objective, self.spec, len(clips), self.seed)
        batch = to_device(batches.of(np.arange(len(clips)), np.zeros(len(clips), np.int64)), learner.device)
        learner.eval()
        with learner.autocast():
            shown = learner.objective.pictured(learner.features(batch), learner.heads, batch, self.spec)
        if shown is not None:
            self._write(f"rebuilt/step-{step:09d}.png", as_bytes(shown))

    def features(self) -> None:
        """Draw nearest clips, and a map, of held-out clips; of all, where few are held out."""
        held = np.flatnonzero(self.store.held_out)
        rows = spread(held if len(held) >= _LEAST_MAPPED else np.arange(len(self.store)), _MAPPED)
        if len(rows) < 2:
            return
        found = self.model.features(self.store, rows)
        self._write("neighbours.png", nearest_clips(found, self.store, rows))
        if len(rows) >= _LEAST_MAPPED:
            with saving(self.folder):
                draw_map(found, [self.store.labels[i] for i in rows], self.folder / "map.png", self.seed % 2**31)

    def lines(self) -> list[str]:
        """The pages that were drawn, for ``report.md``."""
        rebuilt = sorted((self.folder / "rebuilt").glob("step-*.png"))
        pages = {
            "clips, and under each the frames that the network is asked about, as it is given them": "views.png",
            "held-out clips, and what was drawn of them": f"rebuilt/{rebuilt[-1].name}" if rebuilt else "",
            "in each row a clip, and those nearest to it by their features": "neighbours.png",
            "a map of the features": "map.png",
        }
        drawn = [(text, page) for text, page in pages.items() if page and (self.folder / page).is_file()]
        return [line for text, page in drawn for line in ("", f"![{text}]({page})", "", f"*{text}*")]

    def _some(self) -> Clips:
        """One window of each of some clips: held-out ones, if there are enough."""
        assert self.spec.video is not None
        held = np.flatnonzero(self.store.held_out)
        rows = spread(held if len(held) >= _SHOWN else np.arange(len(self.store)), _SHOWN)
        found = Clips.of(self.store, rows, self.spec.video.frames, self.seed)
        firsts = np.unique(found.clips, return_index=True)[1]
        return Clips(self.store, found.window, self.seed, found.clips[firsts], found.shares[firsts])

    def _write(self, name: str, rows: np.ndarray) -> Path:
        file = self.folder / name
        with saving(file):
            file.parent.mkdir(exist_ok=True)
            write_page(rows, file)
        return file


def strip(frames: np.ndarray, count: int) -> np.ndarray:
    """``count`` of the frames of a clip [n, 3, S, S], evenly from its begin to its end."""
    return frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]


def padded(frames: np.ndarray, count: int) -> np.ndarray:
    """``count`` frames: evenly some of them, or all and then white ones."""
    if len(frames) >= count:
        return strip(frames, count)
    return np.concatenate([frames, np.full((count - len(frames), *frames.shape[1:]), 255, np.uint8)])


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly over all: they lie in the order of the folders, which is that of classes."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]


def nearest_clips(features: np.ndarray, store: VideoStore, rows: np.ndarray) -> np.ndarray:
    """In each row the frames of a clip, then those of the clips nearest to it by cosine: uint8 [Q, C, 3, S, S].

    Args:
        features: of the clips ``rows``, float32 [N, D]; each number counts by how much it varies.
    """
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    unit = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    asked = spread(np.arange(len(rows)), _QUERIES)
    closeness = unit[asked] @ unit.T
    closeness[np.arange(len(asked)), asked] = np.inf  # itself comes first
    nearest = np.argsort(-closeness, 1, kind="stable")[:, : 1 + min(_NEAREST, len(rows) - 1)]
    gap = np.full((1, 3, store.resolution, store.resolution), 255, np.uint8)
    pages = []
    for row in nearest:
        shown = [strip(store.clip(int(rows[i])), _SHORT) for i in row]
        pages.append(np.concatenate([part for one in shown for part in (one, gap)][:-1]))
    return np.stack(pages)


def _streams(batch: Batch) -> list[Batch]:
    return list(batch.get("streams", {"": batch}).values())


def _posed_frames(posed: Batch, spec: Spec) -> list[np.ndarray]:
    """The frames that an objective asks about, uint8 [B, F, 3, S, S]; patches that are not read are grey."""
    assert spec.image is not None
    frames = posed["frames"].float()
    flat = as_seen(frames.flatten(0, 1), spec.image)
    if "visible" in posed and spec.image.patch is not None:
        flat = torch.where(_seen(posed["visible"], spec.image.patch, spec.image.resolution, frames.shape[1]), flat, 0.5)
    return [as_bytes(flat.unflatten(0, frames.shape[:2]))]


def _seen(visible: torch.Tensor, patch: int, size: int, frames: int) -> torch.Tensor:
    """Which pixels are read, bool [B * F, 1, S, S]."""
    across = size // patch
    read = torch.zeros(len(visible), across * across, dtype=torch.bool).scatter_(1, visible, True)
    large = read.view(-1, 1, across, across).repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    return large.repeat_interleave(frames, 0)
