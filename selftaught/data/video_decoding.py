"""The frames of one video, by PyAV: upright, evenly spaced in time, or a sentence that says why not.

A file is handed to FFmpeg as a stream of bytes, and only to its readers of videos: a playlist that names other files,
or a place on the network, is none of them, whatever its suffix.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.files import not_a_file
from selftaught.data.video_item import VideoFacts, VideoProblem

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mpe", ".ts", ".m2ts", ".flv", ".wmv", ".ogv"),
    *(".3gp", ".y4m", ".gif"),
)
MOST_PIXELS = 36_000_000  # of a frame, as 8K has them; a head that promises more is refused before anything is decoded
MOST_FRAMES = 6_000  # that are kept of a video: ten minutes at ten a second
_READERS = "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,flv,asf,ogg,gif,yuv4mpegpipe,3gp,h264,hevc,ivf,apng"
_CUT = 0.9  # of the length that a file says must be there
_NEAR = 2e-3  # seconds that times may be off: .mkv and .gif round them
_LONGEST_STILL = 10.0  # seconds that a frame stands at most: a broken time stamp would make it hours


def decode(content: Path | bytes, size: int, rate: float) -> np.ndarray:
    """The frames as uint8 [n, 3, size, size], at least two, at ``rate`` a second by their time stamps.

    Of each moment it is the frame that is shown then, whatever rate the video has, and if that varies. Sides are
    brought to ``size`` each; a rotation that the file asks for is done. No more than :data:`MOST_FRAMES` are kept.

    Raises:
        VideoProblem: if it is broken, cut off, has no pictures or only one, or has more than :data:`MOST_PIXELS`.
    """
    with _opened(content) as container:
        stream = _pictures_of(container)
        shown = _Shown(size, rate)
        try:
            for frame in container.decode(stream):
                if not shown.add(frame):
                    break
        except VideoProblem:
            raise
        except Exception as error:  # noqa: BLE001 each decoder has its own kinds of errors for broken files
            after = f" after {shown.ends:.1f} s" if shown.count else ""
            raise VideoProblem(f"is broken{after}: {_said(error)}") from None
        if not shown.count:
            raise VideoProblem("holds no frame that can be decoded")
        if shown.count == 1:
            raise VideoProblem("has only one frame: nothing can move")
        said = _length(container, stream)
        if not shown.full and said and shown.ends < _CUT * said and said - shown.ends > 2 * shown.step:
            raise VideoProblem(f"is cut off: it says {said:.1f} s, and {shown.ends:.1f} s are there")
        return shown.frames()


def facts(content: Path | bytes) -> VideoFacts:
    """What its head says.

    Raises:
        VideoProblem: if it cannot be opened, or has no pictures.
    """
    with _opened(content) as container:
        stream = _pictures_of(container)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        seconds = _length(container, stream) or (stream.frames / rate if rate else 0.0)
        return VideoFacts(stream.codec_context.width, stream.codec_context.height, seconds, rate)


class _Shown:
    """Gathers what is shown at each moment of an even grid, from frames that come when they like."""

    def __init__(self, size: int, rate: float) -> None:
        self.size, self.rate = size, rate
        self.count = 0
        self.step = 1 / rate  # seconds that a frame stands
        self.ends = 0.0
        self._kept: list[np.ndarray] = []
        self._first: float | None = None
        self._at = 0.0
        self._last: Any = None

    @property
    def full(self) -> bool:
        return len(self._kept) >= MOST_FRAMES

    def add(self, frame: Any) -> bool:
        """Take the next frame; False if there is room for no more."""
        _refuse_too_large(frame.width, frame.height)
        at = self._time(frame)
        if self._last is not None:
            self._show_until(at)
        self._last, self._at, self.count = frame, at, self.count + 1
        self.ends = at + self.step
        return not self.full

    def frames(self) -> np.ndarray:
        """All of them, uint8 [n, 3, S, S]."""
        self._show_until(self.ends)
        if len(self._kept) < 2:  # shorter than two moments: its begin and its end
            self._kept.append(_pixels(self._last, self.size))
        return np.stack(self._kept[:MOST_FRAMES])

    def _time(self, frame: Any) -> float:
        """Seconds from the first frame on; where a stamp is missing or goes back, the next step."""
        said = None if frame.pts is None or frame.time is None else float(frame.time)
        if self._first is None:
            self._first = said or 0.0
            return 0.0
        at = self._at + self.step if said is None else said - self._first
        if at <= self._at:
            return self._at + self.step
        at = min(at, self._at + _LONGEST_STILL)
        self.step = at - self._at
        return at

    def _show_until(self, end: float) -> None:
        """Keep the last frame for each moment before ``end``."""
        due = int(np.ceil((end - _NEAR) * self.rate - 1e-9)) - len(self._kept)
        if due > 0:
            pixels = _pixels(self._last, self.size)
            self._kept += [pixels] * min(due, MOST_FRAMES - len(self._kept))


def _pixels(frame: Any, size: int) -> np.ndarray:
    """uint8 [3, S, S], turned as the file asks for."""
    small = frame.reformat(width=size, height=size, format="rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(small, round(frame.rotation / 90) % 4).transpose(2, 0, 1))


def _opened(content: Path | bytes) -> Any:
    import av

    if isinstance(content, Path) and (why := not_a_file(content)):
        raise VideoProblem(why)
    try:
        file = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    except OSError as error:
        raise VideoProblem(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    if not (isinstance(content, bytes) and content) and not file.read(1):
        raise VideoProblem("is empty")
    file.seek(0)
    options = {"format_whitelist": _READERS, "protocol_whitelist": "none"}
    try:
        return av.open(file, container_options=options, metadata_errors="replace")
    except Exception as error:  # noqa: BLE001 as for decoding
        raise VideoProblem(f"is no video that can be read: {_said(error)}") from None


def _pictures_of(container: Any) -> Any:
    """The stream of pictures; the cover of an album is none."""
    import av

    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        sound = ", only sound" if container.streams.audio else ""
        raise VideoProblem(f"has no moving pictures{sound}")
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoProblem("is of a kind for which there is no decoder")
    _refuse_too_large(stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.thread_count = 1  # clips are decoded side by side
    return stream


def _refuse_too_large(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise VideoProblem(f"has {width:,} x {height:,} pixels, and at most {MOST_PIXELS:,} are read")


def _length(container: Any, stream: Any) -> float:
    """Seconds of its pictures, as its head says; 0 if it does not."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / 1e6
    return 0.0


def _said(error: BaseException) -> str:
    """What a library's error says, without the name of the file."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.strip().rstrip(".").lower()
