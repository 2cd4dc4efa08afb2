"""``selftaught embed``: vectors of texts or pictures, for search, clustering, or any model of one's own."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selftaught.console import tell
from selftaught.data.pair_source import holds_pairs, open_pairs
from selftaught.data.picture_item import PictureSource
from selftaught.data.picture_source import holds_pictures, open_pictures
from selftaught.data.picture_store import decoded
from selftaught.data.source import open_text, require_rows
from selftaught.data.tally import Tally
from selftaught.data.text import Row
from selftaught.data.video_source import holds_videos, open_videos
from selftaught.data.video_store import decoded as decoded_clips
from selftaught.data.video_store import in_memory
from selftaught.errors import SelftaughtError
from selftaught.machine import pick_device, pick_precision
from selftaught.pairs.model import PairModel, holds_pair_model
from selftaught.pictures.model import PictureModel, holds_picture_model
from selftaught.pretrained import open_pretrained
from selftaught.text.features import POOLS, sentence_vectors, text_features
from selftaught.verbs import Place
from selftaught.video.model import VideoModel
from selftaught.word2vec.formats import write_binary, write_text
from selftaught.word2vec.model import WordModel, holds_words

_ROWS_AT_ONCE = 4096
_PICTURES_AT_ONCE = 512
_CLIPS_AT_ONCE = 32
_WORD_FORMS = {".txt": write_text, ".bin": write_binary}


def embed(
    run: Place,
    data: str | None = None,
    *,
    out: Place,
    text: str | None = None,
    frames: bool = False,
    device: str | None = None,
    json: bool = False,
) -> dict[str, Any]:
    """Write the vector of each row of the data to a Parquet file: text, file, line, vector; of pictures and videos
    file, line, label, vector.

    It is the sentence vector of a model that was trained to make one, and otherwise the features that a probe sees; of
    word vectors, the weighted mean of a text's words. Without DATA, word vectors themselves are written.

    Args:
        run: A run, or a checkpoint folder of transformers.
        data: Text, pictures or videos as for pretrain; a line of a text file is a row.
        out: The Parquet file; of the words themselves also .txt or .bin, which are word2vec's own forms.
        text: The column that holds the text.
        frames: Of videos write a vector of each frame, with its second, rather than one of each clip.
        device: cpu, cuda, …
        json: Print one JSON object.
    """
    out = Path(out)
    if data is None:
        return _words(WordModel.load(run), out, json)
    if out.is_dir():
        raise SelftaughtError("this is a folder, not a Parquet file", where=str(out), do="name a file in it")
    moving = (
        holds_picture_model(run) and holds_videos(data) and not holds_pairs(data)
    )  # numbered, they look like frames
    if frames and not moving:
        raise SelftaughtError(
            "--frames is for videos", do="leave it out, or give a run on pictures or videos, and videos"
        )
    if moving:
        found = _of_videos(run, data, device, frames=frames)
    elif holds_pair_model(run):
        found = _of_towers(run, data, text, device)
    else:
        found = _of_pictures(run, data, device) if holds_picture_model(run) else _of_text(run, data, text, device)
    width, kind, tally = found.width, found.kind, found.tally
    schema = pa.schema([*found.columns, ("vector", pa.list_(pa.float32(), width))])
    aside = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(aside, schema) as writer:
            for columns, vectors in found.blocks:
                rows = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
                writer.write_table(pa.table([*columns, rows], schema=schema))
        found.require()
        aside.replace(out)
    except OSError as error:
        what = f"the vectors cannot be written: {error}"
        raise SelftaughtError(what, where=str(out), do="choose another --out") from error
    finally:
        with suppress(OSError):  # not made, or the folder is a file
            aside.unlink()
    report = {"verb": "embed", "out": str(out), "rows": tally.to_json(), "dimensions": width, "kind": kind}
    return tell(
        report, [f"rows        {tally.summary()}", f"vectors     {out}, {kind} of {width} dimensions"], json=json
    )


@dataclass(frozen=True)
class _Found:
    """What is to be written.

    Args:
        width: numbers of a vector.
        kind: what the vectors are.
        columns: the columns before the vectors, with their types.
        blocks: some rows at a time: the columns, and the vectors float32 [N, D].
        require: raises if there was nothing.
    """

    width: int
    kind: str
    columns: list[tuple[str, pa.DataType]]
    blocks: Iterator[tuple[list[list[Any]], np.ndarray]]
    tally: Tally
    require: Callable[[], None]


def _of_text(run: Place, data: str, text: str | None, device: str | None) -> _Found:
    return _texts(*_vectors(run, device), data, text)


def _texts(values: Callable[[list[str]], np.ndarray], width: int, kind: str, data: str, text: str | None) -> _Found:
    tally, source = Tally(), open_text(data, text=text)

    def blocks() -> Iterator[tuple[list[list[Any]], np.ndarray]]:
        for block in _blocks(iter(source.rows(tally))):
            texts = [row.text.strip() for row in block]
            yield [texts, [row.file for row in block], [row.line for row in block]], values(texts)

    columns = [("text", pa.string()), ("file", pa.string()), ("line", pa.int64())]
    return _Found(width, kind, columns, blocks(), tally, lambda: require_rows(source, tally))


def _of_towers(run: Place, data: str, text: str | None, device: str | None) -> _Found:
    """Of two towers: vectors of pictures, or of texts where the data is text or a column of it is named."""
    where = pick_device(device)
    model = PairModel.load(run, pick_precision(where)).to(where)
    if text is not None or not (holds_pictures(data) or holds_pairs(data)):
        return _texts(
            lambda texts: model.of_texts(texts), model.width, "vectors of texts, in the space of pictures", data, text
        )
    source = open_pairs(data) if holds_pairs(data) else open_pictures(data)
    return _pictures(
        source, model.spec.resolution, model.of_pictures, model.width, "vectors of pictures, in the space of texts"
    )


def _of_pictures(run: Place, data: str, device: str | None) -> _Found:
    where = pick_device(device)
    model, source = PictureModel.load(run, pick_precision(where)), open_pictures(data)
    model.backbone.to(where)
    return _pictures(source, model.spec.resolution, model.features, model.backbone.width, "features of pictures")


def _pictures(
    source: PictureSource, side: int, values: Callable[[np.ndarray], np.ndarray], width: int, kind: str
) -> _Found:
    tally = Tally()

    def blocks() -> Iterator[tuple[list[list[Any]], np.ndarray]]:
        pictures = decoded(source, side, tally)
        while block := list(islice(pictures, _PICTURES_AT_ONCE)):
            items = [item for item, _ in block]
            columns: list[list[Any]] = [[i.file for i in items], [i.line for i in items], [i.label for i in items]]
            yield columns, values(np.stack([pixels for _, pixels in block]))

    def require() -> None:
        if not tally.kept:
            what = f"not one picture can be used; {'; '.join(tally.named(1))}"
            raise SelftaughtError(what, where=source.description, do="give other pictures")

    columns = [("file", pa.string()), ("line", pa.int64()), ("label", pa.string())]
    return _Found(width, kind, columns, blocks(), tally, require)


def _of_videos(run: Place, data: str, device: str | None, *, frames: bool) -> _Found:
    where = pick_device(device)
    model, tally, source = VideoModel.load(run, pick_precision(where)), Tally(), open_videos(data)
    picture, rate = model.picture, model.spec.rate
    picture.backbone.to(where)

    def blocks() -> Iterator[tuple[list[list[Any]], np.ndarray]]:
        clips = decoded_clips(source, picture.spec.resolution, rate, tally)
        while block := list(islice(clips, _CLIPS_AT_ONCE)):
            items, store = [item for item, _ in block], in_memory(block, rate)
            times = [len(one) if frames else 1 for _, one in block]
            columns = [
                [name for item, n in zip(items, times, strict=True) for name in [getattr(item, column)] * n]
                for column in ("file", "line", "label")
            ]
            if frames:
                columns.append([place / rate for n in times for place in range(n)])
                yield columns, picture.features(store.frames)
            else:
                yield columns, model.features(store, range(len(items)))

    def require() -> None:
        if not tally.kept:
            what = f"not one clip can be used; {'; '.join(tally.named(1))}"
            raise SelftaughtError(what, where=source.description, do="give other videos")

    names = [("file", pa.string()), ("line", pa.int64()), ("label", pa.string())]
    if frames:
        return _Found(
            picture.backbone.width, "features of frames", [*names, ("second", pa.float64())], blocks(), tally, require
        )
    return _Found(model.width, "features of clips", names, blocks(), tally, require)


def _vectors(run: Place, device: str | None) -> tuple[Callable[[list[str]], np.ndarray], int, str]:
    """What makes vectors of texts, float32 [N, D], and D, and what the vectors are."""
    if holds_words(run):
        model = WordModel.load(run)
        return model.text_vectors, model.vectors.shape[1], "weighted means of word vectors"
    pretrained = open_pretrained(run)
    pretrained.backbone.to(pick_device(device))
    backbone, tokenizer, pooling = pretrained.backbone, pretrained.tokenizer, pretrained.pooling
    if pooling is None:
        return lambda texts: text_features(backbone, tokenizer, texts), POOLS * backbone.width, "features"
    return lambda texts: sentence_vectors(backbone, tokenizer, texts, pooling), backbone.width, "sentence vectors"


def _words(model: WordModel, out: Path, json: bool) -> dict[str, Any]:
    """Write each word with its vector and how often it occurs."""
    words, vectors = model.vocabulary.words, model.vectors
    aside = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix in _WORD_FORMS:
            _WORD_FORMS[out.suffix](aside, words, vectors)
        else:
            numbers = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
            columns = {"word": list(words), "count": model.vocabulary.counts, "vector": numbers}
            pq.write_table(pa.table(columns), aside)
        aside.replace(out)
    except OSError as error:
        what = f"the vectors cannot be written: {error}"
        raise SelftaughtError(what, where=str(out), do="choose another --out") from error
    report = {"verb": "embed", "out": str(out), "words": len(words), "dimensions": vectors.shape[1], "kind": "words"}
    return tell(report, [f"vectors     {out}, {len(words):,} words of {vectors.shape[1]} dimensions"], json=json)


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while block := list(islice(rows, _ROWS_AT_ONCE)):
        yield block
