"""``selftaught distill`` on pictures: a student, the same student without a teacher, and what each is worth."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught import lookup
from selftaught.console import note
from selftaught.distilling.retention import (
    ALONE,
    BATCH,
    DRAWS,
    LABELS,
    STUDENT,
    TEACHER,
    Standing,
    in_turns,
    kept,
    probe_accuracy,
    sentence,
    standing_lines,
    weigh,
)
from selftaught.judging.pictures import LabelledPictures, read_labelled
from selftaught.metrics.sampling import few_label_subset
from selftaught.pictures.model import PictureModel, picture_folder
from selftaught.pictures.preparing import prepare_picture_pretraining
from selftaught.pictures.pretraining import run_picture_pretraining
from selftaught.randomness import derive
from selftaught.recipe import Goal, Recipe, settled
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run
from selftaught.run.report import finished, write_report


def distill_pictures(run: Run, asked: Recipe) -> dict[str, Any]:
    """Train the student and its twin, or go on with them, and write the table into the student's run."""
    _pretrained(run, asked)
    assert asked.model.teacher is not None
    places = {TEACHER: Path(asked.model.teacher), STUDENT: run.folder}
    if asked.data.labels:
        places[ALONE] = run.folder / "alone"
        with Run(places[ALONE]).locked():
            note("now         the same student without a teacher, for the same budget")
            _pretrained(Run(places[ALONE]), _untaught(asked))
    models = {name: PictureModel.load(place) for name, place in places.items()}
    spec, labelled = models[TEACHER].spec, None
    if asked.data.labels:
        seed, folder = asked.train.seed, run.folder / "labelled"
        labelled = read_labelled(asked.data.labels, None, folder, spec.resolution, seed, label=asked.data.label)
    one, many = _times(models, 1), _times(models, BATCH)
    standings = []
    for name, model in models.items():
        parameters, size = weigh(picture_folder(places[name]) or places[name])
        scores = _scores(model, labelled, asked.train.seed) if labelled else ()
        standings.append(Standing(name, parameters, size, one[name], many[name], scores=scores))
    found = kept(standings)
    report = {
        "verb": "distill",
        "run": str(run.folder),
        "teacher": asked.model.teacher,
        "size": asked.model.size,
        "models": [standing.to_json() for standing in standings],
        "kept": found,
        "sentence": sentence(found),
        "rows": {"to learn from": len(labelled.train), "to be tested on": len(labelled.test)} if labelled else None,
    }
    write_report(run, report, ["```", *distilled_summary(report), "```"])
    return report


def _pretrained(run: Run, asked: Recipe) -> None:
    before = settled(run.recipe, asked)
    if before is not None and finished(run, "pretrain") is not None:
        return
    ready = prepare_picture_pretraining(run, before or asked)
    for line in ready.lines():
        note(line)
    replace_file(run.recipe, ready.recipe.to_yaml())
    run_picture_pretraining(run, ready)


def _untaught(asked: Recipe) -> Recipe:
    """The same student, for the same budget, with nobody to learn from."""
    goal = asked.objective
    question = lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights).untaught()
    assert asked.model.teacher is not None
    side = PictureModel.load(asked.model.teacher).spec.resolution
    options = asdict(question)  # type: ignore[call-overload]
    return asked.model_copy(
        update={
            "verb": "pretrain",
            "objective": Goal(name=question.name, options=options),
            "model": asked.model.model_copy(update={"teacher": None}),
            "data": asked.data.model_copy(update={"resolution": side}),
        }
    )


def _times(models: dict[str, PictureModel], count: int) -> dict[str, float]:
    """Milliseconds of a pass over so many pictures."""
    batches = {
        name: {"pixels": torch.zeros(count, 3, model.spec.resolution, model.spec.resolution)}
        for name, model in models.items()
    }
    return in_turns({name: model.backbone for name, model in models.items()}, batches)


def _scores(model: PictureModel, pictures: LabelledPictures, seed: int) -> tuple[float, ...]:
    """The accuracy of a linear probe with 32 labels a class, for each draw of them."""
    labels = pictures.train_labels
    seeds = [derive("retention", seed, i) % 2**31 for i in range(DRAWS)]
    draws = [few_label_subset(labels, LABELS, one) for one in seeds]
    needed = np.unique(np.concatenate(draws))
    learned, asked = model.features(pictures.train[needed]), model.features(pictures.test)
    return tuple(
        probe_accuracy(
            learned[np.searchsorted(needed, rows)], [labels[i] for i in rows], asked, pictures.test_labels, one
        )
        for rows, one in zip(draws, seeds, strict=True)
    )


def distilled_summary(report: dict[str, Any]) -> list[str]:
    """The end of a distillation, for the terminal."""
    standings = [Standing.of_json(model) for model in report["models"]]
    lines = [*standing_lines(standings, "picture"), "", report["sentence"]]
    return [*lines, f"run         {report['run']}  (model/, report.md)"]
