"""Packing: rows of equal length cut from the documents laid end to end.

No token is padding and none is lost. A row may hold the end of one document and the beginning of the next;
``segments`` says which token belongs to which, and the backbone lets none see another's.
"""

from dataclasses import dataclass

import numpy as np
import torch

from selftaught.data.store import TokenStore
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch
from selftaught.randomness import derive


@dataclass(frozen=True)
class PackedRows:
    """A token store as rows.

    Args:
        store: the tokens.
        length: tokens a row (T).
        seed: decides where each epoch's first row begins, so that the cuts fall elsewhere each time; None for
            rows that are always cut in the same places (evaluation).
    """

    store: TokenStore
    length: int
    seed: int | None

    def __post_init__(self) -> None:
        if len(self.store) < self.length:
            raise SelftaughtError(
                f"the text is too short: {len(self.store)} tokens do not fill one row of {self.length}",
                where=str(self.store.folder),
                do="give more text" + (", or shorter rows with --set train.length=8" if self.length > 8 else ""),
            )

    def __len__(self) -> int:
        rows = len(self.store) // self.length
        return rows if self.seed is None else max(1, rows - 1)  # one row's worth of slack for the shift

    def __str__(self) -> str:
        return f"{len(self):,} rows of {self.length} tokens an epoch"

    @property
    def tokens(self) -> float:
        return float(self.length)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """Rows ``indices`` [B] as cut in ``epochs`` [B]: ``input_ids`` and ``segments``, int64 [B, T]."""
        begin = indices * self.length + np.array([self._shift(epoch) for epoch in epochs.tolist()])
        positions = begin[:, None] + np.arange(self.length)
        documents = self.store.document_of(positions)
        return {
            "input_ids": torch.from_numpy(self.store.take(positions)),
            "segments": torch.from_numpy(documents - documents[:, :1]),
        }

    def _shift(self, epoch: int) -> int:
        if self.seed is None:
            return 0
        slack = len(self.store) - len(self) * self.length
        return derive("shift", self.seed, epoch) % (slack + 1)
