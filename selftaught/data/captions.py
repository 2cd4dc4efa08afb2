"""Captions with their pictures as rows of tokens, for a language model that sees."""

from dataclasses import dataclass

import numpy as np
import torch

from selftaught.data.pair_store import PairStore
from selftaught.data.processor import Document, Processor
from selftaught.objective import Batch
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Captions:
    """Some of the captions of a store, as the loader takes them.

    Args:
        places: of the captions in ``store.texts``, int64 [N].
        ids: their tokens, opened and closed as documents are, and cut at ``longest``.
        together: captions a row; the others are drawn, and come before the one that the row is the sample of.
        seed: of the draws.
    """

    store: PairStore
    processor: Processor
    places: np.ndarray
    ids: tuple[list[int], ...]
    together: int
    seed: int

    @classmethod
    def of(
        cls, store: PairStore, processor: Processor, *, held_out: bool, longest: int, together: int, seed: int
    ) -> "Captions":
        """The captions to train on, or those that are kept from it."""
        places = np.flatnonzero(store.held_out[store.owners] == held_out)
        opening, _, closing = processor.frame
        room = longest // together - len(opening) - len(closing)
        texts = processor.encode([store.texts[i] for i in places])
        ids = tuple(opening + some[:room] + closing for some in texts)
        return cls(store, processor, places, ids, together, seed)

    def __len__(self) -> int:
        return len(self.places)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """Rows as ``Flamingo`` reads them; see :meth:`selftaught.data.processor.Processor.shown`."""
        rng = Randomness.of(self.seed, torch.from_numpy(epochs), torch.from_numpy(indices))
        rows = rng.integers("captions of a row", len(self), self.together).numpy()
        rows[:, -1] = indices
        return self.processor.shown([[self._document(i) for i in row] for row in rows.tolist()])

    def _document(self, index: int) -> Document:
        return self.ids[index], self.store.sight(self.store.owners[self.places[index]])
