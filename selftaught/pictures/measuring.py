"""What the features of pictures say while they are learned and after: how they lie, and what can be read off them."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from selftaught.metrics.knn import knn_predict
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.spread import alignment, effective_rank, uniformity
from selftaught.pictures.model import PictureModel
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import as_fractions
from selftaught.randomness import Randomness, derive

COLLAPSE = "collapse"
_RANKED = 512
_FEW_DIRECTIONS = 4.0  # healthy features use a dozen or more (docs/lab.md)
_COLLAPSED = 0.01  # of features that are one but for rounding; healthy ones were seen to differ by 4 % of their size


def feature_measures(
    model: PictureModel,
    known: np.ndarray,
    known_labels: Sequence[str],
    asked: np.ndarray,
    asked_labels: Sequence[str],
    seed: int,
) -> dict[str, float]:
    """Measures of a network's features of ``asked``, pictures it has not been trained on.

    ``rank``: how many directions they use (RankMe). ``deviation``: how far they are from being all one, in shares of
    their size. ``alignment`` and ``uniformity``: how near two views of a picture lie, and how evenly all pictures do
    (:mod:`selftaught.metrics.spread`); whatever the objective, with the views of :class:`Views` as they come. Where
    there are labels ``knn`` and ``probe``: the accuracy of what is learned from ``known``.

    Args:
        known, asked: uint8 [N, 3, S, S].
        known_labels, asked_labels: of each; none where there are no labels.
    """
    seen = model.features(asked)
    size = float(np.sqrt(np.square(seen).mean()))
    found = {"rank": effective_rank(seen[:_RANKED]), "deviation": float(seen.std(0).mean()) / max(size, 1e-12)}
    found |= _spread(model, asked[:_RANKED], seed)
    if len(known) and len(set(known_labels)) > 1:
        learned, truth = model.features(known), np.array(asked_labels)
        found["knn"] = float(np.mean(np.array(knn_predict(learned, known_labels, seen)) == truth))
        found["probe"] = float(np.mean(np.array(fit_probe(learned, known_labels, seed=0).predict(seen)) == truth))
    return found


def _spread(model: PictureModel, pixels: np.ndarray, seed: int) -> dict[str, float]:
    indices = torch.arange(len(pixels))
    rng = Randomness.of(derive("spread", seed), torch.zeros_like(indices), indices)
    pictures = as_fractions(torch.from_numpy(np.array(pixels)))
    first, second = (
        torch.from_numpy(model.features((Views()(pictures, rng.child(name)) * 255).round().to(torch.uint8).numpy()))
        for name in ("first", "second")
    )
    first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
    apart = ~torch.eye(len(first), dtype=torch.bool)
    return {
        "alignment": float(alignment((first * second).sum(1)).mean()),
        "uniformity": float(uniformity((first @ first.T)[apart])),
    }


def collapse_sentence(rank: float, deviation: float) -> str | None:
    """What to say of features that are nearly the same for all pictures; None where they are not."""
    if rank >= _FEW_DIRECTIONS and deviation >= _COLLAPSED:
        return None
    return (
        f"{COLLAPSE}: the features of all pictures are nearly one (they use {rank:.1f} directions, and differ by "
        f"{deviation:.1%} of their size), so that none is told from another. Likely causes: an objective without "
        "anything that keeps different pictures apart, a learning rate too high, or pictures that are all alike"
    )
