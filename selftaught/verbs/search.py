"""``selftaught search``: the pictures that are nearest to words or to another picture, the clips nearest to a clip."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from selftaught.console import tell
from selftaught.data.pair_source import holds_pairs, open_pairs
from selftaught.data.pair_store import read_store as read_pairs
from selftaught.data.picture_decoding import SUFFIXES, PictureProblem, decode
from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import read_pictures
from selftaught.data.video_decoding import SUFFIXES as VIDEO_SUFFIXES
from selftaught.data.video_source import holds_videos, open_videos
from selftaught.data.video_store import read_clips
from selftaught.errors import SelftaughtError
from selftaught.machine import pick_device, pick_precision
from selftaught.pairs.model import PairModel, holds_pair_model, pair_folder
from selftaught.pictures.indexing import index_pictures
from selftaught.pictures.model import PictureModel, picture_folder
from selftaught.pretrained import weights_sha256
from selftaught.run.folder import Run
from selftaught.vector_index import Index, kept, of_length_one, read_index
from selftaught.verbs import Place
from selftaught.video.indexing import index_clips, index_of_store
from selftaught.video.model import VideoModel


def search(
    run: Place,
    query: str,
    *,
    in_: Annotated[str | None, Parameter(name="--in")] = None,
    top: int = 10,
    text: str | None = None,
    image: str | None = None,
    device: str | None = None,
    json: bool = False,
) -> dict[str, Any]:
    """Find the pictures that are nearest to words or to another picture, or the clips nearest to a clip, by cosines.

    Words can be asked for of a run of clip; pictures also of any other run on pictures, clips of runs on videos or
    pictures. The vectors of what is searched are made once and kept in RUN/search.

    Args:
        run: A run, or a checkpoint folder of transformers.
        query: Words, or the file of a picture or a video.
        in_: What is searched: pictures or videos as for pretrain, or the Parquet file that embed wrote of them; what
            the run was pretrained on if not given.
        top: How many to name.
        text: With --in, the column of captions (of labels, where clips are searched), in files that have columns.
        image: With --in, the column of pictures or clips.
        device: cpu, cuda, …
        json: Print one JSON object.
    """
    if top < 1:
        raise SelftaughtError("--top must be at least 1")
    if not query.strip():
        raise SelftaughtError("there is nothing to search for", do="give some words, or the file of a picture")
    asked = _asked(run, query, device, text, image)
    vector = asked.vector(query)
    found = asked.index(Path(run), in_)
    near = found.nearest(vector, top)
    report = {
        "verb": "search",
        "query": query,
        "among": len(found.places),
        "found": [{"file": place, "caption": said, "cosine": cosine} for place, said, cosine in near],
        "notes": list(found.notes),
    }
    lines = ["\t".join(filter(None, (f"{cosine:.3f}", place, said))) for place, said, cosine in near]
    return tell(report, [*lines, *found.notes], json=json)


@dataclass(frozen=True)
class _Asked:
    """A model that is asked for vectors of length one.

    Args:
        kind: what is searched, as its files are called.
        width: numbers of a vector.
        of_words: words to float32 [D].
        of_file: a file to float32 [D].
        own: what the run was trained on; None if that is not at hand.
        among: other data, as for pretrain, with its fingerprint and what makes the index of it.
        folder: of its weights.
    """

    kind: str
    width: int
    of_words: Callable[[str], np.ndarray]
    of_file: Callable[[str], np.ndarray]
    own: Callable[[], Index | None]
    among: Callable[[str], tuple[str, Callable[[], Index]]]
    folder: Path

    def vector(self, query: str) -> np.ndarray:
        """Of the query: of what is in it, if it is a file; of the words else."""
        if self.kind == "clips" or _is_file(query):
            return self.of_file(query)
        if query.lower().endswith((*SUFFIXES, *VIDEO_SUFFIXES)) and " " not in query:
            raise SelftaughtError(f"there is no file {query!r}", do="check the path")
        return self.of_words(query)

    def index(self, run: Path, data: str | None) -> Index:
        """Of what is searched; kept in the run."""
        if data is None:
            found = self.own()
            if found is None:
                raise SelftaughtError(
                    f"the {self.kind} that this model was trained on are not at hand",
                    where=str(run),
                    do="name some with --in",
                )
            return found
        if data.endswith(".parquet") and _is_index(Path(data)):
            return read_index(Path(data), self.width)
        fingerprint, make = self.among(data)
        where = run / "search" if Run(run).recipe.exists() else None
        return kept(where, f"{fingerprint}:{self.width}:{weights_sha256(self.folder)}", make)


def _asked(run: Place, query: str, device: str | None, text: str | None, image: str | None) -> _Asked:
    """What answers this query: two towers, a network over clips if the query is one, a network over pictures."""
    where = pick_device(device)
    precision = pick_precision(where)
    if holds_pair_model(run):
        return _towers(run, PairModel.load(run, precision).to(where), text, image)
    if _is_clip(query):
        moving = VideoModel.load(run, precision)
        moving.picture.backbone.to(where)
        return _clips(run, moving, text, image)
    model = PictureModel.load(run, precision)
    model.backbone.to(where)
    return _pictures(run, model, text, image)


def _towers(run: Place, both: PairModel, text: str | None, image: str | None) -> _Asked:
    folder, side = pair_folder(Path(run)), both.spec.resolution
    assert folder is not None
    own = partial(_stored, Path(run), both.of_pictures)
    among = partial(_index_of_pictures, side, both.of_pictures, text, image)
    of_file = partial(_picture, side, both.of_pictures)
    return _Asked("pictures", both.width, lambda words: both.of_texts([words])[0], of_file, own, among, folder)


def _pictures(run: Place, model: PictureModel, text: str | None, image: str | None) -> _Asked:
    def encode(pixels: np.ndarray) -> np.ndarray:
        return of_length_one(model.features(pixels))

    folder, side = picture_folder(Path(run)), model.spec.resolution
    assert folder is not None
    own = partial(_stored, Path(run), encode)
    among = partial(_index_of_pictures, side, encode, text, image)
    of_file = partial(_picture, side, encode)
    return _Asked("pictures", model.backbone.width, partial(_no_words, run), of_file, own, among, folder)


def _clips(run: Place, model: VideoModel, text: str | None, image: str | None) -> _Asked:
    folder = picture_folder(Path(run))
    assert folder is not None

    def of_file(query: str) -> np.ndarray:
        found = index_clips(open_videos(query), model)
        if len(found.places) > 1:
            raise SelftaughtError(
                f"there are {len(found.places):,} clips in it", where=query, do="search by one of them"
            )
        return found.vectors[0]

    def own() -> Index | None:
        store = read_clips(Path(run) / "clips")
        return None if store is None else index_of_store(store, model)

    def among(data: str) -> tuple[str, Callable[[], Index]]:
        source = open_videos(data, clip=image, label=text)
        return f"{source.fingerprint}:{model.whole}", partial(index_clips, source, model)

    return _Asked("clips", model.width, partial(_no_words, run), of_file, own, among, folder)


def _is_file(query: str) -> bool:
    with suppress(OSError, ValueError):  # longer than a file name can be
        return Path(query).is_file()
    return False


def _is_clip(query: str) -> bool:
    """Whether it is a video, or a folder of frames."""
    with suppress(OSError, ValueError):
        return Path(query).exists() and holds_videos(query)
    return False


def _no_words(run: Place, words: str) -> np.ndarray:
    raise SelftaughtError(
        "this network reads no words",
        where=str(run),
        do="search by a picture or a clip, or give a run of --objective clip",
    )


def _picture(side: int, encode: Callable[[np.ndarray], np.ndarray], query: str) -> np.ndarray:
    try:
        return encode(decode(Path(query), side)[None])[0]
    except PictureProblem as problem:
        raise SelftaughtError(f"the picture {problem}", where=query) from None


def _stored(run: Path, encode: Callable[[np.ndarray], np.ndarray]) -> Index | None:
    """The pictures a run was trained on, with what was written about them, or else their labels."""
    if (pairs := read_pairs(run / "pictures")) is not None:
        captions = tuple(" | ".join(pairs.captions(i)) for i in range(len(pairs.files)))
        return Index(pairs.files, captions, encode(np.asarray(pairs.pixels)))
    if (store := read_pictures(run / "pictures")) is not None:
        return Index(store.files, store.labels, encode(np.asarray(store.pixels)))
    return None


def _index_of_pictures(
    side: int, encode: Callable[[np.ndarray], np.ndarray], text: str | None, image: str | None, data: str
) -> tuple[str, Callable[[], Index]]:
    source = open_pairs(data, text=text, image=image) if holds_pairs(data, text) else open_pictures(data, image=image)
    return f"{source.fingerprint}:{side}", partial(index_pictures, source, side, encode)


def _is_index(file: Path) -> bool:
    """Whether it is a file of vectors rather than one of pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return "vector" in pq.read_schema(file).names
    except (OSError, pa.ArrowException):
        return False
