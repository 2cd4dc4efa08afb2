"""Whether answering the pretext teaches what it should: is there a shortcut, and does the probe still follow?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selftaught.loop import Learner, evaluate
from selftaught.objective import Batch
from selftaught.objectives.jigsaw import Jigsaw
from selftaught.objectives.rotation import Rotation

_BORDER = 16  # a border is so many times thinner than a tile
_GREY = (0.299, 0.587, 0.114)
_LEARNED = 0.1  # above chance, from which on it is worth asking how
_MOST_OF_IT = 0.5
_FEWEST = 4  # checks that say anything of a course

AS_IS, BORDERS, WITHOUT_BORDERS, GREY = "as they are", "borders only", "without borders", "grey"


@dataclass(frozen=True)
class Shortcuts:
    """How often the pretext is answered rightly of pictures, and of parts of them.

    Args:
        accuracies: by what was shown: of :data:`AS_IS`, :data:`BORDERS`, :data:`WITHOUT_BORDERS` and :data:`GREY`.
        chance: the accuracy of one who guesses.
    """

    accuracies: dict[str, float]
    chance: float

    def notes(self) -> list[str]:
        """What to say of them."""
        whole, borders, grey = (self.accuracies[name] for name in (AS_IS, BORDERS, GREY))
        learned, guess = whole - self.chance, f"({self.chance:.0%} by guessing)"
        if learned < _LEARNED:
            return []
        notes = []
        if borders - self.chance > _MOST_OF_IT * learned:
            notes.append(
                f"shortcut: of the borders alone {borders:.0%} are answered rightly, of whole pictures {whole:.0%} "
                f"{guess}: it reads how pictures end, not what they show. A smaller --set objective.options.area crops "
                "more away"
            )
        if whole - grey > _MOST_OF_IT * learned:
            notes.append(
                f"shortcut: without colours {grey:.0%} are answered rightly, with them {whole:.0%} {guess}: it reads "
                "colours, or the fringes that lenses leave. Raise --set objective.options.grey and jitter"
            )
        return notes


def shortcuts(learner: Learner, batch: Batch) -> Shortcuts | None:
    """Ask the pretext of parts of pictures; None for an objective of which that says nothing.

    What can be told of a turn from the outermost pixels alone is no object, but how pictures end: frames, vignettes,
    what a codec leaves (Noroozi and Favaro 2016, section 4.3, for tiles). What is lost without colours was read off
    them: the sky, or the fringes that lenses leave.

    Args:
        batch: the question, as the objective poses it.
    """
    objective = learner.objective
    if not isinstance(objective, Rotation | Jigsaw):
        return None
    grid, answers = (objective.grid, objective.grid**2) if isinstance(objective, Jigsaw) else (1, 4)
    pixels, border = batch["pixels"], _border(batch["pixels"], grid)
    shown = {
        AS_IS: pixels,
        BORDERS: pixels * border,
        WITHOUT_BORDERS: pixels * ~border,
        GREY: _without_colour(pixels),
    }
    found = {}
    for name, seen in shown.items():
        found[name] = evaluate(learner, iter([{**batch, "pixels": seen}]))["accuracy"]
    return Shortcuts(found, 1 / answers)


def _border(pixels: Tensor, grid: int) -> Tensor:
    """The outermost pixels of each tile: bool [1, 1, S, S]."""
    tile = pixels.shape[-1] // grid
    thin = max(1, tile // _BORDER)
    places = torch.arange(pixels.shape[-1]) % tile
    edge = (places < thin) | (places >= tile - thin)
    return (edge[:, None] | edge)[None, None]


def _without_colour(pixels: Tensor) -> Tensor:
    weights = pixels.new_tensor(_GREY).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).expand_as(pixels)


def course_note(metrics: Sequence[Mapping[str, Any]]) -> str | None:
    """What to say of a run whose loss still fell while what can be read off its features grew worse.

    Args:
        metrics: the lines of ``metrics.jsonl``.
    """
    checks = [one for one in metrics if one.get("probe") is not None and one.get("held_out_loss") is not None]
    if len(checks) < _FEWEST:
        return None
    best = max(checks, key=lambda one: one["probe"])
    last = checks[-1]
    noise = 2 * float(np.sqrt(2 * best["probe"] * (1 - best["probe"]) / 1_000))  # of two scores on 1,000 pictures
    if last["held_out_loss"] >= best["held_out_loss"] or best["probe"] - last["probe"] < noise:
        return None
    return (
        f"the loss and the probe part: from step {best['step']:,} on the held-out loss fell from "
        f"{best['held_out_loss']:.3f} to {last['held_out_loss']:.3f}, and the probe from {best['probe']:.3f} to "
        f"{last['probe']:.3f}: more of this objective does not help; stop sooner, or add another with +"
    )
