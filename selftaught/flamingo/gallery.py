"""Pages of pictures, and of clips, with what is written about them."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill, shorten
from typing import Any

import numpy as np

from selftaught.data.pair_store import PairStore
from selftaught.pictures.lettering import fonts, literal

_ACROSS = 4
_CLIPS = 6  # on a page


def draw_captions(store: PairStore, examples: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw pictures, each with its written caption and, in grey, one that people gave it.

    Args:
        examples: with ``file``, ``written`` and ``given``.
    """
    from matplotlib.figure import Figure

    places = {name: place for place, name in enumerate(store.files)}
    down = -(-len(examples) // _ACROSS)
    figure = Figure(figsize=(3 * _ACROSS, 3.4 * down), layout="constrained")
    for number, example in enumerate(examples, 1):
        axes = figure.add_subplot(down, _ACROSS, number)
        axes.imshow(store.pixels[places[example["file"]]].transpose(1, 2, 0))
        axes.set_title(literal(fill(example["written"], 36)), fontsize=8, family=fonts())
        axes.set_xlabel(literal(fill(example["given"][0], 36)), fontsize=7, color="#777777", family=fonts())
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(file, dpi=90)


def draw_clips(store: PairStore, examples: Sequence[dict[str, Any]], shares: np.ndarray, file: Path) -> None:
    """Draw the frames of clips below how much each is looked at, what is written, and what people wrote.

    Args:
        shares: of each clip and frame, float [N, F].
    """
    from matplotlib.figure import Figure

    places = {name: place for place, name in enumerate(store.files)}
    examples, frames = examples[:_CLIPS], shares.shape[1]
    figure = Figure(figsize=(1.1 * frames, 2.1 * len(examples) + 0.3), layout="constrained")
    grid = figure.add_gridspec(2 * len(examples), frames, height_ratios=[1, 3] * len(examples))
    for row, example in enumerate(examples):
        bars = figure.add_subplot(grid[2 * row, :])
        said = f"writes {shorten(example['written'], 50)!r}, people {shorten(example['given'][0], 50)!r}"
        bars.set_title(literal(said), loc="left", fontsize=8, family=fonts())
        bars.bar(np.arange(frames), shares[row], width=0.9, color="#4878a8")
        bars.axhline(1 / frames, color="#999999", linewidth=0.8)  # evenly
        bars.set_xlim(-0.5, frames - 0.5)
        bars.set_xticks([])
        bars.tick_params(labelsize=6)
        for column, frame in enumerate(store.sight(places[example["file"]])):
            axes = figure.add_subplot(grid[2 * row + 1, column])
            axes.imshow(frame.transpose(1, 2, 0))
            axes.axis("off")
    figure.savefig(file, dpi=90)
