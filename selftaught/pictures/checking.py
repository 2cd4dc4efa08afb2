"""What is asked of a network over pictures now and then while it learns, and at the end."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from selftaught.console import note
from selftaught.loop import Progress, evaluate
from selftaught.pictures.illustrating import Illustrator
from selftaught.pictures.measuring import collapse_sentence, feature_measures
from selftaught.pictures.preparing import PicturePretraining
from selftaught.randomness import derive

_PROBING_SHARE = 0.1  # of the time, about, goes into probes
_PROBED, _SCORED = 2_000, 1_000  # pictures that a probe learns from, and is scored on


def checker(
    ready: PicturePretraining, illustrator: Illustrator, told: list[str]
) -> Callable[[Progress], dict[str, Any]]:
    """The held-out loss, the rank of the features and, where places name labels, kNN and a linear probe.

    Args:
        told: takes what was said of features that collapse.
    """

    spent = 0.0

    def check(progress: Progress) -> dict[str, Any]:
        nonlocal spent
        began = time.perf_counter()
        illustrator.answers(progress.step)
        probing = spent <= _PROBING_SHARE * progress.seconds
        found = {**held_out_losses(ready), **measures(ready, probing=probing)}
        spent += time.perf_counter() - began if probing else 0.0
        if (sentence := collapse_sentence(found["rank"], found["deviation"])) and not told:
            note(sentence)
            told.append(sentence)
        return found

    return check


def held_out_losses(ready: PicturePretraining) -> dict[str, float]:
    """The objective's measures of some held-out pictures; none where there are too few."""
    batch = ready.held_out_batch()
    found = evaluate(ready.learner, iter([batch])) if batch else {}
    return {f"held_out_{name}": value for name, value in found.items()}


def measures(ready: PicturePretraining, *, probing: bool = True) -> dict[str, float]:
    """What the features of held-out pictures say; see :func:`feature_measures`.

    Args:
        probing: whether to ask what can be read off them, which takes longest.
    """
    store, generator = ready.store, np.random.default_rng(derive("probe", ready.recipe.train.seed))
    held, trained = (generator.permutation(np.flatnonzero(store.held_out == side)) for side in (True, False))
    asked = np.sort((held if len(held) > 1 else trained)[:_SCORED])
    known = np.sort(trained[: _PROBED if probing and len(held) > 1 else 0])
    pixels, labels = store.pixels, store.labels
    return feature_measures(
        ready.model,
        pixels[known],
        [labels[i] for i in known],
        pixels[asked],
        [labels[i] for i in asked],
        ready.recipe.train.seed,
    )
