"""Whole documents as samples: of each a window, so that no sample holds text of two, and no two text of one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from selftaught.data.store import TokenStore
from selftaught.objective import Batch
from selftaught.randomness import Randomness

_DRAWS = 1 << 31


@dataclass(frozen=True)
class Documents:
    """A token store as its documents.

    Args:
        store: the tokens.
        length: the most tokens of a window (T).
        seed: decides where a window begins in a document that is longer, anew each epoch.
        pad_id: fills the rows of shorter ones.
    """

    store: TokenStore
    length: int
    seed: int
    pad_id: int

    def __len__(self) -> int:
        return self.store.manifest.documents

    def __str__(self) -> str:
        return f"{len(self):,} documents, of each a window of at most {self.length} tokens"

    @property
    def tokens(self) -> float:
        """Tokens of a window, on average."""
        return float(np.minimum(self._sizes, self.length).mean())

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """A window of each of the documents ``indices`` [B] as drawn in ``epochs`` [B].

        ``input_ids`` int64 and ``attention_mask`` bool, [B, T] with T the longest of them.
        """
        sizes = np.minimum(self._sizes[indices], self.length)
        rng = Randomness.of(self.seed, torch.from_numpy(epochs), torch.from_numpy(indices)).child("window")
        room = self._sizes[indices] - sizes + 1
        begins = self.store.document_starts[indices] + rng.integers("begin", _DRAWS).numpy() % room
        place = np.arange(sizes.max())
        mask = place < sizes[:, None]
        ids = self.store.take(np.minimum(begins[:, None] + place, len(self.store) - 1))
        return {
            "input_ids": torch.from_numpy(np.where(mask, ids, self.pad_id)),
            "attention_mask": torch.from_numpy(mask),
        }

    @cached_property
    def _sizes(self) -> np.ndarray:
        """Tokens of each document, int64 [D]."""
        return np.diff(self.store.document_starts)
