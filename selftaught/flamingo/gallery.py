"""A page of pictures with what is written about them."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from selftaught.data.pair_store import PairStore
from selftaught.pictures.lettering import fonts, literal

_ACROSS = 4


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
