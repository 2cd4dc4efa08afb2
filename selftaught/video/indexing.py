"""Clips to be searched: the vector of each."""

from itertools import islice

import numpy as np

from selftaught.data.tally import Tally
from selftaught.data.video_item import VideoSource
from selftaught.data.video_store import VideoStore, decoded, in_memory
from selftaught.errors import SelftaughtError
from selftaught.vector_index import Index, of_length_one
from selftaught.video.model import VideoModel

_AT_ONCE = 32


def index_clips(source: VideoSource, model: VideoModel) -> Index:
    """The features of all clips of a source.

    Raises:
        SelftaughtError: if not one clip can be used.
    """
    tally, rate, found = Tally(), model.spec.rate, list[Index]()
    clips = decoded(source, model.picture.spec.resolution, rate, tally)
    while block := list(islice(clips, _AT_ONCE)):
        found.append(index_of_store(in_memory(block, rate), model))
    if not found:
        raise SelftaughtError(
            f"not one clip can be used; {'; '.join(tally.named(1))}", where=source.description, do="give others"
        )
    places = tuple(place for part in found for place in part.places)
    captions = tuple(said for part in found for said in part.captions)
    vectors = np.concatenate([part.vectors for part in found])
    return Index(places, captions, vectors, tuple(tally.note(source.description)))


def index_of_store(store: VideoStore, model: VideoModel) -> Index:
    """The features of clips that are decoded already; what is written about them is their labels."""
    return Index(store.files, store.labels, of_length_one(model.features(store, range(len(store)))))
