"""Data made to hurt: DATA must be refused; of GOOD_DATA what hurts is named or passed over."""

import io
import os
import struct
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.test_pictures import bomb
from tests.data.test_videos import bomb as endless_film
from tests.torture.hostile import Make, Scene, array, case, pickled, tar, written, zipped

DATA: dict[str, Make] = {}
GOOD_DATA: dict[str, Make] = {}


def png(shade: int = 90) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), shade, np.uint8) + np.arange(32, dtype=np.uint8)[:, None]).save(out, "png")
    return out.getvalue()


def _sparse(name: str, size: int) -> bytes:
    """A member as old GNU tar has it: one byte at the end of a hole."""
    head = bytearray(512)
    fields = {0: name.encode(), 100: b"0000644\0", 124: b"%011o\0" % 1, 156: b"S", 257: b"ustar  \0"}
    fields |= {386: b"%011o\0" % (size - 1), 398: b"%011o\0" % 1, 483: b"%011o\0" % size, 148: b" " * 8}
    for place, value in fields.items():
        head[place : place + len(value)] = value
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + b"x".ljust(512, b"\0")


DATA["an array of pickled objects"] = written("a.npy", array)


DATA["a pickle named .npy"] = written("a.npy", pickled)


DATA["an archive of arrays named .npy"] = written("a.npy", lambda s: zipped(array(s)))


DATA["an array that promises an exabyte"] = written(
    "a.npy",
    lambda s: (
        b"\x93NUMPY\x01\0"
        + struct.pack("<H", 80)
        + b"{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976, 8, 8)}"[:79].ljust(79)
        + b"\n"
    ),
)


DATA["a footer of parquet of 2 GB"] = written(
    "a.parquet", lambda s: b"PAR1" + bytes(99) + struct.pack("<I", (1 << 31) - 1) + b"PAR1"
)


DATA["pictures of a terapixel"] = written("a.png", lambda s: bomb(1_000_000, 1_000_000))


DATA["a script for Ghostscript named .png"] = written(
    "a.png", lambda s: f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({s.canary}) (w) file closefile\n".encode()
)


DATA["entities of XML in a picture"] = written(
    "a.png", lambda s: f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{s.outside}/secret.txt">]><svg>&e;</svg>'.encode()
)


DATA["a playlist that names another file"] = written(
    "a.mp4", lambda s: f"#EXTM3U\n#EXTINF:9,\nfile://{s.outside}/secret.txt\n#EXT-X-ENDLIST\n".encode()
)


DATA["a script of clips"] = written(
    "a.mkv", lambda s: f"ffconcat version 1.0\nfile '{s.outside}/secret.txt'\n".encode()
)


@case(DATA, "a tar of links to what lies outside")
def _links(scene: Scene) -> Path:
    secret, kinds = f"{scene.outside}/secret.txt", (tarfile.SYMTYPE, tarfile.LNKTYPE)
    links = tuple((f"{i}.{s}", secret, k) for i, k in enumerate(kinds) for s in ("png", "txt", "cls"))
    (scene.inside / "a.tar").write_bytes(tar(links=links))
    return scene.inside / "a.tar"


@case(DATA, "a tar of a gigabyte in holes")
def _holes(scene: Scene) -> Path:
    (scene.inside / "a.tar").write_bytes(_sparse("a.mp4", 1 << 30) + bytes(1024))
    return scene.inside / "a.tar"


@case(DATA, "a pipe")
def _fifo(scene: Scene) -> Path:
    os.mkfifo(scene.inside / "a.txt")
    return scene.inside / "a.txt"


@case(DATA, "a device")
def _device(scene: Scene) -> Path:
    (scene.inside / "a.png").symlink_to("/dev/zero")
    return scene.inside / "a.png"


@case(DATA, "a folder of pipes and devices")
def _pipes(scene: Scene) -> Path:
    for suffix in ("png", "mp4", "txt", "tar", "jsonl", "parquet", "npy"):
        os.mkfifo(scene.inside / f"a.{suffix}")
        (scene.inside / f"b.{suffix}").symlink_to("/dev/zero")
    return scene.inside


@case(DATA, "a folder of pipes that are pictures")
def _pipes_of_pictures(scene: Scene) -> Path:
    for name in ("a.png", "b.jpg", "0001.png", "0002.png", "a.txt"):
        os.mkfifo(scene.inside / name)
    return scene.inside


@case(DATA, "an animation of 60,000 by 60,000")
def _animation(scene: Scene) -> Path:
    (scene.inside / "a.gif").write_bytes(b"GIF89a" + 2 * (60_000).to_bytes(2, "little") + b"\x80\0\0" + bytes(900))
    return scene.inside / "a.gif"


DATA["a video that says it has 12,000 by 12,000 pixels"] = written("a.avi", lambda s: endless_film(s.inside))


@case(GOOD_DATA, "a tar of pickles, and names that climb out")
def _climbing(scene: Scene) -> Path:
    hostile = [(f"{n}.{kind}", pickled(scene)) for n, kind in enumerate(("pkl", "pyd", "pth", "npy", "cbor", "py"))]
    names = ("../../outside/escaped.png", f"{scene.outside}/escaped too.png", "..\\outside\\x.png", "good.png")
    members = (*hostile, *((name, png(n)) for n, name in enumerate(names)))
    (scene.inside / "a.tar").write_bytes(tar(*members))
    return scene.inside / "a.tar"


@case(GOOD_DATA, "a folder of text, pickles, code and links out")
def _mixed(scene: Scene) -> Path:
    for name in ("a.pkl", "b.pt", "c.npz", "__pycache__.npy", "data.joblib", "d.pickle"):
        (scene.inside / name).write_bytes(pickled(scene))
    for name in ("evil", "numpy", "yaml", "torch", "selftaught", "sitecustomize", "conftest", "setup", "PIL"):
        (scene.inside / f"{name}.py").write_text(scene.code(), encoding="utf-8")
    (scene.inside / "again").symlink_to(scene.inside)
    (scene.inside / "up").symlink_to("..")
    (scene.inside / "gone.txt").symlink_to("/nonexistent")
    (scene.inside / "good.txt").write_text("a good line of text\n" * 50, encoding="utf-8")
    return scene.inside


@case(GOOD_DATA, "a table that names devices and pipes")
def _named(scene: Scene) -> Path:
    os.mkfifo(scene.inside / "pipe.png")
    (scene.inside / "zero.png").symlink_to("/dev/zero")
    (scene.inside / "good.png").write_bytes(png())
    rows = [f"{name},words\n" for name in ("good.png", "pipe.png", "zero.png", "/dev/stdin", "/dev/zero", "good.png")]
    (scene.inside / "t.csv").write_text("image,caption\n" + "".join(rows), encoding="utf-8")
    return scene.inside / "t.csv"


TEXTS = {
    "a script for Ghostscript named .png",
    "entities of XML in a picture",
    "a playlist that names another file",
    "a script of clips",
}
"""What is text, whatever it is called."""
