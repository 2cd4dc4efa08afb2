"""The pages that a run on pictures with words leaves in its folder, for a person to look at.

views.png       what the network is shown of pictures
retrieval.png   captions with the pictures it finds for them, and pictures with the captions; right ones are framed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.loader import Batches
from selftaught.data.pair_store import PairStore
from selftaught.errors import saving
from selftaught.pairs.retrieving import Found
from selftaught.pictures.gallery import posed_pictures, write_page
from selftaught.pictures.lettering import fonts, literal

_SHOWN, _BEST, _EPOCHS = 8, 5, 3
_RIGHT, _WRONG = "#238b45", "#525252"
_LONGEST = 48  # characters of a caption on a page


@dataclass(frozen=True)
class PairPages:
    """Draws pages into a run's folder."""

    folder: Path
    store: PairStore
    batches: Batches

    def views(self) -> Path:
        """Draw some pictures as they are, and as the network is shown them, several times."""
        spec = self.batches.spec.image
        assert spec is not None
        source = self.batches.source
        places = np.linspace(0, len(source) - 1, min(_SHOWN, len(source))).astype(int)
        columns = [source.take(places, np.zeros_like(places))["pixels"].numpy()]
        for epoch in range(_EPOCHS):
            columns += posed_pictures(self.batches.of(places, np.full(len(places), epoch)), spec)
        file = self.folder / "views.png"
        with saving(file):
            write_page(np.stack(columns, 1), file)
        return file

    def retrieval(self, found: Found) -> Path:
        """Draw what was found for some captions, and for some pictures."""
        from matplotlib.figure import Figure  # a second to import

        asked = np.linspace(0, len(found.texts) - 1, min(_SHOWN, len(found.texts))).astype(int)
        shown = np.linspace(0, len(found.rows) - 1, min(_SHOWN, len(found.rows))).astype(int)
        figure = Figure(figsize=(15, 1.25 * max(len(asked), len(shown)) + 0.6), layout="constrained")
        left, right = np.asarray(figure.subfigures(1, 2, wspace=0.04))
        left.suptitle("a caption, and the pictures that are nearest", fontsize=10)
        right.suptitle("a picture, and the captions that are nearest", fontsize=10)
        for place, row in zip(asked, _grid(left, len(asked), 1 + _BEST, [2.2] + [1.0] * _BEST), strict=True):
            _write(row[0], [(found.texts[place], _WRONG)])
            for axes, picture in zip(row[1:], _nearest(found.cosines[:, place]), strict=False):
                self._draw(axes, found.rows[picture], right=bool(found.right[picture, place]))
        for picture, row in zip(shown, _grid(right, len(shown), 2, [1.0, 4.5]), strict=True):
            self._draw(row[0], found.rows[picture], right=None)
            best = _nearest(found.cosines[picture])
            _write(row[1], [(found.texts[t], _RIGHT if found.right[picture, t] else _WRONG) for t in best])
        file = self.folder / "retrieval.png"
        with saving(file):
            figure.savefig(file, dpi=80)
        return file

    def examples(self, found: Found) -> list[str]:
        """Some captions and what was found for some pictures, as a Markdown table."""
        shown = np.linspace(0, len(found.rows) - 1, min(_SHOWN, len(found.rows))).astype(int)
        lines = ["", "| held-out picture | its captions | nearest captions |", "|---|---|---|"]
        for picture in shown:
            row = found.rows[picture]
            best = [
                f"**{found.texts[t]}**" if found.right[picture, t] else found.texts[t]
                for t in _nearest(found.cosines[picture])
            ]
            cells = [self.store.files[row], ", ".join(self.store.captions(row)[:_BEST]), ", ".join(best)]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return lines

    def _draw(self, axes: Any, row: int, *, right: bool | None) -> None:
        axes.imshow(self.store.pixels[row].transpose(1, 2, 0), interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        for edge in axes.spines.values():
            edge.set_visible(bool(right))
            edge.set_color(_RIGHT)
            edge.set_linewidth(4)


def _nearest(cosines: np.ndarray) -> np.ndarray:
    return np.argsort(-cosines, kind="stable")[:_BEST]


def _grid(figure: Any, rows: int, columns: int, widths: Sequence[float]) -> Any:
    return figure.subplots(rows, columns, squeeze=False, gridspec_kw={"width_ratios": widths})


def _write(axes: Any, lines: Sequence[tuple[str, str]]) -> None:
    """Write lines, each of a colour."""
    axes.axis("off")
    for number, (text, colour) in enumerate(lines):
        short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        height = 1 - (number + 0.5) / max(len(lines), 1)
        weight = "bold" if colour == _RIGHT else "normal"
        shown = literal(short)
        axes.text(0, height, shown, color=colour, weight=weight, fontsize=9, va="center", family=fonts())
