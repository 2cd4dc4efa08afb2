"""Single sentences as samples, padded to the longest of their batch."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from selftaught.data.store import TokenStore
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch, TextSpec

SHORTEST = 4  # tokens; "Yes." says too little of itself


@dataclass(frozen=True)
class Sentences:
    """The sentences of a token store, or the short texts: a line or a record that holds no whole sentence is one too.

    No token is lost. A sentence of fewer than four tokens is joined to the next one of its document (the last to the
    one before it); one that is too long for a row gives several samples.

    Args:
        store: the tokens, with where sentences begin.
        length: the most tokens a sample, with those that open and close it.
        spec: names the tokens that open, close and pad a sample.
    """

    store: TokenStore
    length: int
    spec: TextSpec

    def __post_init__(self) -> None:
        if not len(self):
            raise SelftaughtError(
                "there is not one sentence in the text", where=str(self.store.folder), do="give more text"
            )

    def __len__(self) -> int:
        return len(self._spans[0])

    def __str__(self) -> str:
        return f"{len(self):,} sentences an epoch, of {self.tokens:.0f} tokens on average"

    @property
    def tokens(self) -> float:
        begins, ends = self._spans
        return float((ends - begins).mean()) + self._around

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """Sentences ``indices`` [B]: ``input_ids`` int64 and ``attention_mask`` bool, [B, T] with T <= ``length``.

        They are the same in each epoch; only their order is not.
        """
        begins, ends = (bound[indices, None] for bound in self._spans)
        opening = int(self.spec.cls_id is not None)
        sizes = ends - begins + self._around
        place = np.arange(sizes.max())
        tokens = self.store.take(np.minimum(begins + np.maximum(place - opening, 0), ends - 1))
        if self.spec.cls_id is not None:
            tokens[:, 0] = self.spec.cls_id
        if self.spec.sep_id is not None:
            np.put_along_axis(tokens, sizes - 1, self.spec.sep_id, 1)
        mask = place < sizes
        return {
            "input_ids": torch.from_numpy(np.where(mask, tokens, self.spec.pad_id)),
            "attention_mask": torch.from_numpy(mask),
        }

    @property
    def _around(self) -> int:
        """How many tokens open and close a sample."""
        return sum(token is not None for token in (self.spec.cls_id, self.spec.sep_id))

    @cached_property
    def _spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each sample begins and ends in the store: int64 [N] each."""
        begins, ends = _joined(self.store, closed=self.spec.sep_id is not None)
        room = self.length - self._around
        parts = -(-(ends - begins) // room)
        number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        begins = np.repeat(begins, parts) + number * room
        return begins, np.minimum(begins + room, np.repeat(ends, parts))


def _joined(store: TokenStore, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where sentences begin and end, int64 [S] each, once the very short ones are joined to others."""
    begins = np.array(store.sentence_starts)
    document = store.document_of(begins)
    limit = store.document_starts[document + 1] - int(closed)
    ends = np.minimum(np.append(begins[1:], len(store)), limit)
    short = ends - begins < SHORTEST
    another = document[1:] == document[:-1]  # [S - 1]: whether a sentence of the same document follows
    ends_document = np.append(~another, True)
    joined = another & (short[:-1] | (short & ends_document)[1:])  # [S - 1]: whether the next is no sample of its own
    return begins[np.append(True, ~joined)[: len(begins)]], ends[np.append(~joined, True)[: len(begins)]]
