"""The pages that a run over pictures leaves in its folder, for a person to look at.

views.png                what the network is asked about
rebuilt/step-….png       what it draws of what it does not see, while it learns
neighbours.png, map.png  what its features hold alike
doubtful.jsonl, .png     pictures whose question has no answer that is surely right
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught.data.loader import Batches
from selftaught.data.picture_store import Pictures, PictureStore
from selftaught.errors import saving
from selftaught.loop import Learner, to_device
from selftaught.objective import Spec
from selftaught.pictures.gallery import as_bytes, draw_map, neighbours, posed_pictures, write_page
from selftaught.pictures.model import PictureModel

_SHOWN = 8  # pictures on a page
_EPOCHS = 3  # times that each is asked about there
_MAPPED = 1_000
_LEAST_MAPPED = 30
_ASKED = 5_000  # pictures that are asked about for doubts
_DOUBTFUL = 0.5  # see Objective.certainty
_AT_ONCE = 256


@dataclass(frozen=True)
class Illustrator:
    """Draws pages into a run's folder.

    Args:
        model: the network as it is now.
    """

    folder: Path
    learner: Learner
    spec: Spec
    model: PictureModel
    store: PictureStore
    seed: int

    def views(self) -> Path:
        """Draw some pictures as they are, and as the network is asked about them, several times."""
        assert self.spec.image is not None
        rows, spec = self._some(), self.spec.image
        columns = [self.store.pixels[rows]]
        source = Pictures(self.store.pixels, rows)
        batches = Batches(source, self.learner.objective, self.spec, len(rows), self.seed)
        for epoch in range(_EPOCHS):
            batch = batches.of(np.arange(len(rows)), np.full(len(rows), epoch))
            columns += posed_pictures(batch, spec)
        return self._write("views.png", np.stack(columns, 1))

    @torch.no_grad()
    def answers(self, step: int) -> None:
        """Draw what the network makes of some held-out pictures, if that can be seen."""
        rows, learner = self._some(), self.learner
        batches = Batches(Pictures(self.store.pixels, rows), learner.objective, self.spec, len(rows), self.seed)
        batch = to_device(batches.of(np.arange(len(rows)), np.zeros(len(rows), np.int64)), learner.device)
        learner.eval()
        with learner.autocast():
            shown = learner.objective.pictured(learner.features(batch), learner.heads, batch, self.spec)
        if shown is not None:
            self._write(f"rebuilt/step-{step:09d}.png", as_bytes(shown[: len(rows)]))

    def features(self) -> None:
        """Draw nearest neighbours, and a map, of held-out pictures; of all, where few are held out."""
        rows = np.flatnonzero(self.store.held_out)
        rows = _spread(rows if len(rows) >= _LEAST_MAPPED else np.arange(len(self.store.pixels)), _MAPPED)
        if len(rows) < _LEAST_MAPPED:
            return
        pixels = self.store.pixels[rows]
        found = self.model.features(pixels)
        self._write("neighbours.png", neighbours(found, pixels))
        with saving(self.folder):
            draw_map(found, [self.store.labels[i] for i in rows], self.folder / "map.png", self.seed % 2**31)

    @torch.no_grad()
    def doubtful(self) -> dict[str, Any] | None:
        """Name the pictures that have no answer that is surely right, and draw some; None if the objective can't tell.

        Returns:
            how many were ``asked`` about, how many ``pictures`` are doubtful, and the ``file`` that names them.
        """
        order = np.random.default_rng(self.seed).permutation(len(self.store.pixels))
        rows = np.sort(order[:_ASKED])
        sure = np.concatenate([*self._certainties(rows)] or [np.zeros(0)])
        if not len(sure):
            return None
        worst = [int(i) for i in np.argsort(sure, kind="stable") if sure[i] <= _DOUBTFUL]
        file = self.folder / "doubtful.jsonl"
        with saving(file), file.open("w", encoding="utf-8") as out:
            for i in worst:
                line = {"file": self.store.files[rows[i]], "certainty": round(float(sure[i]), 4)}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
        if worst:
            some = self.store.pixels[rows[worst[: _SHOWN * _SHOWN]]]
            across = min(_SHOWN, len(some))
            self._write("doubtful.png", some[: len(some) // across * across].reshape(-1, across, *some.shape[1:]))
        return {"asked": len(rows), "pictures": len(worst), "file": file.name}

    def lines(self) -> list[str]:
        """The pages that were drawn, for ``report.md``."""
        rebuilt = sorted((self.folder / "rebuilt").glob("step-*.png"))
        pages = {
            "what it was asked about: a row a picture, first as it is": "views.png",
            "held-out pictures, what was seen of them, and what was drawn": f"rebuilt/{rebuilt[-1].name}"
            if rebuilt
            else "",
            "pictures, and the nearest to each by their features": "neighbours.png",
            "a map of the features": "map.png",
            "pictures whose question has no answer that is surely right": "doubtful.png",
        }
        drawn = [(text, page) for text, page in pages.items() if page and (self.folder / page).is_file()]
        return [line for text, page in drawn for line in ("", f"![{text}]({page})", "", f"*{text}*")]

    def _certainties(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        learner = self.learner.eval()
        for first in range(0, len(rows), _AT_ONCE):
            pixels = torch.from_numpy(self.store.pixels[rows[first : first + _AT_ONCE]]).to(learner.device)
            with learner.autocast():
                sure = learner.objective.certainty(learner.backbones, learner.heads, {"pixels": pixels}, self.spec)
            if sure is None:
                return
            yield sure.float().cpu().numpy()

    def _some(self) -> np.ndarray:
        """Places of the pictures on a page: held-out ones, if there are enough."""
        held = np.flatnonzero(self.store.held_out)
        return _spread(held if len(held) >= _SHOWN else np.arange(len(self.store.pixels)), _SHOWN)

    def _write(self, name: str, rows: np.ndarray) -> Path:
        file = self.folder / name
        with saving(file):
            file.parent.mkdir(exist_ok=True)
            write_page(rows, file)
        return file


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly over all: they lie in the order of the folders, which is that of classes."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
