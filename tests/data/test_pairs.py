"""Pictures with words from every kind of place; rows of one picture are joined, and no picture is on two sides."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from selftaught.data.pair_source import holds_pairs, open_pairs
from selftaught.data.pair_store import PairStore, prepare_pairs
from selftaught.errors import SelftaughtError


def picture(number: int, kind: str = "png") -> bytes:
    """One of many plain pictures, as a file."""
    out = io.BytesIO()
    colour = (40 * number % 256, 90 * number % 256, 7 * number % 256)
    Image.new("RGB", (12, 12), colour).save(out, kind)
    return out.getvalue()


def save(folder: Path, *numbers: int) -> None:
    for number in numbers:
        (folder / f"{number}.png").write_bytes(picture(number))


def stored(data: Path | str, tmp_path: Path, share: float = 0.05, **columns: str) -> PairStore:
    source = open_pairs(str(data), **columns)
    return prepare_pairs(source, tmp_path / "store", resolution=8, seed=0, share=share)


def all_captions(store: PairStore) -> list[tuple[str, ...]]:
    return [store.captions(place) for place in range(len(store.pixels))]


CAPTIONS = [("one", "eins"), ("two", "zwei"), ("three", "drei")]


def as_table(folder: Path) -> Path:
    save(folder, 0, 1, 2)
    rows = "".join(f"{i}.png,{one},{other}\n" for i, (one, other) in enumerate(CAPTIONS))
    (folder / "a.csv").write_text("image,caption_en,caption_de\n" + rows)
    return folder / "a.csv"


def as_rows(folder: Path) -> Path:
    save(folder, 0, 1, 2)
    rows = [f"{i}.png\t{text}\n" for i, pair in enumerate(CAPTIONS) for text in pair]
    (folder / "a.tsv").write_text("file_name\tcaption\n" + "".join(rows))
    return folder / "a.tsv"


def as_lists(folder: Path) -> Path:
    save(folder, 0, 1, 2)
    rows = [{"image": f"{i}.png", "captions": list(pair)} for i, pair in enumerate(CAPTIONS)]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def as_bytes(folder: Path) -> Path:
    images = [{"bytes": picture(i), "path": None} for i in range(3)]
    pq.write_table(pa.table({"image": images, "caption": [list(pair) for pair in CAPTIONS]}), folder / "a.parquet")
    return folder / "a.parquet"


def as_folder(folder: Path) -> Path:
    save(folder, 0, 1, 2)
    for i, pair in enumerate(CAPTIONS):
        (folder / f"{i}.txt").write_text("\n".join(pair) + "\n")
    return folder


def tar(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as out:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            out.addfile(about, io.BytesIO(content))
    return path


def as_shard(folder: Path) -> Path:
    members = [(f"{i}.{kind}", b) for i in range(3) for kind, b in (("png", picture(i)), ("txt", _lines(i)))]
    return tar(folder / "a.tar", members)


def _lines(i: int) -> bytes:
    return "\n".join(CAPTIONS[i]).encode()


FORMS = [as_table, as_rows, as_lists, as_bytes, as_folder, as_shard]


@pytest.mark.parametrize("make", FORMS, ids=lambda make: make.__name__)
def test_every_form_holds_the_same_pairs(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    place = tmp_path / "data"
    place.mkdir()
    data = make(place)
    assert holds_pairs(str(data))
    store = stored(data, tmp_path)
    assert all_captions(store) == CAPTIONS
    assert store.pixels.shape == (3, 3, 8, 8)
    assert store.tally["quarantined_rows"] == 0


def test_columns_are_detected_and_told_and_can_be_named(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    rows = [{"file": f"{i}.png", "en": f"number {i} here", "zh": f"数字 {i}", "kind": "k"} for i in (1, 2)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = str(tmp_path / "a.jsonl")
    assert "captions in 'en' (a guess" in open_pairs(data).description
    assert "captions in 'en' and 'zh'" in open_pairs(data, text="en,zh").description
    assert all_captions(stored(data, tmp_path, text="zh, en")) == [
        ("数字 1", "number 1 here"),
        ("数字 2", "number 2 here"),
    ]
    with pytest.raises(SelftaughtError, match="no column 'eng'") as wrong:
        open_pairs(data, text="eng")
    assert "did you mean 'en'" in str(wrong.value)


def test_labelled_pictures_and_text_are_no_pairs(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3)
    (tmp_path / "labels.csv").write_text("file,label\n1.png,cat\n2.png,dog\n3.png,cat\n")
    (tmp_path / "breeds.csv").write_text("file,breed\n1.png,pug\n2.png,pug\n3.png,pug\n")
    (tmp_path / "texts.csv").write_text("text,label\nan apple,fruit\na pear,fruit\n")
    for name in ("labels.csv", "breeds.csv", "texts.csv", "", "missing"):
        assert not holds_pairs(str(tmp_path / name))


def test_rows_of_one_picture_are_joined_and_counted(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    (tmp_path / "copy.png").write_bytes(picture(1))
    rows = ["1.png,a dot", "2.png,a dot", "copy.png,a point", "1.png,a dot", "2.png,a  line"]
    (tmp_path / "a.csv").write_text("image,caption\n" + "\n".join(rows) + "\n")
    store = stored(tmp_path / "a.csv", tmp_path)
    assert all_captions(store) == [("a dot", "a point"), ("a dot", "a line")]
    assert store.counts == {"joined": 3, "empty": 0, "repeated": 1, "shared": 1}
    assert store.tally["kept"] == 5


def test_a_group_stays_on_one_side(tmp_path: Path) -> None:
    save(tmp_path, *range(60))
    rows = [f"{i}.png,caption {i},{i % 7}" for i in range(60)]
    (tmp_path / "a.csv").write_text("image,caption,kind\n" + "\n".join(rows) + "\n")
    store = stored(tmp_path / "a.csv", tmp_path, share=0.4, group="kind")
    of = {int(f.rpartition(":")[2]) - 2: held for f, held in zip(store.files, store.held_out, strict=True)}
    sides = {kind: {held for i, held in of.items() if i % 7 == kind} for kind in range(7)}
    assert all(len(side) == 1 for side in sides.values())
    assert {held for side in sides.values() for held in side} == {True, False}


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcd")), min_size=1, max_size=30),
    seed=st.integers(0, 9),
)
def test_no_picture_is_on_both_sides_however_often_it_comes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    save(folder, *range(6))
    (folder / "a.csv").write_text("image,caption\n" + "".join(f"{i}.png,{text}\n" for i, text in rows))
    store = prepare_pairs(open_pairs(str(folder / "a.csv")), folder / "store", resolution=8, seed=seed, share=0.5)
    train, held = ({store.pixels[i].tobytes() for i in store.part(held_out=side)} for side in (False, True))
    assert not train & held
    assert len(train) + len(held) == len({i for i, _ in rows})
    assert {(store.pixels[o].tobytes(), t) for o, t in zip(store.owners, store.texts, strict=True)} == {
        (np.array(Image.open(folder / f"{i}.png").resize((8, 8))).transpose(2, 0, 1).tobytes(), t) for i, t in rows
    }
    assert store.tally["rows"] == len(rows)


def test_a_store_is_used_again_and_damage_is_told(tmp_path: Path) -> None:
    data = as_table(tmp_path)
    first = stored(data, tmp_path)
    before = (tmp_path / "store" / "pictures.npy").stat().st_mtime_ns
    again = stored(data, tmp_path)
    assert (tmp_path / "store" / "pictures.npy").stat().st_mtime_ns == before
    assert again.texts == first.texts
    captions = tmp_path / "store" / "captions.json"
    captions.write_text(captions.read_text().replace("eins", "acht"))
    with pytest.raises(SelftaughtError, match="damaged"):
        stored(data, tmp_path)


def test_glyphs_have_their_names_for_captions_and_scripts_for_labels() -> None:
    source = open_pairs("builtin:glyphs")
    items = source.items()
    found = {item.texts[0]: item for item, _ in zip(items, range(60), strict=False)}
    assert found["latin capital letter a"].label == "LATIN"
    assert found["latin capital letter a"].load(16).shape == (3, 16, 16)
    assert found["latin capital letter a"].group == "A"  # in all fonts on one side


@dataclass(frozen=True)
class Case:
    """A malformed input: what makes it below a folder, and words of the error, or the rows kept and why others not."""

    make: Callable[[Path], Path]
    error: str = ""
    kept: int = 0
    why: tuple[str, ...] = ()


def table(name: str, content: bytes | str) -> Callable[[Path], Path]:
    """A table beside the pictures 1.png to 4.png."""

    def make(folder: Path) -> Path:
        save(folder, 1, 2, 3, 4)
        (folder / "cut.jpg").write_bytes(picture(5, "jpeg")[:300])
        (folder / "sub.png").mkdir()
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder / name

    return make


def beside(**texts: bytes) -> Callable[[Path], Path]:
    """A folder of the pictures 1.png to 4.png with texts; ``t1`` is 1.txt."""

    def make(folder: Path) -> Path:
        save(folder, 1, 2, 3, 4)
        for name in ("1", "2", "3", "4"):
            (folder / f"{name}.txt").write_bytes(texts.get(f"t{name}", b"a caption"))
        return folder

    return make


def and_then(make: Callable[[Path], Path], change: Callable[[Path], object]) -> Callable[[Path], Path]:
    def changed(folder: Path) -> Path:
        place = make(folder)
        change(folder)
        return place

    return changed


def shard(*members: tuple[str, bytes], links: tuple[str, ...] = ()) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = tar(folder / "a.tar", list(members))
        with tarfile.open(path, "a") as out:
            for name in links:
                about = tarfile.TarInfo(name)
                about.type, about.linkname = tarfile.SYMTYPE, "/etc/passwd"
                out.addfile(about)
        return path

    return make


def parquet(columns: dict[str, list[object]], cut: int = 0) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        pq.write_table(pa.table(columns), folder / "a.parquet")
        if cut:
            content = (folder / "a.parquet").read_bytes()
            (folder / "a.parquet").write_bytes(content[:cut])
        return folder / "a.parquet"

    return make


HEAD = "image,caption\n"
ROWS = "1.png,one\n2.png,two\n"
GOOD = (("1.png", picture(1)), ("1.txt", b"one"))
CASES = {
    "byte order mark": Case(table("a.csv", b"\xef\xbb\xbf" + (HEAD + ROWS).encode()), kept=2),
    "utf-16": Case(table("a.csv", (HEAD + ROWS).encode("utf-16")), kept=2),
    "latin-1": Case(table("a.csv", (HEAD + "1.png,caf\xe9 cr\xe8me\n2.png,na\xefve\n").encode("latin-1")), kept=2),
    "windows line ends": Case(table("a.csv", (HEAD + ROWS).replace("\n", "\r\n")), kept=2),
    "ragged row": Case(table("a.csv", HEAD + ROWS + "3.png\n4.png,four,more\n"), kept=2, why=("1 fields", "3 fields")),
    "quote never closed": Case(
        table("a.csv", HEAD + ROWS + '3.png,"three\n4.png,four\n'), kept=3, why=("never closed",)
    ),
    "missing picture": Case(table("a.csv", HEAD + ROWS + "9.png,nine\n"), kept=2, why=("'9.png', which is not there",)),
    "empty path": Case(table("a.csv", HEAD + ROWS + ",nothing\n"), kept=2, why=("names no picture",)),
    "a folder for a picture": Case(table("a.csv", HEAD + ROWS + "sub.png,a folder\n"), kept=2, why=("is no file",)),
    "picture cut off": Case(table("a.csv", HEAD + ROWS + "cut.jpg,cut\n"), kept=2, why=("broken",)),
    "a text named as a picture": Case(
        and_then(table("a.csv", HEAD + ROWS + "t.png,text\n"), lambda f: (f / "t.png").write_text("no picture")),
        kept=2,
        why=("no picture that can be read",),
    ),
    "a picture of a hundred gigapixels": Case(
        and_then(table("a.csv", HEAD + ROWS + "b.bmp,big\n"), lambda f: (f / "b.bmp").write_bytes(_bomb())),
        kept=2,
        why=("pixels",),
    ),
    "empty caption": Case(table("a.csv", HEAD + ROWS + "3.png,\n"), kept=2, why=("has no caption",)),
    "only white space": Case(table("a.csv", HEAD + ROWS + '3.png," \t\u3000"\n'), kept=2, why=("has no caption",)),
    "null caption": Case(
        table("a.jsonl", '{"image": "1.png", "caption": "one"}\n{"image": "2.png", "caption": null}\n'),
        kept=1,
        why=("has no caption",),
    ),
    "caption of a wrong kind": Case(
        table("a.jsonl", '{"image": "1.png", "caption": "one"}\n{"image": "2.png", "caption": {"a": 1}}\n'),
        kept=1,
        why=("holds an object, not text",),
    ),
    "list with a hole": Case(
        table("a.jsonl", '{"image": "1.png", "captions": ["one", null, ""]}\n{"image": "2.png", "captions": []}\n'),
        kept=1,
        why=("has no caption",),
    ),
    "broken line of JSON": Case(
        table("a.jsonl", '{"image": "1.png", "caption": "one"}\n{"image": "2.png", \n[1]\n'),
        kept=1,
        why=("not JSON", "not an object"),
    ),
    "half a character": Case(
        table("a.jsonl", '{"image": "1.png", "caption": "one"}\n{"image": "2.png", "caption": "\\ud83d"}\n'),
        kept=1,
        why=("half a character",),
    ),
    "NUL in a caption": Case(table("a.csv", HEAD + ROWS + "3.png,th\0ree\n"), kept=2, why=("NUL",)),
    "NUL in a path": Case(
        table("a.jsonl", '{"image": "1.png", "caption": "a"}\n{"image": "2\\u0000.png", "caption": "b"}\n'),
        kept=1,
        why=("which is not there",),
    ),
    "a path out of the folder": Case(
        table("a.csv", HEAD + ROWS + "../../../../etc/none.png,out\n"), kept=2, why=("which is not there",)
    ),
    "an endless path": Case(table("a.csv", HEAD + ROWS + "x" * 5000 + ".png,far\n"), kept=2, why=("is not there",)),
    "duplicate rows": Case(table("a.csv", HEAD + ROWS + ROWS), kept=4),
    "only a header": Case(table("a.csv", HEAD), error="no column"),
    "empty table": Case(table("a.csv", ""), error="nothing in it"),
    "no column of pictures": Case(table("a.csv", "name,caption\nx,one\ny,two\n"), error="--image"),
    "no column of captions": Case(table("a.csv", "image,width\n1.png,3\n2.png,4\n"), error="--text"),
    "all pictures missing": Case(table("a.csv", HEAD + "7.png,one\n8.png,two\n"), error="not one picture"),
    "a picture named .csv": Case(table("a.csv", picture(1)), error="PNG picture"),
    "a plain text file": Case(table("a.txt", "a text\n"), error="no pictures with words"),
    "an empty folder": Case(lambda folder: folder, error="no pictures with words"),
    "nothing there": Case(lambda folder: folder / "none.csv", error="nothing can be read"),
    "two tables that differ": Case(
        and_then(table("a.csv", HEAD + ROWS), lambda f: (f / "b.csv").write_text("caption,x,image\na,1,1.png\n")),
        kept=2,
    ),
    "text beside is empty": Case(beside(t2=b"", t3=b" \n\t\n"), kept=2, why=("empty caption", "empty caption")),
    "text beside is binary": Case(beside(t2=b"\0\1\2\3\0\0"), kept=3, why=("NUL",)),
    "text beside is missing": Case(
        and_then(beside(), lambda f: (f / "2.txt").unlink()), kept=3, why=("no .txt of its name",)
    ),
    "text without a picture": Case(
        and_then(beside(), lambda f: (f / "2.png").unlink()), kept=3, why=("without a picture",)
    ),
    "a name that is not UTF-8": Case(
        and_then(beside(), lambda f: (f / "2.png").rename(f / b"\xff\xfe.png".decode("utf-8", "surrogateescape"))),
        kept=3,
        why=("no .txt of its name", "without a picture"),
    ),
    "tar with links": Case(shard(*GOOD, links=("2.png", "2.txt")), kept=1, why=("a link", "a link")),
    "tar of unmatched keys": Case(
        shard(*GOOD, ("2.png", picture(2)), ("3.txt", b"three")), kept=1, why=("no .txt", "without a picture")
    ),
    "tar with a climbing name": Case(shard(("../../1.png", picture(1)), ("../../1.txt", b"one")), kept=1),
    "tar with a broken picture": Case(
        shard(*GOOD, ("2.jpg", b"nothing"), ("2.txt", b"two")), kept=1, why=("no picture",)
    ),
    "tar of nothing": Case(shard(), error="not one picture"),
    "tar cut off": Case(
        and_then(
            shard(*GOOD, ("2.png", picture(2)), ("2.txt", b"two")),
            lambda f: (f / "a.tar").write_bytes((f / "a.tar").read_bytes()[: 512 * 5 + 40]),
        ),
        kept=1,
        why=("cannot be read to its end",),
    ),
    "a file named .tar": Case(table("a.tar", "no tar at all"), error="cannot be read to its end"),
    "tar with JSON": Case(
        shard(("1.png", picture(1)), ("1.json", b'{"caption": "one"}'), ("2.png", picture(2)), ("2.json", b"{")),
        kept=1,
        why=("no caption in its .json",),
    ),
    "parquet cut off": Case(parquet({"image": [picture(1)], "caption": ["one"]}, cut=60), error="parquet"),
    "parquet without a picture": Case(
        parquet({"image": [picture(1), None], "caption": ["one", "two"]}), kept=1, why=("names no picture",)
    ),
    "parquet with damaged bytes": Case(
        parquet({"image": [picture(1), b"\x89PNG no"], "caption": ["one", "two"]}), kept=1, why=("no picture",)
    ),
    "parquet without captions": Case(parquet({"image": [picture(1)], "width": [3]}), error="--text"),
}


def _bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (8, 8)).save(out, "bmp")
    content = bytearray(out.getvalue())
    content[18:26] = (300_000).to_bytes(4, "little") * 2
    return bytes(content)


@pytest.mark.parametrize("name", CASES)
def test_malformed_pairs_are_a_clear_error_or_named(tmp_path: Path, name: str) -> None:
    case, place = CASES[name], tmp_path / "data"
    place.mkdir()
    data = case.make(place)
    if case.error:
        with pytest.raises(SelftaughtError, match=case.error):
            stored(data, tmp_path)
        return
    store = stored(data, tmp_path)
    tally = store.tally
    assert tally["rows"] == tally["kept"] + tally["quarantined_rows"]
    assert tally["kept"] == case.kept
    whys = [one["why"] for one in tally["quarantined"]]
    assert len(whys) == len(case.why)
    assert all(expected in why for expected, why in zip(case.why, whys, strict=True)), whys
    assert all(one["file"] for one in tally["quarantined"])
    assert json.loads(json.dumps(tally)) == tally
    assert all(len(store.captions(place)) > 0 for place in range(len(store.pixels)))
