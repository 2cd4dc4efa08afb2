"""Videos from every kind of place; what cannot be used is named, and nothing is lost."""

import io
import os
import struct
import tarfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selftaught.data.picture_source import holds_pictures
from selftaught.data.video_decoding import decode, facts
from selftaught.data.video_item import VideoFacts, VideoProblem
from selftaught.data.video_source import holds_videos, open_videos
from selftaught.data.video_store import Clips, VideoStore, even_windows, prepare_videos
from selftaught.errors import SelftaughtError

from ..films import CODECS, COLOURS, as_bytes, film, moving_square, sound, turned

RATE = 8.0
Patch = pytest.MonkeyPatch


def stored(data: Path | str, folder: Path, rate: float = RATE) -> VideoStore:
    return prepare_videos(open_videos(str(data)), folder, resolution=16, rate=rate, seed=0)


def frames_of(folder: Path, frames: np.ndarray, name: str = "{:03d}.png") -> Path:
    folder.mkdir(parents=True)
    for number, pixels in enumerate(frames):
        Image.fromarray(pixels).save(folder / name.format(number + 1))
    return folder


@pytest.mark.parametrize("suffix", list(CODECS))
def test_every_format_gives_its_frames(tmp_path: Path, suffix: str) -> None:
    drawn = moving_square(10)
    found = decode(film(tmp_path / f"a{suffix}", drawn), 32, RATE)
    assert found.dtype == np.uint8
    assert found.shape[1:] == (3, 32, 32)
    assert abs(len(found) - 10) <= 1  # of .gif a frame is no eighth of a second, but twelve hundredths
    off = np.abs(found[0].astype(int) - drawn[0].transpose(2, 0, 1)).mean()
    assert off < (30 if suffix == ".gif" else 8)  # which has few colours


def test_frames_are_taken_by_their_times_whatever_rate_there_is(tmp_path: Path) -> None:
    """Frames at 0, 0.5, 2 and 2.5 s: at two a second the second one is what is shown for three moments."""
    found = decode(film(tmp_path / "a.mkv", moving_square(4), times=[0, 0.5, 2.0, 2.5]), 16, 2.0)
    changes = [bool(np.any(one != other)) for one, other in pairwise(found)]
    assert changes == [True, False, False, True, True]


@pytest.mark.parametrize(("rate", "count"), [(16.0, 32), (8.0, 16), (4.0, 8), (1.0, 2), (0.1, 2)])
def test_a_rate_says_how_many_frames(tmp_path: Path, rate: float, count: int) -> None:
    assert len(decode(film(tmp_path / "a.mkv", moving_square(32), rate=16), 16, rate)) == count


@pytest.mark.parametrize(("quarters", "side"), [(0, "top"), (1, "right"), (2, "bottom"), (3, "left")])
def test_a_video_is_turned_upright_as_it_asks(tmp_path: Path, quarters: int, side: str) -> None:
    light_above = np.zeros((4, 32, 32, 3), np.uint8)
    light_above[:, :8] = 255
    seen = decode(turned(film(tmp_path / "a.mp4", light_above), quarters), 8, RATE)[0].mean(0)
    sides = {"top": seen[0], "right": seen[:, -1], "bottom": seen[-1], "left": seen[:, 0]}
    assert max(sides, key=lambda name: sides[name].mean()) == side


def test_the_head_is_told_without_decoding(tmp_path: Path) -> None:
    assert facts(film(tmp_path / "a.mkv", moving_square(12, side=64))) == VideoFacts(64, 64, 1.5, 8.0)


def _cut(suffix: str, share: float) -> Callable[[Path], bytes]:
    def cut(folder: Path) -> bytes:
        whole = film(folder / f"whole{suffix}", moving_square(40, side=64)).read_bytes()
        return whole[: int(share * len(whole))]

    return cut


def _flipped(folder: Path) -> bytes:
    whole = film(folder / "whole.mkv", moving_square(40, side=64)).read_bytes()
    middle = len(whole) // 3
    return whole[:middle] + bytes(255 - b for b in whole[middle : 2 * middle]) + whole[2 * middle :]


MALFORMED: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "empty": (".mp4", lambda _: b"", "is empty"),
    "text": (".mkv", lambda _: b"these are only words\n" * 40, "is no video that can be read"),
    "zeros": (".avi", lambda _: bytes(5000), "is no video that can be read"),
    "picture": (".mp4", lambda _: _png(), "is no video that can be read"),
    "playlist": (".mp4", lambda _: b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n", "is no video that can be read"),
    "script": (".mkv", lambda _: b"ffconcat version 1.0\nfile '/etc/passwd'\n", "is no video that can be read"),
    "header only": (".mkv", _cut(".mkv", 0.02), "is no video|no frame|no moving pictures"),
    "without its index": (".mp4", _cut(".mp4", 0.6), "is no video that can be read"),
    "cut off": (".mkv", _cut(".mkv", 0.5), "is cut off: it says 5.0 s"),
    "cut off too": (".avi", _cut(".avi", 0.5), "is cut off|is no video that can be read"),
    "flipped bytes": (".mkv", _flipped, "is broken|is cut off"),
    "one frame": (".mkv", lambda f: film(f / "one.mkv", moving_square(1)).read_bytes(), "has only one frame"),
    "one frame of a gif": (".gif", lambda f: film(f / "one.gif", moving_square(1)).read_bytes(), "has only one frame"),
    "sound": (".mp4", lambda f: sound(f / "tone.mp4").read_bytes(), "has no moving pictures, only sound"),
    "bomb": (".avi", lambda f: bomb(f), "has 12,000 x 12,000 pixels"),
    "bomb of raw frames": (".y4m", lambda _: b"YUV4MPEG2 W30000 H30000 F8:1 Ip A1:1 C420jpeg\nFRAME\n", "is no video"),
    "bomb of a gif": (".gif", lambda _: b"GIF89a" + 2 * (60_000).to_bytes(2, "little") + bytes(900), "is broken"),
}


def bomb(folder: Path) -> bytes:
    """A small video whose head says that it is large."""
    head, large = (struct.pack("<iii", 82, side, side) for side in (32, 12_000))
    return film(folder / "small.avi", moving_square(), codec="ffv1").read_bytes().replace(head, large)


def _png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(moving_square(1)[0]).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("case", list(MALFORMED))
def test_what_cannot_be_used_is_named_with_the_reason(tmp_path: Path, case: str) -> None:
    suffix, content, why = MALFORMED[case]
    data = tmp_path / "data"
    film(data / "good.mkv", moving_square())
    (data / f"bad{suffix}").write_bytes(content(tmp_path))
    store = stored(data, tmp_path / "store")
    assert store.files == (f"{data}/good.mkv",)
    (record,) = store.tally["quarantined"]
    assert (store.tally["rows"], store.tally["kept"]) == (2, 1)
    assert record["file"] == f"{data}/bad{suffix}"
    with pytest.raises(VideoProblem, match=why):
        decode(data / f"bad{suffix}", 16, RATE)


def test_a_link_to_nowhere_and_a_name_that_is_no_text_are_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    film(data / "good.mkv", moving_square())
    (data / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    os.mkfifo(data / "pipe.mp4")
    os.rename(film(tmp_path / "x.mkv", moving_square(9)), os.fsencode(data) + b"/odd-\xff.mkv")
    store = stored(data, tmp_path / "store")
    assert len(store) == 2
    assert "no such file" in store.tally["quarantined"][0]["why"]
    assert store.tally["quarantined"][1]["why"] == "is a pipe, not a file"


def test_not_one_usable_clip_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(SelftaughtError, match="not one clip can be"):
        open_videos(str(tmp_path / "data")).typical()
    with pytest.raises(SelftaughtError, match=r"a\.mp4: is no video that can be read"):
        stored(tmp_path / "data", tmp_path / "store")


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """``data/across`` and ``data/down``, two clips each."""
    for number in range(2):
        film(tmp_path / "data" / "across" / f"{number}.mkv", moving_square(20, colour=COLOURS[number]))
        film(tmp_path / "data" / "down" / f"{number}.mkv", moving_square(20, across=0, down=1, colour=COLOURS[number]))
    return tmp_path / "data"


def test_subfolders_are_labels_and_a_flat_folder_has_none(classes: Path, tmp_path: Path) -> None:
    assert stored(classes, tmp_path / "a").labels == ("across", "across", "down", "down")
    assert stored(classes / "down", tmp_path / "b").labels == ("", "")
    assert stored(classes / "down" / "0.mkv", tmp_path / "c").files == (f"{classes}/down/0.mkv",)


def test_a_table_names_clips_and_labels(classes: Path, tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("clip,label\ndata/across/0.mkv,sideways\ndata/none.mkv,sideways\n,up\n", encoding="utf-8")
    assert holds_videos(str(table))
    store = stored(table, tmp_path / "store")
    assert (store.files, store.labels) == ((f"{table}:2",), ("sideways",))
    assert [(one["line"], one["why"]) for one in store.tally["quarantined"]] == [
        (3, "names 'data/none.mkv', which is not there"),
        (4, "names no video"),
    ]


def test_tar_files_hold_clips_with_labels_beside_them(classes: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "clips.tar", "w") as shard:
        for name, content in {"1.mkv": as_bytes(moving_square(), ".mkv"), "1.cls": b"round\n"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))
    assert holds_videos(str(tmp_path / "clips.tar"))
    store = stored(tmp_path / "clips.tar", tmp_path / "store")
    assert (store.files, store.labels) == ((f"{tmp_path}/clips.tar/1.mkv",), ("round",))


def test_folders_of_numbered_pictures_are_clips_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    drawn = moving_square(12)
    for label, number in (("a", 1), ("a", 2), ("b", 1)):
        frames_of(tmp_path / "data" / label / f"clip{number}", drawn[:: 1 if label == "a" else -1], "frame_{}.png")
    store = stored(tmp_path / "data", tmp_path / "store")
    assert store.labels == ("a", "a", "b")
    assert store.lengths.tolist() == [12, 12, 12]
    assert (store.clip(0) == store.clip(2)[::-1]).all()  # frame_2 comes before frame_10
    assert holds_videos(str(tmp_path / "data"))


def test_numbered_pictures_of_different_things_are_pictures(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 255, (2, 10, 16, 16, 3)).astype(np.uint8)
    for label, some in zip("ab", drawn, strict=True):
        frames_of(tmp_path / "data" / label, some)
    assert not holds_videos(str(tmp_path / "data"))
    assert holds_pictures(str(tmp_path / "data"))
    assert "do not follow each other" in open_videos(str(tmp_path / "data")).description


def test_gifs_are_clips_where_they_move(tmp_path: Path) -> None:
    film(tmp_path / "moving" / "a.gif", moving_square())
    film(tmp_path / "still" / "a.gif", moving_square(1))
    assert holds_videos(str(tmp_path / "moving"))
    assert not holds_videos(str(tmp_path / "still"))


def test_copies_are_on_one_side_and_counted(tmp_path: Path) -> None:
    for number in range(30):
        film(tmp_path / "data" / f"{number}.mkv", moving_square(8, colour=(8 * (number // 2), 99, 99)))
    store = stored(tmp_path / "data", tmp_path / "store")
    assert store.copies == 15
    by_pixels: dict[bytes, set[bool]] = {}
    for clip in range(len(store)):
        by_pixels.setdefault(store.clip(clip).tobytes(), set()).add(bool(store.held_out[clip]))
    assert all(len(sides) == 1 for sides in by_pixels.values())


def test_a_store_is_made_once_and_its_damage_is_told(classes: Path, tmp_path: Path) -> None:
    first = stored(classes, tmp_path / "store")
    made = (tmp_path / "store" / "frames.npy").stat().st_mtime_ns
    again = stored(classes, tmp_path / "store")
    assert (first.frames == again.frames).all()
    assert (tmp_path / "store" / "frames.npy").stat().st_mtime_ns == made
    with (tmp_path / "store" / "frames.npy").open("r+b") as file:
        file.seek(-5, 2)
        file.write(b"\x01\x02")
    with pytest.raises(SelftaughtError, match="damaged"):
        stored(classes, tmp_path / "store")


def test_motion_is_the_mean_change_of_a_pixel(classes: Path, tmp_path: Path) -> None:
    store = stored(classes, tmp_path / "store")
    first, second = store.clip(0)[:2].astype(float) / 255
    assert store.motion[0] == pytest.approx(np.abs(second - first).mean(), rel=1e-5)
    assert store.motion[store.starts[1:] - 1].tolist() == [0, 0, 0, 0]  # a clip's last frame has no next one


def test_windows_lie_within_their_clip_and_are_drawn_anew_each_epoch(tmp_path: Path) -> None:
    """Of 40 frames five windows of 8, a share of 7 or so places to begin at each; of 5 frames one, stretched."""
    film(tmp_path / "data" / "a.mkv", moving_square(40))
    film(tmp_path / "data" / "b.mkv", moving_square(5, down=1))
    store = stored(tmp_path / "data", tmp_path / "store")
    clips = Clips.of(store, np.arange(2), 8, seed=0)
    assert clips.clips.tolist() == [0, 0, 0, 0, 0, 1]
    drawn = [clips.take(np.arange(6), np.full(6, epoch)) for epoch in range(2)]
    same = clips.take(np.array([2]), np.array([1]))["frames"][0]
    assert (same == drawn[1]["frames"][2]).all()
    assert any((one != other).any() for one, other in zip(drawn[0]["frames"][:5], drawn[1]["frames"][:5], strict=True))
    short = drawn[0]["frames"][5].numpy()
    assert (short == store.clip(1)[[0, 0, 1, 1, 2, 3, 3, 4]]).all()
    assert (drawn[0]["motion"][5].numpy() > 0).tolist() == [False, True, False, True, True, False, True]


def test_windows_begin_where_more_moves(tmp_path: Path) -> None:
    """Of a clip that stands still but for its end, nearly all windows have the end in them."""
    still = np.repeat(moving_square(1), 30, 0)
    film(tmp_path / "data" / "a.mkv", np.concatenate([still, moving_square(10)]))
    clips = Clips.of(stored(tmp_path / "data", tmp_path / "store"), np.arange(1), 30, seed=0)
    moving = clips.take(np.zeros(50, np.int64), np.arange(50))["motion"].sum(1) > 0
    assert moving.float().mean() > 0.8


def test_of_a_very_long_video_the_beginning_is_kept_and_that_is_told(tmp_path: Path, monkeypatch: Patch) -> None:
    for module in ("video_decoding", "video_store"):
        monkeypatch.setattr(f"selftaught.data.{module}.MOST_FRAMES", 20)
    film(tmp_path / "data" / "long.mkv", moving_square(60))
    film(tmp_path / "data" / "short.mkv", moving_square(12, down=1))
    store = stored(tmp_path / "data", tmp_path / "store")
    assert store.lengths.tolist() == [20, 12]
    assert store.cut == 1


@pytest.mark.parametrize(("window", "firsts"), [(40, [0]), (20, [0, 20]), (8, [0, 16, 32]), (30, [5])])
def test_a_clip_is_looked_at_evenly(tmp_path: Path, window: int, firsts: list[int]) -> None:
    film(tmp_path / "data" / "a.mkv", moving_square(40))
    store = stored(tmp_path / "data", tmp_path / "store")
    assert even_windows(store, 0, window, 3)[:, 0].tolist() == firsts
