"""Pictures to be searched: the vector of each."""

from collections.abc import Callable
from itertools import islice

import numpy as np

from selftaught.data.pair_item import PairItem
from selftaught.data.picture_item import PictureSource
from selftaught.data.picture_store import decoded
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.vector_index import Index

_AT_ONCE = 512


def index_pictures(source: PictureSource, side: int, encode: Callable[[np.ndarray], np.ndarray]) -> Index:
    """The vectors of all pictures of a source.

    Args:
        side: of the pictures that ``encode`` takes, in pixels.
        encode: uint8 [N, 3, S, S] to float32 [N, D], of length one.

    Raises:
        SelftaughtError: if not one picture can be used.
    """
    tally, places, captions, vectors = Tally(), list[str](), list[str](), list[np.ndarray]()
    pictures = decoded(source, side, tally)
    while block := list(islice(pictures, _AT_ONCE)):
        places += [f"{item.file}:{item.line}" if item.line else item.file for item, _ in block]
        captions += [" | ".join(item.texts) if isinstance(item, PairItem) else "" for item, _ in block]
        vectors.append(encode(np.stack([pixels for _, pixels in block])))
    if not places:
        raise SelftaughtError(
            f"not one picture can be used; {'; '.join(tally.named(1))}", where=source.description, do="give others"
        )
    return Index(tuple(places), tuple(captions), np.concatenate(vectors), tuple(tally.note(source.description)))
