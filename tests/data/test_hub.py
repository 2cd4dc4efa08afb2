"""A data set is fetched from a hub that speaks enough of the real protocol, on this machine."""

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from selftaught.data.hub import split_name


def png(lightness: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (16, 16), lightness).save(out, "png")
    return out.getvalue()


COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "README.md": b"# About this data set\n",
    "data/train.csv": b"text,label\na good film,1\na bad film,0\n",
    "data/notes/a.txt": b"some notes\n",
    "script.py": b"raise SystemExit('never run')\n",
    "stills/day/a.png": png(200),
    "stills/night/b.png": png(20),
}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("owner/name", ("owner/name", None, "")),
        ("owner/name@v1", ("owner/name", "v1", "")),
        ("owner/name@v1/data/en", ("owner/name", "v1", "data/en")),
        ("owner/name/data", ("owner/name", None, "data")),
        ("name@refs%2Fconvert%2Fparquet/x", ("name", "refs/convert/parquet", "x")),
    ],
)
def test_a_name_has_a_data_set_a_revision_and_a_subfolder(name: str, parts: tuple[str, str | None, str]) -> None:
    assert split_name(name) == parts


class Hub(BaseHTTPRequestHandler):
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.asked.append(path)  # type: ignore[attr-defined]
        if path.startswith("/api/datasets/owner/films/tree/"):
            return self.answer(json.dumps([
                {"type": "file", "oid": hashlib.sha1(content).hexdigest(), "size": len(content), "path": name}
                for name, content in FILES.items()
            ]).encode())  # fmt: skip
        if path.startswith("/api/datasets/owner/films"):
            siblings = [{"rfilename": name} for name in FILES]
            return self.answer(json.dumps({"id": "owner/films", "sha": COMMIT, "siblings": siblings}).encode())
        name = path.removeprefix(f"/datasets/owner/films/resolve/{COMMIT}/")
        return self.answer(FILES[name]) if name in FILES else self.answer(b"", 404, "RepoNotFound")

    def answer(self, content: bytes, status: int = 200, error: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


READ = """
import json, sys
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
for name in sys.argv[1:]:
    try:
        print(json.dumps([[row.text, row.file, row.line] for row in open_text(name).rows(Tally())]))
    except SelftaughtError as error:
        print(json.dumps(str(error)))
"""


LOOK = """
import json, sys
from selftaught.data.picture_source import holds_pictures, open_pictures
for name in sys.argv[1:]:
    items = [[item.file, item.label, int(item.load(8).mean())] for item in open_pictures(name).items()]
    print(json.dumps([holds_pictures(name), items]))
"""


def read(cache: Path, port: int, *names: str, program: str = READ) -> list[object]:
    """In a process of its own, since the library learns where its hub is when it is loaded."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{port}",
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", program, *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_data_set_is_fetched_and_read_as_a_folder(tmp_path: Path, hub: ThreadingHTTPServer) -> None:
    everything, part, missing = read(
        tmp_path, hub.server_port, "hf:owner/films", "hf:owner/films@main/data/notes", "hf:owner/none"
    )
    assert everything == [
        ["some notes\n", "hf:owner/films/data/notes/a.txt", 1],
        ["a good film", "hf:owner/films/data/train.csv", 2],
        ["a bad film", "hf:owner/films/data/train.csv", 3],
    ]
    assert part == [["some notes\n", "hf:owner/films@main/data/notes/a.txt", 1]]
    assert "'owner/none' cannot be fetched" in str(missing)
    assert not any("script.py" in path or "README" in path for path in hub.asked)  # type: ignore[attr-defined]


def test_so_is_one_of_pictures(tmp_path: Path, hub: ThreadingHTTPServer) -> None:
    place = "hf:owner/films@main/stills"
    (found,) = read(tmp_path, hub.server_port, place, program=LOOK)
    assert found == [True, [[f"{place}/day/a.png", "day", 200], [f"{place}/night/b.png", "night", 20]]]
