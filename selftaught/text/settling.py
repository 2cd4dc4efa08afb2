"""What a recipe for text leaves open, chosen: batch, device, precision, budget, row length, rate, threads."""

import torch

from selftaught.backbones.hf import drops
from selftaught.backbones.presets import EVERY_SIZE
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner, refuse_to_split
from selftaught.machine import pick_precision
from selftaught.objective import Objective
from selftaught.plan import default_rate
from selftaught.pretrained import Pretrained
from selftaught.recipe import Recipe
from selftaught.sharing import fitting_crew

_DEFAULT_SECONDS = 600.0
PRIVATE_BATCH = 256  # the noise is the same for a batch of any size
_DEFAULT_BATCH = 16
_CONTRASTED_BATCH = 64  # the wrong answers of a contrast are the rest of the batch (Gao et al. 2021, table D.1)


def with_batch(recipe: Recipe, objective: Objective) -> Recipe:
    """Samples a batch, where the recipe leaves them open.

    Raises:
        SelftaughtError: if a batch is to be split that must not be.
    """
    refuse_to_split(objective, recipe.train.accumulate, "samples")
    default = _CONTRASTED_BATCH if objective.couples_batch else _DEFAULT_BATCH
    default = default if recipe.privacy.epsilon is None else PRIVATE_BATCH
    return recipe.with_train(batch=recipe.train.batch or default)


def on_this_machine(
    recipe: Recipe, device: torch.device, tokens: int, init: Pretrained | None, teacher: Pretrained | None
) -> Recipe:
    """Device, precision, budget and row length, where the recipe leaves them open.

    Args:
        tokens: to train on.
    """
    budget = [recipe.train.steps, recipe.train.epochs, recipe.train.seconds]
    given = [model.backbone.longest_row for model in (init, teacher) if model is not None]
    longest = min(given if init else [*given, recipe.model.longest_row])
    # bfloat16 takes a processor twice as long where each sample is computed by itself (docs/lab.md)
    one_by_one = recipe.privacy.epsilon is not None and device.type == "cpu"
    return recipe.with_train(
        device=str(device),
        precision=recipe.train.precision or ("fp32" if one_by_one else pick_precision(device)),
        seconds=_DEFAULT_SECONDS if all(b is None for b in budget) else recipe.train.seconds,
        # a corpus of a few rows still trains, on shorter ones
        length=min(recipe.train.length, longest, max(8, tokens // 4)),
    )


def with_size(recipe: Recipe, size: str | None, init: Pretrained | None) -> Recipe:
    """The size of a new network, none of one that goes on, and the peak rate, where the recipe leaves it open."""
    width = init.backbone.width if init else EVERY_SIZE[size or "tiny"].width
    rate = recipe.train.rate or default_rate(width, trained=init is not None)
    return recipe.with_model(size=size).with_train(rate=rate)


def with_threads(recipe: Recipe, learner: Learner, rows: int, work: float) -> Recipe:
    """Among how many threads a step's rows are shared, where the recipe leaves it open.

    Args:
        work: operations of the step.

    Raises:
        SelftaughtError: if they were asked to share what cannot be shared.
    """
    asked = recipe.train.threads
    objective = learner.objective
    whole = objective.couples_batch or objective.taught or drops(learner) or learner.device.type != "cpu"
    if asked is None:
        if whole:
            return recipe
        if recipe.privacy.epsilon is not None:  # each sample is computed by itself: there is nothing to be shared out
            return recipe.with_train(threads=torch.get_num_threads())
        return recipe.with_train(threads=fitting_crew(work, rows, torch.get_num_threads()))
    if asked > 1 and (whole or (recipe.privacy.epsilon is None and rows % asked)):
        why = "its rows cannot be parted" if whole else f"{rows} rows are no multiple of {asked}"
        raise SelftaughtError(
            f"{asked} threads cannot share a step of this run: {why}", do="leave train.threads out, or give 1"
        )
    return recipe
