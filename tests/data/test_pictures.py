"""Pictures from every kind of place; what cannot be used is named, and nothing is lost."""

import gzip
import io
import json
import os
import struct
import tarfile
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from selftaught.data.picture_decoding import PictureProblem, decode
from selftaught.data.picture_source import holds_pictures, open_pictures
from selftaught.data.picture_store import PictureStore, prepare_pictures
from selftaught.errors import SelftaughtError


def stored(data: Path | str, folder: Path, size: int = 16) -> PictureStore:
    return prepare_pictures(open_pictures(str(data)), folder, resolution=size, seed=0)


def save(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def halves(left: tuple[int, int, int], right: tuple[int, int, int], size: int = 32) -> np.ndarray:
    array = np.zeros((size, size, 3), np.uint8)
    array[:, : size // 2], array[:, size // 2 :] = left, right
    return array


RED_BLUE = halves((250, 10, 10), (10, 10, 250))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "gif"])
def test_every_format_is_the_same_picture(tmp_path: Path, suffix: str) -> None:
    pixels = decode(save(tmp_path / f"a.{suffix}", RED_BLUE), 16)
    assert pixels.shape == (3, 16, 16)
    assert np.abs(pixels[:, 8, 2].astype(int) - (250, 10, 10)).max() < 20
    assert np.abs(pixels[:, 8, 13].astype(int) - (10, 10, 250)).max() < 20


def test_grey_transparent_palette_and_sixteen_bits(tmp_path: Path) -> None:
    grey = decode(save(tmp_path / "g.png", np.full((8, 8), 77, np.uint8)), 8)
    assert (grey == 77).all()
    clear = np.zeros((8, 8, 4), np.uint8)
    assert (decode(save(tmp_path / "t.png", clear), 8) == 255).all()  # on white
    palette = decode(save(tmp_path / "p.png", RED_BLUE, "P"), 8)
    assert palette[0, 4, 1] > 200 > palette[0, 4, 6]
    deep = decode(save(tmp_path / "d.png", np.full((8, 8), 0x8080, np.uint16)), 8)
    assert (deep == 128).all()


def test_a_photo_stands_upright(tmp_path: Path) -> None:
    """EXIF orientation 6: the camera was turned; what is stored at the left belongs to the top."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = decode(save(tmp_path / "a.jpg", RED_BLUE, exif=exif), 16)
    assert pixels[0, 2, 8] > 200 > pixels[0, 13, 8]


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises much and whose data are nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("sides", [(32_000, 32_000), (12_000, 12_000), (1_000_000, 1_001)])
def test_a_header_that_promises_too_much_is_refused_at_once(sides: tuple[int, int]) -> None:
    began = time.perf_counter()
    with pytest.raises(PictureProblem, match="pixels"):
        decode(bomb(*sides), 32)
    assert time.perf_counter() - began < 1


def test_what_cannot_be_used_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / f"in/{number}.png", np.full((8, 8, 3), 40 * number, np.uint8))
    whole = save(tmp_path / "in/cut.jpg", RED_BLUE).read_bytes()
    (tmp_path / "in/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/empty.png").write_bytes(b"")
    (tmp_path / "in/text.gif").write_text("no picture", encoding="utf-8")
    (tmp_path / "in/huge.png").write_bytes(bomb(40_000, 40_000))
    (tmp_path / "in/notes.txt").write_text("is passed over", encoding="utf-8")
    store = stored(tmp_path / "in", tmp_path / "store")
    assert store.tally["rows"] == 9 == store.tally["kept"] + store.tally["quarantined_rows"]
    why = {Path(one["file"]).name: one["why"] for one in store.tally["quarantined"]}
    assert why.keys() == {"cut.jpg", "empty.png", "text.gif", "huge.png"}
    assert "pixels" in why["huge.png"]
    assert len(store.pixels) == len(store.files) == 5


def test_nothing_to_use_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(b"broken")
    with pytest.raises(SelftaughtError, match="not one picture"):
        stored(tmp_path / "in", tmp_path / "store")
    with pytest.raises(SelftaughtError, match="there are no pictures"):
        open_pictures(str(tmp_path / "store"))
    with pytest.raises(SelftaughtError, match="nothing can be read"):
        open_pictures(str(tmp_path / "nowhere"))
    with pytest.raises(SelftaughtError, match="digits"):
        open_pictures("builtin:digit")


def test_subfolders_are_labels_and_a_flat_folder_has_none(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/deep/2.png", "dog/1.png"):
        save(tmp_path / "in" / name, RED_BLUE)
    assert stored(tmp_path / "in", tmp_path / "a").labels == ("cat", "cat", "dog")
    assert stored(tmp_path / "in/cat/deep", tmp_path / "b").labels == ("",)


def test_a_table_of_paths(tmp_path: Path) -> None:
    save(tmp_path / "pics/a.png", RED_BLUE)
    save(tmp_path / "pics/b.png", RED_BLUE)
    (tmp_path / "t.csv").write_text("file,label\npics/a.png,x\npics/none.png,y\n,z\npics/b.png,y\n", encoding="utf-8")
    store = stored(tmp_path / "t.csv", tmp_path / "store")
    assert store.labels == ("x", "y")
    assert [one["line"] for one in store.tally["quarantined"]] == [3, 4]
    assert "pics/none.png" in store.tally["quarantined"][0]["why"]
    (tmp_path / "u.csv").write_text("name,label\nhello,x\nworld,y\n", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no column names pictures"):
        open_pictures(str(tmp_path / "u.csv"))


def test_arrays(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    np.save(tmp_path / "a.npy", pictures)
    np.save(tmp_path / "b.npy", pictures.transpose(0, 3, 1, 2))
    one, other = (stored(tmp_path / f"{name}.npy", tmp_path / name) for name in "ab")
    assert np.array_equal(one.pixels, pictures.transpose(0, 3, 1, 2))
    assert np.array_equal(one.pixels, other.pixels)
    np.save(tmp_path / "c.npy", np.zeros((4, 5)))
    with pytest.raises(SelftaughtError, match="not pictures"):
        open_pictures(str(tmp_path / "c.npy"))
    np.save(tmp_path / "d.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(SelftaughtError, match="cannot be read"):
        open_pictures(str(tmp_path / "d.npy"))


def test_mnist_s_files(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 8), np.uint8)
    head = struct.pack(">BBBBIII", 0, 0, 8, 3, 5, 8, 8)
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as out:
        out.write(head + pictures.tobytes())
    with gzip.open(tmp_path / "train-labels-idx1-ubyte.gz", "wb") as out:
        out.write(struct.pack(">BBBBI", 0, 0, 8, 1, 5) + bytes([3, 1, 4, 1, 5]))
    store = stored(tmp_path / "train-images-idx3-ubyte.gz", tmp_path / "store", 8)
    assert np.array_equal(store.pixels[:, 0], pictures)
    assert store.labels == ("3", "1", "4", "1", "5")


@pytest.mark.parametrize("header", [b"", b"(" * 90, b"{[]: 1}", b"{'descr': '|O', 'fortran_order': 0, 'shape': (9,)}"])
def test_an_array_whose_header_is_damaged(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\x01\0" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(9)
    )
    with pytest.raises(SelftaughtError, match="cannot be read"):
        open_pictures(str(tmp_path / "a.npy"))


@pytest.mark.parametrize("sides", [(5, 8, 8), (1 << 31, 1 << 31, 1), (10_000, 28, 28)])
def test_an_idx_file_that_is_damaged_or_promises_too_much(sides: tuple[int, ...], tmp_path: Path) -> None:
    packed = gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, *sides) + bytes(400))
    (tmp_path / "a-ubyte.gz").write_bytes(packed[:30] + b"\xff\xff" + packed[32:])
    with pytest.raises(SelftaughtError, match="cannot be read"):
        open_pictures(str(tmp_path / "a-ubyte.gz"))


def test_a_pipe_among_pictures_is_named_and_not_waited_for(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", RED_BLUE)
    os.mkfifo(tmp_path / "in/b.png")
    (tmp_path / "in/c.png").symlink_to("/dev/zero")
    tally = stored(tmp_path / "in", tmp_path / "store").tally
    assert [one["why"] for one in tally["quarantined"]] == ["is a pipe, not a file", "is a device, not a file"]


def test_a_name_that_no_disk_can_have_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", RED_BLUE)
    names = ["a.png", "n" * 300 + ".png", "\ud800.png", "a\0.png"]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"file": name}) + "\n" for name in names), encoding="utf-8")
    tally = stored(tmp_path / "t.jsonl", tmp_path / "store").tally
    assert [one["line"] for one in tally["quarantined"]] == [2, 3, 4]


def test_only_the_formats_of_their_suffixes_are_opened(tmp_path: Path) -> None:
    """Whatever it is called: Pillow would give an EPS file to Ghostscript."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) print\n")
    with pytest.raises(PictureProblem, match="no picture that can be read"):
        decode(tmp_path / "a.png", 8)


def test_tar_shards_with_labels_beside_and_a_broken_end(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.fromarray(RED_BLUE).save(picture, "png")
    with tarfile.open(tmp_path / "0.tar", "w") as shard:
        for name, data in (
            ("1.png", picture.getvalue()),
            ("1.cls", b"7"),
            ("2.png", picture.getvalue()),
            ("2.json", b"{}"),
        ):
            member = tarfile.TarInfo(f"../../escape/{name}")
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    store = stored(tmp_path / "0.tar", tmp_path / "store")
    assert store.labels == ("7", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.tar", "store"]  # nothing is unpacked


def test_what_this_machine_has(tmp_path: Path) -> None:
    digits = stored("builtin:digits", tmp_path / "digits", 8)
    assert len(digits.pixels) == 1797
    assert set(digits.labels) == set("0123456789")
    first = next(iter(open_pictures("builtin:glyphs").items()))
    assert first.label
    assert first.load(32).min() < 100 < first.load(32).max()


def test_copies_stay_together_and_a_store_is_used_again_until_the_data_change(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    for number in range(60):
        picture = drawn.integers(0, 256, (8, 8, 3), np.uint8)
        for copy in range(2):
            save(tmp_path / f"in/{number}-{copy}.png", picture)
    store = stored(tmp_path / "in", tmp_path / "store", 8)
    assert store.copies == 60
    assert all(store.held_out[2 * i] == store.held_out[2 * i + 1] for i in range(60))
    assert 0 < store.held_out.sum() < 30
    facts = tmp_path / "store/pictures.json"
    made = facts.stat().st_mtime_ns
    stored(tmp_path / "in", tmp_path / "store", 8)
    assert facts.stat().st_mtime_ns == made
    save(tmp_path / "in/new.png", RED_BLUE)
    assert len(stored(tmp_path / "in", tmp_path / "store", 8).pixels) == 121
    array = tmp_path / "store/pictures.npy"
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(bytes(content))
    with pytest.raises(SelftaughtError, match="damaged"):
        stored(tmp_path / "in", tmp_path / "store", 8)


def test_which_data_are_pictures(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", RED_BLUE)
    (tmp_path / "text.txt").write_text("words", encoding="utf-8")
    assert holds_pictures(str(tmp_path / "in"))
    assert holds_pictures("builtin:digits")
    assert not holds_pictures(str(tmp_path / "text.txt"))
    assert not holds_pictures("builtin:docs")


def parquet_of(file: Path, pictures: list[bytes | None], labels: list[int], names: list[str]) -> Path:
    """As the Hub writes a data set of pictures."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([None if one is None else {"bytes": one, "path": "a.png"} for one in pictures], kind)
    facts = {"info": {"features": {"img": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}}}
    table = pa.table({"img": rows, "label": labels}).replace_schema_metadata({"huggingface": json.dumps(facts)})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def test_pictures_in_parquet_files_have_the_names_that_the_hub_gives_their_labels(tmp_path: Path) -> None:
    good = save(tmp_path / "a.png", RED_BLUE).read_bytes()
    for part in range(2):
        parquet_of(tmp_path / "set" / f"{part}.parquet", [good, None, b"no picture"], [1, 0, 0], ["cat", "dog"])
    assert holds_pictures(str(tmp_path / "set"))
    for place, times in ((tmp_path / "set", 2), (tmp_path / "set" / "0.parquet", 1)):
        store = stored(place, tmp_path / f"store {times}")
        assert store.labels == ("dog",) * times
        assert np.array_equal(store.pixels[0], decode(tmp_path / "a.png", 16))
        assert (store.tally["rows"], store.tally["quarantined_rows"]) == (3 * times, 2 * times)
        assert [one["line"] for one in store.tally["quarantined"][:2]] == [2, 3]
        assert store.tally["quarantined"][0]["why"] == "has no picture in column 'img'"
    assert "labels in 'label'" in store.description


def test_a_cut_parquet_file_is_named(tmp_path: Path) -> None:
    good = save(tmp_path / "a.png", RED_BLUE).read_bytes()
    file = parquet_of(tmp_path / "set" / "0.parquet", [good] * 3, [1] * 3, ["cat", "dog"])
    content = bytearray(file.read_bytes())
    content[20:60] = b"x" * 40
    (tmp_path / "set" / "1.parquet").write_bytes(content)
    store = stored(tmp_path / "set", tmp_path / "store")
    assert store.tally["kept"] >= 3
    assert all("1.parquet" in one["file"] for one in store.tally["quarantined"])
    assert store.tally["quarantined_rows"] >= 1


def test_a_label_may_be_zero_or_a_list(tmp_path: Path) -> None:
    save(tmp_path / "a.png", RED_BLUE)
    labels = [0, 1, None, ["x", "y"], []]
    lines = [json.dumps({"path": "a.png", "label": label}) for label in labels]
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = [item.label for item in open_pictures(str(tmp_path / "t.jsonl")).items()]
    assert found == ["0", "1", "", '["x", "y"]', "[]"]
