"""What is asked of a network over clips now and then while it learns, and at the end."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from selftaught.console import note
from selftaught.loop import Progress, evaluate
from selftaught.metrics.knn import knn_predict
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.spread import effective_rank
from selftaught.pictures.measuring import collapse_sentence
from selftaught.randomness import derive
from selftaught.video.illustrating import Filmstrips
from selftaught.video.preparing import VideoPretraining

_PROBING_SHARE = 0.1  # of the time, about, goes into probes
_FEWEST = 16  # clips that can use a dozen directions; where fewer are held out, all are looked at
_PROBED, _SCORED = 500, 500  # clips that a probe learns from, and is scored on


def checker(ready: VideoPretraining, illustrator: Filmstrips, told: list[str]) -> Callable[[Progress], dict[str, Any]]:
    """The held-out loss, the rank of the features and, where places name labels, kNN and a linear probe.

    Args:
        told: takes what was said of features that collapse.
    """

    spent = 0.0

    def check(progress: Progress) -> dict[str, Any]:
        nonlocal spent
        began = time.perf_counter()
        illustrator.answers(progress.step)
        found = held_out_losses(ready)
        if spent <= _PROBING_SHARE * progress.seconds:
            found |= measures(ready)
            spent += time.perf_counter() - began
            if (sentence := collapse_sentence(found["rank"], found["deviation"])) and not told:
                note(sentence)
                told.append(sentence)
        return found

    return check


def held_out_losses(ready: VideoPretraining) -> dict[str, float]:
    """The objective's measures of held-out clips; none where there are none."""
    batches = ready.held_out_batches()
    found = evaluate(ready.learner, iter(batches)) if batches else {}
    return {f"held_out_{name}": value for name, value in found.items()}


def measures(ready: VideoPretraining) -> dict[str, float]:
    """What the features of held-out clips say.

    ``rank``: how many directions they use (RankMe); ``deviation``: how far they are from being all one, in shares of
    their size; of all clips, where few are held out. Where places name labels, ``knn`` and ``probe``: the accuracy on
    held-out clips of what is learned from the others; ``appearance_probe``: the same of a single frame of each.
    """
    store, generator = ready.store, np.random.default_rng(derive("probe", ready.recipe.train.seed))
    held, trained = (generator.permutation(np.flatnonzero(store.held_out == side)) for side in (True, False))
    asked = np.sort((held if len(held) > 1 else trained)[:_SCORED])
    model, known = ready.model, np.sort(trained[:_PROBED])
    seen = model.features(store, asked)
    some = seen if len(asked) >= _FEWEST else np.concatenate([seen, model.features(store, known)])
    size = float(np.sqrt(np.square(some).mean()))
    found = {"rank": effective_rank(some), "deviation": float(some.std(0).mean()) / max(size, 1e-12)}
    labels, truth = [store.labels[i] for i in known], np.array([store.labels[i] for i in asked])
    if len(held) > 1 and len(set(labels)) > 1:
        learned = model.features(store, known)
        found["knn"] = float(np.mean(np.array(knn_predict(learned, labels, seen)) == truth))
        found["probe"] = float(np.mean(np.array(fit_probe(learned, labels, seed=0).predict(seen)) == truth))
        still = fit_probe(model.appearances(store, known), labels, seed=0).predict(model.appearances(store, asked))
        found["appearance_probe"] = float(np.mean(np.array(still) == truth))
    return found
