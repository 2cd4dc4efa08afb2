"""Pairs of segments: two that follow each other in a document, and one from elsewhere in place of the second.

A segment is one or more whole sentences. Which segments a sample is made of is computed from (seed, epoch, index).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from selftaught.data.store import TokenStore
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch, TextSpec
from selftaught.randomness import Randomness

SPECIALS = 3  # [CLS] first [SEP] second [SEP]
_DRAWS = 1 << 31
_COUNTED = 256


@dataclass(frozen=True)
class SegmentPairs:
    """The breaks between the sentences of each document, with the segments on both sides.

    The breaks are divided evenly among the samples of an epoch, and each epoch draws one of each share; so an epoch
    reads about as many tokens as the text has. The first segment ends at the break and the second begins there. How
    the row's room is divided between them is drawn, and both are filled alike, with as many whole sentences as fit:
    neither by its length nor by its edges does a segment say which it is. A sentence that is too long alone loses its
    beginning or its end, as a coin decides.

    The third segment begins at a break of another document, and is as long as the second might be. Where there
    is but one document, it is from the half of the text that is farther away.

    Args:
        store: the tokens, with where sentences begin.
        length: tokens of a row that holds two segments and what stands around them.
        seed: decides what each epoch draws; None for the same draws in every epoch (evaluation).
        spec: names the tokens that close and pad.
    """

    store: TokenStore
    length: int
    seed: int | None
    spec: TextSpec

    def __post_init__(self) -> None:
        if self.breaks < 2:
            raise SelftaughtError(
                "there are no pairs of sentences to ask about: hardly a document has two sentences",
                where=str(self.store.folder),
                do="give running text, or take an objective that does not ask about pairs",
            )

    def __len__(self) -> int:
        return max(1, min(self.breaks, len(self.store) // self.length))

    def __str__(self) -> str:
        alone = self.store.manifest.documents - int((np.diff(self._firsts) > 1).sum())
        sentence = f"{len(self):,} pairs of segments an epoch, about {self.breaks:,} breaks between sentences"
        return sentence + (f"; {alone:,} documents of one sentence have none" if alone else "")

    @cached_property
    def tokens(self) -> float:
        """Of a row of two segments, from some samples spread over an epoch."""
        some = np.linspace(0, len(self) - 1, min(len(self), _COUNTED)).astype(np.int64)
        sizes = self.take(some, np.zeros_like(some))["attention_mask"].sum(2)
        return float(sizes[:, :2].sum(1).float().mean()) + SPECIALS

    @property
    def breaks(self) -> int:
        """Places with a sentence of the same document on both sides."""
        return len(self._starts) - (len(self._firsts) - 1)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """Samples ``indices`` [B] as drawn in ``epochs`` [B]: ``input_ids`` int64 and ``attention_mask`` bool.

        Both are [B, 3, S] with S = ``length`` - 3: a first segment, the second that follows it, one from elsewhere.
        The first and either of the others are S tokens together at most.
        """
        drawn_in = epochs if self.seed is not None else np.zeros_like(epochs)
        rng = Randomness.of(self.seed or 0, torch.from_numpy(drawn_in), torch.from_numpy(indices)).child("segments")
        low, high = (place * self.breaks // len(self) for place in (indices, indices + 1))
        chosen = low + _integers(rng, "break") % (high - low)
        room = self.length - SPECIALS
        least = max(1, room // 4)
        first_room = least + _integers(rng, "room") % (room - 2 * least + 1)
        coins = rng.integers("coins", 2, 3).bool().numpy()
        parts = [
            self._before(chosen, first_room, coins[:, 0]),
            self._after(chosen, room - first_room, coins[:, 1]),
            self._after(self._elsewhere(chosen, _integers(rng, "elsewhere")), room - first_room, coins[:, 2]),
        ]
        begins, ends = (np.stack(bounds, 1)[:, :, None] for bounds in zip(*parts, strict=True))  # [B, 3, 1]
        places = begins + np.arange(room)
        mask = places < ends
        tokens = self.store.take(np.minimum(places, ends - 1))
        return {
            "input_ids": torch.from_numpy(np.where(mask, tokens, self.spec.pad_id)),
            "attention_mask": torch.from_numpy(mask),
        }

    @property
    def _starts(self) -> np.ndarray:
        return self.store.sentence_starts

    @cached_property
    def _firsts(self) -> np.ndarray:
        """The number of the first sentence of each document that has one, and that of all sentences: int64 [D + 1]."""
        found = np.unique(np.searchsorted(self._starts, self.store.document_starts[:-1]))
        return np.append(found[found < len(self._starts)], len(self._starts))

    def _place(self, breaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which document each break is in, and the number of the sentence that begins there: int64 [B] each."""
        before = self._firsts - np.arange(len(self._firsts))  # breaks in the documents before each
        document = np.searchsorted(before, breaks, "right") - 1
        return document, breaks + document + 1

    def _elsewhere(self, breaks: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """A break of another document for each; where there is none, of the half of the text that is farther away."""
        document, _ = self._place(breaks)
        low, high = self._firsts[document] - document, self._firsts[document + 1] - document - 1
        near = self.breaks // 4
        alone = high - low == self.breaks
        low = np.where(alone, np.maximum(breaks - near, 0), low)
        high = np.where(alone, np.minimum(breaks + near + 1, self.breaks), high)
        drawn = draws % (self.breaks - (high - low))
        return np.where(drawn < low, drawn, drawn + high - low)

    def _before(self, breaks: np.ndarray, room: np.ndarray, keeps_end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The whole sentences before each break that have room, or part of the last: where they begin and end, [B]."""
        document, sentence = self._place(breaks)
        here, last = self._starts[sentence], self._starts[sentence - 1]
        earliest = np.maximum(here - room, self._starts[self._firsts[document]])
        begin = self._starts[np.searchsorted(self._starts, earliest)]
        cut = begin == here
        begin = np.where(cut, np.where(keeps_end, here - room, last), begin)
        return begin, np.where(cut, begin + room, here)

    def _after(self, breaks: np.ndarray, room: np.ndarray, keeps_end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for the sentences after each break."""
        _, sentence = self._place(breaks)
        here = self._starts[sentence]
        closed = int(self.spec.sep_id is not None)
        stop = self.store.document_starts[self.store.document_of(here) + 1] - closed
        next_ = self._starts[np.minimum(sentence + 1, len(self._starts) - 1)]
        sentence_end = np.where(next_ > here, np.minimum(next_, stop), stop)
        fitting = self._starts[np.searchsorted(self._starts, here + room, "right") - 1]
        end = np.where(here + room >= stop, stop, fitting)
        cut = end == here
        begin = np.where(cut & keeps_end, sentence_end - room, here)
        return begin, np.where(cut, begin + room, end)


def _integers(rng: Randomness, name: str) -> np.ndarray:
    drawn: Tensor = rng.integers(name, _DRAWS)
    return drawn.numpy()
