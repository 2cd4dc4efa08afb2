"""A tokenizer that reads pictures and clips too: what transformers calls a processor."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selftaught.data.sights import SightProblem, load_sight
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch

_KEPT = 4096  # decoded pictures and clips that are kept in memory

Document = tuple[list[int], np.ndarray]
"""The tokens of a text and the picture that it is about, uint8 [F, 3, S, S]: one frame, or those of a clip."""


@dataclass(frozen=True)
class Processor(TextTokenizer):
    """A tokenizer, and how pictures are brought to what a network reads.

    Args:
        resolution: the sides of a picture, in pixels (S).
        frames: of a clip that are looked at, at most.
    """

    resolution: int
    frames: int

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "resolution": self.resolution, "frames": self.frames}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name in ("resolution", "frames"):
            object.__setattr__(self, name, state[name])
        super().__setstate__(state)

    def sight(self, place: str) -> np.ndarray:
        """A picture or the frames of a clip, uint8 [F, 3, S, S].

        Raises:
            SelftaughtError: if it cannot be read.
        """
        return _loaded(place, self.resolution, self.frames)

    def shown(self, rows: Sequence[Sequence[Document]], *, before: bool = False) -> Batch:
        """Rows of documents as ``Flamingo`` reads them: tokens, the picture that each of them sees, and the pictures.

        ``input_ids`` int64 and ``attention_mask`` bool, [B, T]; ``media`` int64 [B, T], the number of the document that
        a token is in, from 1 on, and 0 on padding; ``pixels`` uint8 [B, M, F, 3, S, S], the pictures of the documents;
        ``frames`` int64 [B, M], how many frames each has. What is not there is black.

        Args:
            before: put the padding before the tokens, so that all rows can be continued.
        """
        tokens = [[token for ids, _ in documents for token in ids] for documents in rows]
        batch: Batch = dict(self.padded(tokens, before=before))
        numbers = [number for documents in rows for number, (ids, _) in enumerate(documents, 1) for _ in ids]
        batch["media"] = torch.zeros_like(batch["input_ids"])
        batch["media"][batch["attention_mask"]] = torch.tensor(numbers)
        return {**batch, **_stacked([[sight for _, sight in documents] for documents in rows])}


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


def _stacked(rows: Sequence[Sequence[np.ndarray]]) -> dict[str, Tensor]:
    """Pictures uint8 [F, 3, S, S] of different lengths as ``pixels`` and ``frames``."""
    most, longest = max(map(len, rows)), max(len(sight) for row in rows for sight in row)
    pixels = torch.zeros(len(rows), most, longest, *rows[0][0].shape[1:], dtype=torch.uint8)
    frames = torch.ones(len(rows), most, dtype=torch.long)
    for i, row in enumerate(rows):
        for j, sight in enumerate(row):
            pixels[i, j, : len(sight)] = torch.from_numpy(np.array(sight))
            frames[i, j] = len(sight)
    return {"pixels": pixels, "frames": frames}


@lru_cache(maxsize=_KEPT)
def _loaded(place: str, size: int, frames: int) -> np.ndarray:
    try:
        return load_sight(place, size, frames)
    except SightProblem as problem:
        raise SelftaughtError(f"this picture {problem}", where=place) from None
