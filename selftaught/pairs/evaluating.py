"""``selftaught evaluate`` on pictures with words: how often what belongs together is found, and the loss."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught import lookup
from selftaught.backbones.vision import IMAGE
from selftaught.data.loader import Batches
from selftaught.data.pair_samples import PairSamples
from selftaught.data.pair_source import open_pairs
from selftaught.data.pair_store import PairStore, prepare_pairs, read_store
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner, evaluate
from selftaught.objective import Spec
from selftaught.pairs.model import PairModel
from selftaught.pairs.retrieving import MOST, Found, told
from selftaught.pairs.zero_shot import fitting_templates, zero_shot_scores, zero_shot_told
from selftaught.recipe import read_recipe
from selftaught.run.folder import Run

_HEADS = "heads."


def evaluate_pairs(
    run: str, data: str, columns: dict[str, str | None], folder: Path, device: torch.device, precision: str
) -> tuple[dict[str, Any], list[str]]:
    """The report and the lines for people. Pictures that the run was trained on are left out.

    Args:
        columns: those that the user names, see :func:`open_pairs`.
        folder: where the pictures are decoded to.

    Raises:
        SelftaughtError: if there are no pictures with words, or all were trained on.
    """
    model = PairModel.load(run, precision).to(device)
    store = prepare_pairs(open_pairs(data, frames=None, **columns), folder, resolution=model.spec.resolution, seed=0)
    rows, seen = _unseen(store, Path(run))
    if len(rows) < 2:
        raise SelftaughtError(
            f"{seen:,} of these {len(store.pixels):,} pictures were trained on, and fewer than two are left",
            where=store.description,
            do="give others, or pretrain with more of them held out: --set data.held_out=0.2",
        )
    found = Found.of(model, store, rows)
    measured, losses = found.measures(), _losses(model, Run(Path(run)), store, found.rows)
    zero_shot = _labelled(model, Path(run), store, found.rows)
    tally = store.tally
    lines = [
        f"data        {store.description}",
        f"rows        {tally['rows']:,} in = {tally['kept']:,} kept + {tally['quarantined_rows']:,} quarantined",
        f"pictures    {len(store.pixels):,} different ones with {len(store.texts):,} captions; {seen:,} were trained "
        f"on and are left out{f'; {MOST:,} of the others are asked about' if len(rows) > MOST else ''}",
        "",
        *(told(part, way, values) for part, ways in measured.items() for way, values in ways.items()),
        *([f"zero-shot labels: {zero_shot_told(zero_shot)}"] if zero_shot else []),
        *([f"loss {losses['loss']:.3f}; who guesses has {losses['chance_loss']:.3f}"] if losses else []),
    ]
    report: dict[str, Any] = {
        "verb": "evaluate",
        "objective": "clip",
        "measures": measured,
        "losses": losses,
        "zero_shot": zero_shot,
        "pictures": len(found.rows),
        "trained_on": seen,
        "rows": tally,
        "counts": store.counts,
        "notes": [],
    }
    return report, lines


def _labelled(model: PairModel, run: Path, store: PairStore, rows: np.ndarray) -> dict[str, Any] | None:
    """Whether pictures get their labels by the labels' words alone; None where there are no labels."""
    labels = store.pictures.labels
    every, known = {label for label in labels if label}, [row for row in rows if labels[row]]
    if len(every) < 2 or not known:
        return None
    given = [labels[row] for row in known]
    return zero_shot_scores(model, fitting_templates(run), store.pixels[known], given, every)


def _unseen(store: PairStore, run: Path) -> tuple[np.ndarray, int]:
    """The places of the pictures that the run was not trained on, and how many the others are."""
    trained = read_store(run / "pictures")
    if trained is None or trained.resolution != store.resolution:
        return np.arange(len(store.pixels)), 0
    known = {_digest(trained.pixels[row]) for row in trained.part(held_out=False)}
    rows = np.array([i for i in range(len(store.pixels)) if _digest(store.pixels[i]) not in known], np.int64)
    return rows, len(store.pixels) - len(rows)


def _digest(pixels: np.ndarray) -> bytes:
    return hashlib.sha256(pixels.tobytes()).digest()


def _losses(model: PairModel, run: Run, store: PairStore, rows: np.ndarray) -> dict[str, float]:
    """The objective's measures, in batches as in training; none where the run is not at hand or there are too few."""
    parts = run.load_parts()
    if not parts or not run.recipe.exists():
        return {}
    recipe = read_recipe(run.recipe)
    goal, size = recipe.objective, min(recipe.train.batch or len(rows), len(rows))
    objective, spec = lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights), Spec(image=model.spec)
    learner = Learner({IMAGE: model.picture, "text": model.text}, objective, spec, model.precision)
    learner.heads.load_state_dict({name.removeprefix(_HEADS): part for name, part in parts.items()})
    samples = PairSamples.of(store, rows, model.tokenizer, model.longest, 0)
    batches = Batches(samples, objective, spec, size, 0)
    found = evaluate(learner.to(model.device), (batches.at(at) for at in range(0, len(rows) - size + 1, size)))
    chance = objective.chance(spec, size)
    return found | ({} if chance is None else {"chance_loss": chance})
