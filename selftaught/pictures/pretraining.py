"""``selftaught pretrain`` on pictures: from what was prepared to a finished run."""

from dataclasses import replace
from typing import Any

from selftaught.fit import Outcome, fit_recipe
from selftaught.pictures.checking import checker, held_out_losses, measures
from selftaught.pictures.diagnosis import course_note, shortcuts
from selftaught.pictures.evaluating import picture_head_parts
from selftaught.pictures.measuring import COLLAPSE, collapse_sentence
from selftaught.pictures.preparing import PicturePretraining
from selftaught.run.curve import draw_curve, read_metrics
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.run.model_card import PICTURES, write_card
from selftaught.run.report import write_report


def run_picture_pretraining(run: Run, ready: PicturePretraining) -> dict[str, Any]:
    """Train, or go on training, to the end of the budget; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    illustrator, told = ready.illustrator(run), list[str]()
    illustrator.views()
    check = checker(ready, illustrator, told)
    outcome = fit_recipe(run, ready.learner, ready.batches, ready.recipe.train, unit="pictures", check=check)
    return _finish(run, ready, replace(outcome, notes=(*outcome.notes, *told)))


def _finish(run: Run, ready: PicturePretraining, outcome: Outcome) -> dict[str, Any]:
    recipe = ready.recipe
    with written_aside(run.model) as folder:
        ready.model.save(folder)
    run.save_parts(picture_head_parts(ready.learner.heads))
    chance = ready.objective.chance(ready.spec, ready.batches.size)
    title = f"{recipe.objective.name}, {ready.size}, {ready.parameters / 1e6:.2f} M parameters"
    draw_curve(run.metrics, run.folder / "curve.png", {} if chance is None else {"chance": chance}, title)
    held, samples = held_out_losses(ready), outcome.progress.samples
    illustrator = ready.illustrator(run)
    doubtful = illustrator.doubtful()
    illustrator.answers(outcome.progress.step)
    illustrator.features()
    found = measures(ready)
    notes, collapsed = list(outcome.notes), collapse_sentence(found["rank"], found["deviation"])
    if collapsed and not any(sentence.startswith(COLLAPSE) for sentence in notes):
        notes.append(collapsed)
    batch = ready.held_out_batch()
    short = shortcuts(ready.learner, batch) if batch else None
    notes += short.notes() if short else []
    if course := course_note(read_metrics(run.metrics)):
        notes.append(course)
    report = {
        "verb": "pretrain",
        "run": str(run.folder),
        "objective": recipe.objective.name,
        "size": ready.size,
        "parameters": ready.parameters,
        "resolution": ready.store.resolution,
        "steps": outcome.progress.step,
        "pictures": samples,
        "epochs": samples / len(ready.batches.source),
        "seconds": outcome.progress.seconds,
        "held_out": {name.removeprefix("held_out_"): value for name, value in held.items()}
        | ({} if chance is None else {"chance_loss": chance}),
        "features": found,
        "doubtful": doubtful,
        "shortcuts": short.accuracies if short else None,
        "rows": ready.store.tally,
        "notes": notes,
    }
    _write_card(run, ready, report)
    lines = ["```", *picture_summary(report), "```", "", "![the loss over the run](curve.png)"]
    write_report(run, report, lines + illustrator.lines())
    return report


def _write_card(run: Run, ready: PicturePretraining, report: dict[str, Any]) -> None:
    facts = {
        "objective": report["objective"],
        "architecture": ready.backbone.config.model_type,
        "size": report["size"],
        "parameters": report["parameters"],
        "training pictures": ready.store.description,
        "pixels a side": report["resolution"],
        "pictures trained on": report["pictures"],
        "seconds": round(report["seconds"]),
    }
    caveats = [
        "It knows what its training pictures show and how often, prejudices included; nothing was filtered.",
        "Whether it helps on a task of yours is what `selftaught verdict` measures; a low loss does not say so.",
        "The licence of the training pictures applies to what may be done with the model; this card does not know it.",
    ]
    write_card(run, PICTURES, facts, report["held_out"] | report["features"], caveats)


def picture_summary(report: dict[str, Any]) -> list[str]:
    """The end of a run, for the terminal."""
    speed = report["pictures"] / max(report["seconds"], 1e-9)
    lines = [
        f"trained     {report['steps']:,} steps, {report['pictures']:,} pictures ({speed:,.0f} a second), "
        f"{report['epochs']:.1f} epochs"
    ]
    if "loss" in (held := report["held_out"]):
        chance = f"; who guesses has {held['chance_loss']:.3f}" if "chance_loss" in held else ""
        lines.append(f"held out    loss {held['loss']:.3f}{chance}")
    found = report["features"]
    line = f"features    rank {found['rank']:.1f}, deviation {found['deviation']:.3f}, "
    line += f"alignment {found['alignment']:.2f}, uniformity {found['uniformity']:.2f}"
    if "knn" in found:
        line += f"; of held-out pictures kNN tells {found['knn']:.1%}, a linear probe {found['probe']:.1%}"
    lines.append(line)
    if doubtful := report["doubtful"]:
        lines.append(
            f"doubtful    {doubtful['pictures']:,} of {doubtful['asked']:,} pictures have no answer that is surely "
            f"right ({doubtful['file']} names them)"
        )
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/, report.md with its pictures, README.md)"]
