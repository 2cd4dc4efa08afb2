"""A trained network over clips in use: its folder, and the features it makes.

model/             that of a network over pictures (:mod:`selftaught.pictures.model`), which reads each frame
model/video.json   how many frames of a clip are seen at once, and how many of them are a second
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from selftaught.data.files import read_json
from selftaught.data.video_store import VideoStore, even_windows
from selftaught.errors import SelftaughtError
from selftaught.lookup import checked
from selftaught.objective import Spec, VideoSpec
from selftaught.pictures.model import PictureModel, picture_folder

DEFAULT = VideoSpec(frames=16, rate=8.0)
WINDOWS = 3  # of a clip that is longer than one, evenly over it
STATISTICS = 4  # of each number of a frame's vector, see over_time
_FILE = "video.json"
_AT_ONCE = 32  # clips


@dataclass(frozen=True)
class VideoModel:
    """A network over pictures, and how it is given clips."""

    picture: PictureModel
    spec: VideoSpec = DEFAULT

    @property
    def whole(self) -> Spec:
        """What is known of clips and of their frames."""
        return Spec(image=self.picture.spec, video=self.spec)

    def save(self, folder: Path) -> None:
        """Write the model folder."""
        self.picture.save(folder)
        (folder / _FILE).write_text(json.dumps(asdict(self.spec), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, place: str | Path, precision: str = "fp32") -> Self:
        """Open a run, or its model folder; one of pictures is given clips as :data:`DEFAULT` says.

        Raises:
            SelftaughtError: if there is no network over pictures in it, or its files are damaged.
        """
        picture, folder = PictureModel.load(place, precision), picture_folder(Path(place))
        assert folder is not None
        file = folder / _FILE
        if not file.is_file():
            return cls(picture)
        try:
            facts = read_json(file)
            return cls(picture, VideoSpec(**checked(VideoSpec, _FILE, facts)))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            what = f"how clips are given to this network cannot be read: {error}"
            raise SelftaughtError(what, where=str(file), do="repeat the run that made it") from error

    def untrained(self, seed: int) -> "VideoModel":
        """The same network with weights drawn anew."""
        return VideoModel(self.picture.untrained(seed), self.spec)

    @property
    def width(self) -> int:
        """Numbers of a clip's features."""
        return STATISTICS * self.picture.backbone.width

    def features(self, store: VideoStore, clips: Sequence[int] | np.ndarray) -> np.ndarray:
        """Features of clips, float32 [C, 4 D]; see :func:`over_time`."""
        rows = [over_time(vectors) for vectors in self.vectors(store, clips)]
        return np.stack(rows) if rows else np.zeros((0, self.width), np.float32)

    def appearances(self, store: VideoStore, clips: Sequence[int] | np.ndarray) -> np.ndarray:
        """What the middle frame of each clip looks like, float32 [C, D]: features without anything of time."""
        middle = [int(store.starts[clip] + store.lengths[clip] // 2) for clip in clips]
        return self.picture.features(store.frames[middle])

    def vectors(self, store: VideoStore, clips: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
        """Of each clip the vectors of the frames of its windows, float32 [V, T, D]."""
        for first in range(0, len(clips), _AT_ONCE):
            windows = [even_windows(store, int(c), self.spec.frames, WINDOWS) for c in clips[first : first + _AT_ONCE]]
            frames, places = np.unique(np.concatenate([one.ravel() for one in windows]), return_inverse=True)
            vectors = self.picture.features(store.frames[frames])
            ends = np.cumsum([one.size for one in windows])[:-1]
            for one, there in zip(windows, np.split(places, ends), strict=True):
                yield vectors[there].reshape(*one.shape, -1)


def over_time(vectors: np.ndarray) -> np.ndarray:
    """One vector of a clip from those of its frames, [V, T, D] to [4 D]; the mean over windows.

    The mean says what is shown. How far frames are from it, how much each changes to the next, and how far the end is
    from the beginning say how it moves.
    """
    steps, third = np.diff(vectors, axis=1), max(1, vectors.shape[1] // 3)
    parts = (
        vectors.mean(1),
        vectors.std(1),
        np.abs(steps).mean(1),
        vectors[:, -third:].mean(1) - vectors[:, :third].mean(1),
    )
    return np.concatenate(parts, 1).mean(0)


def holds_video_model(place: str | Path) -> bool:
    """Whether this is a run, or a model folder, of a network that was trained on clips."""
    folder = picture_folder(Path(place))
    return folder is not None and (folder / _FILE).is_file()
