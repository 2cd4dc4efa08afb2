"""What an objective's samples are made of, by the name that it asks for them with."""

from typing import Protocol

from selftaught.data.loader import Source
from selftaught.data.pack import PackedRows
from selftaught.data.segment_pairs import SegmentPairs
from selftaught.data.sentences import Sentences
from selftaught.data.store import TokenStore
from selftaught.objective import Samples, TextSpec


class TextSamples(Source, Protocol):
    """Samples of text; as text they say how many an epoch has."""

    @property
    def tokens(self) -> float:
        """Tokens of the text in a sample, on average; padding is none."""
        ...


def samples_of(store: TokenStore, kind: Samples, length: int, seed: int | None, spec: TextSpec) -> TextSamples:
    """The samples of a token store.

    Args:
        kind: see :data:`selftaught.objective.Samples`.
        length: the most tokens a sample.
        seed: decides how each epoch cuts the text; None for samples that are always the same (evaluation).
        spec: names the special tokens.

    Raises:
        SelftaughtError: if the text is too short for one sample.
    """
    match kind:
        case "rows":
            return PackedRows(store, length, seed)
        case "pairs":
            return SegmentPairs(store, length, seed, spec)
        case "sentences":
            return Sentences(store, length, spec)
        case "captions":
            raise ValueError("a store of text has no captions; see selftaught.data.captions")
