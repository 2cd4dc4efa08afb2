"""Which objective suits these pictures: each is given the same short time, and what it learned is probed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.console import table
from selftaught.loop import train
from selftaught.optim import adamw
from selftaught.pictures.checking import measures
from selftaught.pictures.diagnosis import shortcuts
from selftaught.pictures.preparing import PicturePretraining, prepare_picture_pretraining
from selftaught.recipe import compose
from selftaught.run.folder import Run
from selftaught.schedule import Schedule

CANDIDATES = ("simclr", "vicreg", "dino", "mae", "inpaint", "rotation", "jigsaw", "pirl")


@dataclass(frozen=True)
class Trial:
    """What one objective learned in the time it was given.

    Args:
        size: of its network.
        per_second: pictures.
        measures: see :func:`selftaught.pictures.measuring.feature_measures`.
        before: the same of the network before it learned anything.
        notes: shortcuts that were found.
    """

    objective: str
    size: str
    per_second: float
    measures: dict[str, float]
    before: dict[str, float]
    notes: tuple[str, ...]

    @property
    def score(self) -> float:
        """The probe's; without labels the number of directions."""
        return self.measures.get("probe", self.measures["rank"])

    def to_json(self) -> dict[str, Any]:
        """What was found, for programs."""
        return {
            "objective": self.objective,
            "size": self.size,
            "pictures_per_second": self.per_second,
            **self.measures,
            "untrained": self.before,
            "notes": list(self.notes),
        }


def rank_objectives(data: str, seconds: float, folder: Path, tell: Callable[[str], None]) -> list[Trial]:
    """Give each objective its time, and sort them by what a probe reads off; without labels by the features' rank.

    Args:
        folder: where the pictures are decoded to, once.
        tell: hears what is being done.
    """
    trials = []
    for name in CANDIDATES:
        run = Run(folder / name)
        run.folder.mkdir()
        (run.folder / "pictures").symlink_to(folder / "pictures", target_is_directory=True)
        (folder / "pictures").mkdir(exist_ok=True)
        asked = {"data.path": data, "objective.name": name, "train.seconds": seconds}
        tell(f"trying      {name} for {seconds:.0f} s")
        trials.append(_tried(prepare_picture_pretraining(run, compose(asked)), seconds))
    return sorted(trials, key=lambda trial: -trial.score)


def _tried(ready: PicturePretraining, seconds: float) -> Trial:
    before, recipe = measures(ready), ready.recipe
    assert recipe.train.rate is not None
    optimizer, schedule = adamw(ready.learner, recipe.train.rate), Schedule(seconds=seconds)
    samples = 0
    for report in train(ready.learner, ready.batches.starting, optimizer, schedule, seed=recipe.train.seed):
        samples = report.progress.samples
    held = ready.held_out_batch()
    found = shortcuts(ready.learner, held) if held else None
    return Trial(
        recipe.objective.name,
        ready.size,
        samples / seconds,
        measures(ready),
        before,
        tuple(found.notes()) if found else (),
    )


def ranking_lines(trials: Sequence[Trial], seconds: float) -> list[str]:
    """The table for the terminal, and what follows from it."""
    labelled = "probe" in trials[0].measures
    names = ["probe", "knn", "rank"] if labelled else ["rank"]
    header = ["objective", "network", "pictures/s", *names, *(["untrained probe"] if labelled else [])]
    rows = []
    for one in trials:
        untrained = [_cell("probe", one.before["probe"])] if labelled else []
        cells = [_cell(name, one.measures[name]) for name in names]
        rows.append([one.objective, one.size, f"{one.per_second:,.0f}", *cells, *untrained])
    lines = [
        f"Each objective for {seconds:.0f} s, one seed, and what held-out pictures then say:",
        "",
        *table(header, rows),
    ]
    best = trials[0]
    if not labelled:
        said = "without labels nothing says which suits them; the rank tells no more than which did not collapse"
    elif best.score <= max(one.before["probe"] for one in trials):
        said = "in this time none is better than a network that has learned nothing: give them more with --for"
    else:
        said = f"selftaught pretrain --objective {best.objective} --size {best.size} begins best; later that may change"
    return [*lines, "", f"advice      {said}", *(f"note        {o.objective}: {n}" for o in trials for n in o.notes)]


def _cell(name: str, value: float) -> str:
    return f"{value:.1f}" if name == "rank" else f"{value:.3f}"
