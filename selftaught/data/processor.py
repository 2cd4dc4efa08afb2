"""A tokenizer that reads pictures too: what transformers calls a processor."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selftaught.data.picture_decoding import PictureProblem, decode
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError

_KEPT = 4096  # decoded pictures that are kept in memory


@dataclass(frozen=True)
class Processor(TextTokenizer):
    """A tokenizer, and how pictures are brought to what a network reads.

    Args:
        resolution: the sides of a picture, in pixels (S).
    """

    resolution: int

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "resolution": self.resolution}

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "resolution", state["resolution"])
        super().__setstate__(state)

    def pixels(self, rows: Sequence[Sequence[str]]) -> dict[str, Tensor]:
        """Rows of paths of pictures as ``pixels`` uint8 [B, M, F, 3, S, S] and ``frames`` int64 [B, M].

        Of rows with fewer pictures than others, what is behind them is black; no token may see it.

        Raises:
            SelftaughtError: a picture is no longer what it was.
        """
        most = max(map(len, rows))
        size = self.resolution
        pixels = torch.zeros(len(rows), most, 1, 3, size, size, dtype=torch.uint8)
        for row, places in zip(pixels, rows, strict=True):
            for picture, place in zip(row, places, strict=False):
                picture[0] = torch.from_numpy(_decoded(place, size))
        return {"pixels": pixels, "frames": torch.ones(len(rows), most, dtype=torch.long)}


def processor(tokenizer: TextTokenizer) -> Processor:
    """The tokenizer as one that reads pictures.

    Raises:
        SelftaughtError: if it does not.
    """
    if not isinstance(tokenizer, Processor):
        raise SelftaughtError(
            "this model reads text alone, and is asked about pictures",
            do="begin from a network over pictures, with --set model.text_init=RUN for the language model",
        )
    return tokenizer


@lru_cache(maxsize=_KEPT)
def _decoded(place: str, size: int) -> np.ndarray:
    try:
        return decode(Path(place), size)
    except (PictureProblem, ValueError) as problem:
        raise SelftaughtError(f"a picture cannot be read any more: it {problem}", where=place) from None
