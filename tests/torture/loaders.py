"""Every reader of the project, each with files that it reads well, to be damaged."""

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from PIL import Image

from selftaught.data import picture_store, video_store
from selftaught.data.analogies import read_analogies
from selftaught.data.examples import Columns
from selftaught.data.labels import read_labels, read_unlabelled
from selftaught.data.minimal_pairs import read_minimal_pairs
from selftaught.data.pair_source import holds_pairs, open_pairs
from selftaught.data.picture_source import holds_pictures, open_pictures
from selftaught.data.source import open_text, require_rows
from selftaught.data.tally import Tally
from selftaught.data.video_source import holds_videos, open_videos
from selftaught.pairs.zero_shot import read_labels_given
from selftaught.recipe import read_recipe
from selftaught.task import Task
from selftaught.tasks.generate import Generate
from selftaught.word2vec.formats import read_binary
from tests.films import as_bytes, moving_square
from tests.tasks.samples import TASKS, file_of

Files = Mapping[str, bytes]
CHINESE = "这是一个很普通的中文句子。"


@dataclass(frozen=True)
class Loader:
    """A reader, and what it can read.

    Args:
        files: what is damaged, each by its name.
        read: reads a place and returns the tally of its rows and how many it handed out; None if it has no rows.
        beside: files that lie in the same folder and stay whole.
        folder: whether the folder is read rather than the file.
    """

    name: str
    files: Files
    read: Callable[[Path], tuple[Tally, int] | None]
    beside: Files
    folder: bool = False


def loaders() -> list[Loader]:
    """All of them."""
    text = {**_texts(), **_tables({"text": _SENTENCES, "n": [*range(8)]})}
    labelled = _tables({"text": _SENTENCES, "label": ["yes", "no"] * 4})
    paths = _tables({"image": [*_PICTURES, *_PICTURES][:8], "caption": _SENTENCES, "label": ["a", "b"] * 4})
    clips = {"a.mp4": _film(".mp4", 0), "b.mkv": _film(".mkv", 1)}
    films = _tables({"video": [*clips] * 4, "label": ["a", "b"] * 4})
    return [
        Loader("text", text, _text, {}),
        Loader("texts in a folder", text, _text, {"more.txt": b"one\ntwo\n"}, folder=True),
        Loader("labels", labelled, _examples(read_labels), {}),
        Loader("unlabelled", labelled, _examples(read_unlabelled), {}),
        *(_task(kind) for kind in TASKS),
        Loader("pictures in a folder", _PICTURES, _pictures, {"good.png": _picture("png")}, folder=True),
        Loader("pictures", {**_PICTURES, **_arrays(), **_tars(_PICTURES), **_parquet_of_pictures()}, _pictures, {}),
        Loader("pictures in tables", paths, _pictures, _PICTURES),
        Loader("pairs in a folder", {"0.txt": b"one\ntwo\n", "0.png": _picture("png")}, _pairs, _beside(), folder=True),
        Loader("pairs", {**_tars(_beside()), **_parquet_of_pictures(), **paths}, _pairs, _PICTURES),
        Loader("videos", {**clips, **_tars(clips), "c.gif": _gif()}, _videos, {}),
        Loader("videos in tables", films, _videos, clips),
        Loader("videos in a folder", clips, _videos, {"good.mp4": clips["a.mp4"]}, folder=True),
        Loader("analogies", {"a.txt": b": kings\nking queen man woman\nuncle aunt he she\n" * 3}, _analogies, {}),
        Loader("minimal pairs", _minimal_pairs(), _pairs_of_sentences, {}),
        Loader("words of a picture", {"labels.txt": b"a cat\na dog\n", "labels.csv": b"a cat,a dog\n"}, _words, {}),
        Loader("recipe", {"recipe.yaml": _RECIPE}, lambda place: void(read_recipe(place)), {}),
        Loader("word vectors", {"vectors.bin": _vectors()}, lambda place: void(read_binary(place)), {}),
    ]


def void(_: object) -> None:
    """What is read has no rows."""


def _text(place: Path) -> tuple[Tally, int]:
    tally, source = Tally(), open_text(str(place))
    rows = {(row.document, row.line) for row in source.rows(tally)}
    require_rows(source, tally)
    return tally, len(rows)


def _examples(read: Callable[[Path], Any]) -> Callable[[Path], tuple[Tally, int]]:
    def examples(place: Path) -> tuple[Tally, int]:
        found = read(place)
        return found.tally, len(found.examples)

    return examples


def _task(kind: type[Task[Any]]) -> Loader:
    """A task's own standard file, and the same rows in the other forms that a file may have."""
    file = file_of(kind)
    files = {file.name: file.read_bytes()}
    if file.suffix == ".jsonl":
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()][:8]
        files |= {
            "rows.json": json.dumps(rows, indent=1).encode(),
            "rows.parquet": _parquet(pa.Table.from_pylist(rows)),
        }
    beside = {}
    for picture in sorted(file.parent.glob(f"{file.stem}_pictures/*")):
        beside[f"{picture.parent.name}/{picture.name}"] = picture.read_bytes()
    files |= _OTHER_FORMS.get(file.stem, {})

    def both(place: Path) -> tuple[Tally, int]:
        kind.read(place, Columns(), labelled=False)
        found = kind.read(place, Columns())
        count = len(found.examples)
        return found.tally, min(count, found.tally.kept) if kind is Generate else count  # a dialogue is several

    return Loader(f"task {file.stem}", files, both, beside)


def _pictures(place: Path) -> tuple[Tally, int]:
    holds_pictures(str(place))
    tally, source = Tally(), open_pictures(str(place))
    source.typical_side()
    return tally, sum(1 for _ in picture_store.decoded(source, 8, tally))


def _pairs(place: Path) -> tuple[Tally, int]:
    holds_pairs(str(place))
    tally, source = Tally(), open_pairs(str(place))
    return tally, sum(1 for _ in picture_store.decoded(source, 8, tally))


def _videos(place: Path) -> tuple[Tally, int]:
    holds_videos(str(place))
    tally, source = Tally(), open_videos(str(place))
    source.typical()
    return tally, sum(1 for _ in video_store.decoded(source, 8, 4.0, tally))


def _analogies(place: Path) -> tuple[Tally, int]:
    found = read_analogies(place)
    return found.tally, len(found.questions)


def _pairs_of_sentences(place: Path) -> tuple[Tally, int]:
    found = read_minimal_pairs(place)
    return found.tally, len(found.pairs)


def _words(place: Path) -> None:
    read_labels_given(str(place))


_SENTENCES = [f"a plain sentence, number {n}" if n % 2 else CHINESE * n + "。" for n in range(8)]


def _texts() -> Files:
    text = "".join(f"{line}\n" for line in _SENTENCES).encode()
    return {
        "a.txt": text,
        "a.md": text,
        "a.txt.gz": gzip.compress(text, mtime=0),
        "a.txt.zst": zstandard.compress(text),
        "gb.txt": text.decode().encode("gb18030"),
        "wide.txt": text.decode().encode("utf-16"),
    }


def _tables(columns: dict[str, list[Any]]) -> Files:
    """The same rows in each form of a table."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    lines = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    return {
        "a.csv": _separated(rows, ","),
        "a.tsv": _separated(rows, "\t"),
        "a.jsonl": lines,
        "a.json": json.dumps(rows, indent=1, ensure_ascii=False).encode(),
        "a.parquet": _parquet(pa.table(columns)),
        "a.jsonl.zst": zstandard.compress(lines),
        "a.csv.gz": gzip.compress(_separated(rows, ","), mtime=0),
    }


def _separated(rows: list[dict[str, Any]], mark: str) -> bytes:
    fields = [[*rows[0]], *([f'"{value}"' for value in row.values()] for row in rows)]
    return "".join(mark.join(map(str, row)) + "\n" for row in fields).encode()


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _picture(kind: str, number: int = 1) -> bytes:
    out = io.BytesIO()
    shades = np.add.outer(np.arange(20), np.arange(24))[..., None] * [number, 2, 5]
    Image.fromarray((shades % 256).astype(np.uint8)).save(out, kind)
    return out.getvalue()


_PICTURES: Files = {
    f"{kind}.{kind}": _picture(kind, number)
    for number, kind in enumerate(("png", "jpeg", "gif", "webp", "bmp", "tiff"))
}


def _beside() -> Files:
    """Pictures, each with its words beside it."""
    return {name: data for n in (1, 2, 3) for name, data in ((f"{n}.png", _picture("png", n)), (f"{n}.txt", b"words"))}


def _arrays() -> Files:
    pixels = np.arange(3 * 12 * 10, dtype=np.uint16).reshape(3, 12, 10).astype(np.uint8)
    out = io.BytesIO()
    np.save(out, pixels)
    idx = b"\0\0\x08\x03" + struct.pack(">3i", *pixels.shape) + pixels.tobytes()
    return {
        "a.npy": out.getvalue(),
        "t10k-images-idx3-ubyte": idx,
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx, mtime=0),
    }


def _tars(files: Files) -> Files:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return {"a.tar": out.getvalue()}


def _parquet_of_pictures() -> Files:
    images = [{"bytes": _picture("png", n), "path": f"{n}.png"} for n in range(4)]
    return {"pictures.parquet": _parquet(pa.table({"image": images, "caption": _SENTENCES[:4], "label": [0, 1, 0, 1]}))}


def _film(suffix: str, across: int) -> bytes:
    return as_bytes(moving_square(6, across=across), suffix)


def _gif() -> bytes:
    out = io.BytesIO()
    first, *rest = [Image.fromarray(frame) for frame in moving_square(4)]
    first.save(out, "gif", save_all=True, append_images=rest, duration=100)
    return out.getvalue()


def _minimal_pairs() -> Files:
    row = {"sentence_good": "He is.", "sentence_bad": "He are.", "UID": "agreement", "field": "syntax", "pairID": "0"}
    return {
        "a.jsonl": (json.dumps(row) + "\n").encode() * 6,
        "a.parquet": _parquet(pa.Table.from_pylist([row] * 6)),
    }


def _vectors() -> bytes:
    rows = np.arange(12, dtype="<f4").reshape(3, 4)
    return b"3 4\n" + b"".join(
        word + b" " + row.tobytes() + b"\n" for word, row in zip((b"a", b"bc", b"d"), rows, strict=True)
    )


_RECIPE = b"""data:
  path: texts
objective:
  name: mlm
train:
  batch: 4
  length: 32
  rate: 0.001
"""


def _squad() -> Files:
    """The nested file of SQuAD, with a question that has no answer, and the flat four files of preprocessed sets."""
    said = {"text": "red fox", "answer_start": 4}
    asked = [
        {"id": "1", "question": "what is it?", "answers": [said]},
        {"id": "2", "question": "where?", "answers": [], "is_impossible": True},
    ]
    paragraphs = [{"context": "The red fox waits.", "qas": asked}, {"context": "中文的红狐狸。", "qas": asked[1:]}]
    return {"squad.json": json.dumps({"version": "2", "data": [{"title": "x", "paragraphs": paragraphs}]}).encode()}


def _tagged() -> Files:
    rows = [
        {"tokens": ["The", "fox"], "tags": ["O", "B-animal"]},
        {"tokens": ["狐", "狸"], "tags": ["B-animal", "I-animal"]},
    ]
    spans = [{"text": "The red fox", "entities": [{"start": 4, "end": 11, "label": "animal"}]}] * 4
    snips = {"Add": [{"data": [{"text": "add "}, {"text": "Café", "entity": "artist"}]}] * 3}
    return {
        "words.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows * 4),
        "spans.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in spans),
        "snips.json": json.dumps(snips, indent=1).encode(),
        "weibo.txt": "在0\tO\n北0\tB-GPE.NAM\n京1\tI-GPE.NAM\n\n的0\tO\n人0\tB-PER.NOM\n".encode(),
        "words.parquet": _parquet(pa.Table.from_pylist(rows * 4)),
    }


def _dialogues() -> Files:
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "who is there?"}]
    pair = {"translation": {"en": "a fox", "zh": "一只狐狸"}}
    return {
        "dialogue.jsonl": (json.dumps({"messages": turns * 2}) + "\n").encode() * 4,
        "wmt.jsonl": (json.dumps(pair) + "\n").encode() * 4,
        "alpaca.json": json.dumps([{"instruction": "add", "input": "1 1", "output": "2"}] * 4).encode(),
    }


def _easy_vqa() -> Files:
    return {
        "questions.json": json.dumps([["what colour is it?", "red", "red_circle"]] * 4).encode(),
        "a.tsv": b"image\tquestion\tanswer\n" + b"vqa_pictures/red_circle.png\twhat?\tred\n" * 4,
    }


_OTHER_FORMS: dict[str, Files] = {
    "answer": _squad(),
    "tag": _tagged(),
    "generate": _dialogues(),
    "vqa": _easy_vqa(),
    "classify": {**_tables({"text": _SENTENCES, "label": ["yes", "no"] * 4})},
    "pair": _tables({"sentence1": _SENTENCES, "sentence2": _SENTENCES[::-1], "label": ["same", "other"] * 4}),
    "regress": _tables({"sentence1": _SENTENCES, "sentence2": _SENTENCES[::-1], "score": [n / 2 for n in range(8)]}),
}


def put(loader: Loader, name: str, content: bytes, folder: Path) -> Path:
    """The file in a folder with all that lies beside it; what is to be read."""
    for other, data in loader.beside.items():
        (folder / other).parent.mkdir(parents=True, exist_ok=True)
        (folder / other).write_bytes(data)
    (folder / name).write_bytes(content)
    return folder if loader.folder else folder / name
