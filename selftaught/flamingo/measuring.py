"""How good captions are: what they cost with their picture, without it and with another one, and what is written."""

from collections.abc import Iterator

import numpy as np
import torch

from selftaught.backbones.flamingo import flamingo
from selftaught.backbones.generation import Sampling
from selftaught.data.captions import Captions
from selftaught.data.loader import Batches
from selftaught.data.pair_store import PairStore
from selftaught.data.processor import Processor
from selftaught.flamingo.describing import LONGEST, describe
from selftaught.loop import Learner, evaluate, to_device
from selftaught.metrics.written import written_scores
from selftaught.objective import Batch, Objective, Spec

MOST_CAPTIONS = 512  # whose cost is measured
MOST_WRITTEN = 200  # pictures that a caption is written about
_BATCH = 32
_BEAMS = 3  # as in the paper (section 3)


def costs(learner: Learner, captions: Captions) -> dict[str, float]:
    """The mean cost of a token in nats: ``loss``, with ``accuracy``; ``without_pictures``, ``with_another_picture``.

    Without pictures it is the language model that was there before. If another picture does as well, none is looked at.
    """
    asked = _Asked(learner.objective, captions)
    with_its = evaluate(learner, asked())
    return {
        "loss": with_its["loss"],
        "accuracy": with_its["accuracy"],
        "without_pictures": evaluate(learner, map(_without, asked()))["loss"],
        "with_another_picture": evaluate(learner, map(_with_another, asked()))["loss"],
    }


class _Asked:
    """Batches of captions, from the first to the last, each time it is called."""

    def __init__(self, objective: Objective, captions: Captions) -> None:
        self._batches = Batches(captions, objective, Spec(), _BATCH, seed=0)
        drawn = np.random.default_rng(0).permutation(len(captions))[:MOST_CAPTIONS]
        self._parts = np.array_split(np.sort(drawn), -(-len(drawn) // _BATCH))

    def __call__(self) -> Iterator[Batch]:
        return (self._batches.of(part, np.zeros_like(part)) for part in self._parts)


def _without(batch: Batch) -> Batch:
    return {name: value for name, value in batch.items() if name != "pixels"}


def _with_another(batch: Batch) -> Batch:
    """Each row is shown the pictures of the next one."""
    return {**batch, "pixels": batch["pixels"].roll(1, 0), "frames": batch["frames"].roll(1, 0)}


@torch.no_grad()
def frame_shares(learner: Learner, reader: Processor, clips: list[np.ndarray]) -> np.ndarray:
    """How much is looked at each frame of clips uint8 [F, 3, S, S], float [N, F]."""
    opening, _, _ = reader.frame
    batch = to_device(reader.shown([[(opening, clip)] for clip in clips]), learner.device)
    with learner.autocast():
        return flamingo(learner.backbones).frame_shares(batch)[:, 0].float().cpu().numpy()


def written(
    learner: Learner, reader: Processor, store: PairStore, places: np.ndarray
) -> tuple[dict[str, float], list[dict[str, object]]]:
    """Captions of some pictures by beam search: their scores, and each beside what people wrote.

    Args:
        places: of the pictures, int64 [N].
    """
    drawn = np.sort(np.random.default_rng(0).permutation(places)[:MOST_WRITTEN])
    sampling = Sampling(tokens=LONGEST, temperature=0, beams=_BEAMS)
    with learner.autocast(), torch.no_grad():
        said = describe(flamingo(learner.backbones), reader, [store.sight(i) for i in drawn], sampling)
    given = [store.captions(int(i)) for i in drawn]
    told = [one for one, *_ in said]
    rows = [
        {"file": store.files[i], "written": text, "given": list(some)}
        for i, text, some in zip(drawn, told, given, strict=True)
    ]
    return written_scores(told, given), rows
