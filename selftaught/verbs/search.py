"""``selftaught search``: the pictures that are nearest to words, or to another picture."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from selftaught.console import tell
from selftaught.data.pair_source import holds_pairs, open_pairs
from selftaught.data.pair_store import read_store
from selftaught.data.picture_decoding import SUFFIXES, PictureProblem, decode
from selftaught.data.picture_source import open_pictures
from selftaught.errors import SelftaughtError
from selftaught.machine import pick_device, pick_precision
from selftaught.pairs.index import Index, index_of, read_index
from selftaught.pairs.model import PairModel, holds_pair_model, pair_folder
from selftaught.pictures.model import PictureModel, picture_folder
from selftaught.pretrained import weights_sha256
from selftaught.run import Run
from selftaught.verbs import Place


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
    """Find the pictures that are nearest to words, or to another picture, by their cosines.

    Words can be asked for of a run of clip; pictures also of any other run on pictures. The vectors of what is searched
    are made once and kept in RUN/search.

    Args:
        run: A run, or a checkpoint folder of transformers.
        query: Words, or the file of a picture.
        in_: What is searched: pictures as for pretrain, or the Parquet file that embed wrote of them; what the run was
            pretrained on if not given.
        top: How many pictures to name.
        text: With --in, the column of captions, in files that have columns.
        image: With --in, the column of pictures.
        device: cpu, cuda, …
        json: Print one JSON object.
    """
    if top < 1:
        raise SelftaughtError("--top must be at least 1")
    if not query.strip():
        raise SelftaughtError("there is nothing to search for", do="give some words, or the file of a picture")
    asked = _asked(run, device)
    vector = _vector(asked, query, str(run))
    found = _index(asked, Path(run), in_, text, image)
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
        side: of its pictures, in pixels.
        of_pictures: uint8 [N, 3, S, S] to float32 [N, D].
        of_text: one text to float32 [D]; None if it reads none.
        folder: of its weights.
    """

    side: int
    width: int
    of_pictures: Callable[[np.ndarray], np.ndarray]
    of_text: Callable[[str], np.ndarray] | None
    folder: Path


def _asked(run: Place, device: str | None) -> _Asked:
    where = pick_device(device)
    precision = pick_precision(where)
    if holds_pair_model(run):
        both = PairModel.load(run, precision).to(where)
        folder = pair_folder(Path(run))
        assert folder is not None
        return _Asked(both.spec.resolution, both.width, both.of_pictures, lambda q: both.of_texts([q])[0], folder)
    model = PictureModel.load(run, precision)
    model.backbone.to(where)

    def of_pictures(pixels: np.ndarray) -> np.ndarray:
        found = model.features(pixels)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    folder = picture_folder(Path(run))
    assert folder is not None
    return _Asked(model.spec.resolution, model.backbone.width, of_pictures, None, folder)


def _vector(asked: _Asked, query: str, run: str) -> np.ndarray:
    """Of the query: of the picture, if it is a file; of the words else."""
    with suppress(OSError, ValueError):  # longer than a file name can be
        if Path(query).is_file():
            try:
                return asked.of_pictures(decode(Path(query), asked.side)[None])[0]
            except PictureProblem as problem:
                raise SelftaughtError(f"the picture {problem}", where=query) from None
    if query.lower().endswith(SUFFIXES) and " " not in query:
        raise SelftaughtError(f"there is no picture {query!r}", do="check the path")
    if asked.of_text is None:
        raise SelftaughtError(
            "this network reads no words", where=run, do="search by a picture, or give a run of --objective clip"
        )
    return asked.of_text(query)


def _index(asked: _Asked, run: Path, data: str | None, text: str | None, image: str | None) -> Index:
    if data is None:
        store = read_store(run / "pictures")
        if store is None:
            raise SelftaughtError(
                "the pictures that this model was trained on are not at hand", where=str(run), do="name some with --in"
            )
        captions = tuple(" | ".join(store.captions(i)) for i in range(len(store.files)))
        return Index(store.files, captions, asked.of_pictures(np.asarray(store.pixels)))
    if data.endswith(".parquet") and _is_index(Path(data)):
        return read_index(Path(data), asked.width)
    pairs = holds_pairs(data, text)
    source = open_pairs(data, text=text, image=image) if pairs else open_pictures(data, image=image)
    weights = weights_sha256(asked.folder)
    return index_of(
        source, asked.side, asked.of_pictures, run / "search" if Run(run).recipe.exists() else None, weights
    )


def _is_index(file: Path) -> bool:
    """Whether it is a file of vectors rather than one of pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return "vector" in pq.read_schema(file).names
    except (OSError, pa.ArrowException):
        return False
