"""What can be told of clips without a network: their pixels, and how these change."""

from collections.abc import Sequence

import numpy as np

from selftaught.data.video_store import VideoStore

_SIDE = 16  # pixels are compared at no more than this
_PARTS = 4  # of time


def frame_differences(store: VideoStore, clips: Sequence[int] | np.ndarray, frames: int) -> np.ndarray:
    """How pixels change from frame to frame, float32 [C, 4 * 3 * 16 * 16].

    Frames evenly over a clip, their absolute differences, and the mean of those over each quarter of the time.
    """
    rows = []
    for clip in clips:
        some = _small(store.clip(int(clip)))[_evenly(int(store.lengths[clip]), frames)]
        parts = np.array_split(np.abs(np.diff(some, axis=0)), _PARTS)
        rows.append(np.stack([part.mean(0) if len(part) else some[0] * 0 for part in parts]).ravel())
    return np.stack(rows) if rows else np.zeros((0, 1), np.float32)


def middle_pixels(store: VideoStore, clips: Sequence[int] | np.ndarray) -> np.ndarray:
    """The pixels of the middle frame of each clip, float32 [C, 3 * 16 * 16] in [-0.5, 0.5]."""
    places = [int(store.starts[clip] + store.lengths[clip] // 2) for clip in clips]
    return _small(store.frames[places]).reshape(len(places), -1) - 0.5


def _small(frames: np.ndarray) -> np.ndarray:
    """Large frames by the means of squares of their pixels, float32 [n, 3, s, s] in [0, 1]."""
    count, channels, side, _ = frames.shape
    step = max(1, side // _SIDE)
    kept = frames[:, :, : side // step * step, : side // step * step]
    return kept.reshape(count, channels, side // step, step, side // step, step).mean((3, 5), dtype=np.float32) / 255


def _evenly(length: int, count: int) -> np.ndarray:
    return np.linspace(0, length - 1, count).round().astype(int)
