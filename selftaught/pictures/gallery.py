"""Pages of pictures for a person to look at: views, reconstructions, nearest neighbours, and a map of all features."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from selftaught.backbones.patch_decoder import with_patches
from selftaught.objective import Batch, PictureSpec
from selftaught.pictures.lettering import fonts, literal
from selftaught.pretext.pictures import as_seen

_SHOWN_SIDE = 64  # pixels of a picture on a page, at least
_GAP = 4
_COLOURS = 20  # of labels on a map; the others are grey
_CLUSTERS = 10
_MOST_MAPPED = 1_000


def write_page(rows: np.ndarray, file: Path) -> None:
    """Write pictures uint8 [R, C, 3, S, S] in rows, white between them, enlarged without smoothing."""
    times = max(1, -(-_SHOWN_SIDE // rows.shape[-1]))
    large = rows.repeat(times, -1).repeat(times, -2)
    spaced = np.pad(large, [(0, 0), (0, 0), (0, 0), (0, _GAP), (0, _GAP)], constant_values=255)
    count, across, _, high, wide = spaced.shape
    page = spaced.transpose(0, 3, 1, 4, 2).reshape(count * high, across * wide, 3)
    Image.fromarray(page[:-_GAP, :-_GAP]).save(file)


def as_bytes(pictures: torch.Tensor) -> np.ndarray:
    """Pictures in [0, 1] as uint8."""
    return (pictures.detach().float() * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def posed_pictures(batch: Batch, spec: PictureSpec) -> list[np.ndarray]:
    """What an objective asks about, as pictures: uint8 [B, 3, S, S] for each view. What is hidden is grey.

    Args:
        batch: of :class:`selftaught.data.loader.Batches`.
    """
    streams, count = batch.get("streams", {"": batch}), batch["size"]
    found = []
    for posed in streams.values():
        pixels = posed["pixels"].float()
        if "hidden" in posed:
            assert spec.patch is not None
            shape = (*posed["hidden"].shape, 3 * spec.patch**2)
            pixels = with_patches(posed, spec.patch, torch.zeros(shape, device=pixels.device))
        found += as_seen(pixels, spec).split(count)
    return [as_bytes(view) for view in found]


def neighbours(features: np.ndarray, pixels: np.ndarray, queries: int = 10, nearest: int = 8) -> np.ndarray:
    """In each row a picture, and those whose features are nearest by cosine: uint8 [Q, 1 + K, 3, S, S].

    Args:
        features: float32 [N, D].
        pixels: uint8 [N, 3, S, S].
    """
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    nearest = min(nearest, len(unit) - 1)
    asked = np.linspace(0, len(unit) - 1, min(queries, len(unit))).astype(int)
    closeness = unit[asked] @ unit.T
    closeness[np.arange(len(asked)), asked] = np.inf  # itself comes first
    return pixels[np.argsort(-closeness, 1, kind="stable")[:, : 1 + nearest]]


def draw_map(features: np.ndarray, labels: Sequence[str], file: Path, seed: int) -> str:
    """Draw features [N, D] on a plane, those alike near each other (t-SNE), and say what the colours are.

    Args:
        labels: of each; where there is only one, colours show clusters (k-means).
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    features = features[:_MOST_MAPPED].astype(np.float64)
    names = np.array([str(label) or "no label" for label in labels[: len(features)]])
    kind = "labels"
    if len(set(names)) < 2:
        kind = "clusters of their features"
        groups = KMeans(min(_CLUSTERS, len(features)), n_init=2, random_state=seed).fit_predict(features)
        names = np.array([f"cluster {group + 1}" for group in groups])
    few = PCA(min(32, *features.shape), random_state=seed).fit_transform(features)
    places = TSNE(perplexity=min(30.0, (len(few) - 1) / 3), random_state=seed, init="pca").fit_transform(few)
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.subplots()
    palette = colormaps["tab10" if len(set(names)) <= 10 else "tab20"]
    told = [name for name, _ in Counter(names.tolist()).most_common(_COLOURS)]
    others = ~np.isin(names, told)
    if others.any():
        axes.scatter(
            places[others, 0], places[others, 1], s=8, color="#bdbdbd", label=f"{len(set(names[others]))} other labels"
        )
    for number, name in enumerate(sorted(told)):
        own, colour = places[names == name], palette(number % palette.N)
        axes.scatter(own[:, 0], own[:, 1], s=10, color=colour, label=literal(name))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"{len(places):,} held-out pictures by their features (t-SNE); colours are {kind}")
    axes.legend(prop={"family": fonts(), "size": 8}, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(file, dpi=110)
    return kind
