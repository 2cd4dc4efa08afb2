"""Pictures with a caption each, as the loader takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from selftaught.data.pair_store import PairStore
from selftaught.data.tokenise import TextTokenizer
from selftaught.objective import Batch
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class PairSamples:
    """Some of the pictures of a store, each with one of its captions, another one perhaps in another epoch.

    Args:
        rows: their places in the store, int64 [N].
        tokens: ids of each caption of the store.
        alike: a number for each caption of the store, the same for those that read the same; int64 [C].
        seed: decides which caption is drawn.
    """

    store: PairStore
    rows: np.ndarray
    tokenizer: TextTokenizer
    tokens: Sequence[list[int]]
    alike: np.ndarray
    seed: int

    @classmethod
    def of(cls, store: PairStore, rows: np.ndarray, tokenizer: TextTokenizer, longest: int, seed: int) -> "PairSamples":
        """Tokenise all captions; what does not fit into ``longest`` tokens is cut at its end."""
        tokens = tokenizer.framed(store.texts, longest)
        numbers: dict[tuple[int, ...], int] = {}
        alike = np.array([numbers.setdefault(tuple(ids), len(numbers)) for ids in tokens], np.int64)
        return cls(store, rows, tokenizer, tokens, alike, seed)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """``pixels`` uint8 [B, 3, S, S], ``input_ids`` and ``attention_mask`` [B, T], and int64 [B] ``picture`` and
        ``caption``: what each is, so that what is the same can be told."""
        pictures = self.rows[indices]
        first, last = self.store.starts[pictures], self.store.starts[pictures + 1]
        rng = Randomness.of(self.seed, torch.from_numpy(epochs), torch.from_numpy(indices))
        drawn = first + (rng.uniform("caption").numpy().astype(np.float64) * (last - first)).astype(np.int64)
        return {
            "pixels": torch.from_numpy(self.store.pixels[pictures]),
            **self.tokenizer.padded([self.tokens[caption] for caption in drawn]),
            "picture": torch.from_numpy(pictures),
            "caption": torch.from_numpy(self.alike[drawn]),
        }
