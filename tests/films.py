"""Real videos, a few kilobytes each, as somebody's camera might have left them."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CODECS = {
    ".mp4": "mpeg4",
    ".mov": "mjpeg",
    ".mkv": "ffv1",
    ".avi": "mpeg4",
    ".webm": "libvpx",
    ".gif": "gif",
}
COLOURS = ((230, 40, 40), (40, 200, 40), (60, 60, 240), (230, 200, 40))


def moving_square(
    count: int = 12, *, across: int = 1, down: int = 0, side: int = 32, colour: tuple[int, int, int] = COLOURS[0]
) -> np.ndarray:
    """Frames uint8 [n, side, side, 3]: a square that moves so many steps a frame, round and round."""
    frames = np.full((count, side, side, 3), 20, np.uint8)
    size, step = side // 4, side // 16
    for time in range(count):
        row, column = (side // 4 + time * step * by for by in (down, across))
        places = [(start + np.arange(size)) % side for start in (row, column)]
        frames[time][np.ix_(*places)] = colour
    return frames


def film(
    path: Path, frames: np.ndarray, *, rate: int = 8, times: Sequence[float] | None = None, codec: str | None = None
) -> Path:
    """Write frames [n, H, W, 3] as a video of the kind that the suffix says.

    Args:
        times: of each frame, in seconds; evenly at ``rate`` if not given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec or CODECS[path.suffix], rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(stream.codec_context.name, "yuv420p")
        if times is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if stream.codec_context.name != "gif":
            stream.bit_rate = 2_000_000
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[number]), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def sound(path: Path) -> Path:
    """A file with a tone and nothing to see."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=16_000)
        tone = (8000 * np.sin(np.arange(16_000) / 6)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def turned(path: Path, quarters: int) -> Path:
    """Tell players of an .mp4 to turn it clockwise by so many quarters, as telephones do."""
    content = path.read_bytes()
    straight = b"".join(n.to_bytes(4, "big", signed=True) for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
    matrix = (cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    head = content.index(b"tkhd")
    place = content.index(straight, head)
    told = b"".join(n.to_bytes(4, "big", signed=True) for n in matrix)
    path.write_bytes(content[:place] + told + content[place + len(told) :])
    return path


def as_bytes(frames: np.ndarray, suffix: str) -> bytes:
    """A video in memory."""
    out = io.BytesIO()
    with av.open(out, "w", format={".mkv": "matroska", ".mp4": "mp4"}[suffix]) as container:
        stream = container.add_stream(CODECS[suffix], rate=8)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()
