"""Attention over time, drawn: the frames of clips, and how much each step from one to the next counts."""

from pathlib import Path

import numpy as np

from selftaught.data.video_store import VideoStore, even_windows
from selftaught.errors import saving
from selftaught.pictures.lettering import fonts, literal
from selftaught.video.classifying import ClipClassifier


def draw_attention(classifier: ClipClassifier, store: VideoStore, clips: np.ndarray, file: Path) -> None:
    """Draw the frames that are looked at of each clip, what is said of it, and the weight of each step below."""
    from matplotlib.figure import Figure

    weights, said = classifier.attention(store, clips), classifier.answers(store, clips)
    window = classifier.model.spec.frames
    places = classifier.task.places(window).numpy()
    count = len(places)
    figure = Figure(figsize=(1.1 * count, 1.75 * len(clips)), layout="constrained")
    grid = figure.add_gridspec(2 * len(clips), count, height_ratios=[3, 1] * len(clips))
    for row, clip in enumerate(clips):
        frames = store.frames[even_windows(store, int(clip), window, 1)[0][places]]
        for column, frame in enumerate(frames):
            axes = figure.add_subplot(grid[2 * row, column])
            axes.imshow(frame.transpose(1, 2, 0))
            axes.axis("off")
            if not column:
                title = literal(_title(said[row], store.labels[clip]))
                axes.set_title(title, loc="left", fontsize=8, family=fonts())
        bars = figure.add_subplot(grid[2 * row + 1, :])
        bars.bar(np.arange(count - 1) + 0.5, weights[row], width=0.9, color="#4878a8")
        bars.axhline(1 / (count - 1), color="#999999", linewidth=0.8)  # evenly
        bars.set_xlim(-0.5, count - 0.5)
        bars.set_ylim(0, max(2 / (count - 1), 1.05 * float(weights.max())))
        bars.set_xticks([])
        bars.tick_params(labelsize=6)
    with saving(file):
        figure.savefig(file, dpi=100)


def _title(answer: dict[str, object], label: str) -> str:
    said = ", ".join(answer["labels"]) if "labels" in answer else answer["label"]  # type: ignore[arg-type]
    return f"says {said}" + (f", is {label}" if label else "")
