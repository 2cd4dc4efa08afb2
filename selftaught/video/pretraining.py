"""``selftaught pretrain`` on clips: from what was prepared to a finished run."""

from dataclasses import replace
from typing import Any

from selftaught.fit import Outcome, fit_recipe
from selftaught.pictures.evaluating import picture_head_parts
from selftaught.pictures.measuring import COLLAPSE, collapse_sentence
from selftaught.run.curve import draw_curve
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.run.model_card import PICTURES, write_card
from selftaught.run.report import write_report
from selftaught.video.checking import checker, held_out_losses, measures
from selftaught.video.preparing import VideoPretraining


def run_video_pretraining(run: Run, ready: VideoPretraining) -> dict[str, Any]:
    """Train, or go on training, to the end of the budget; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    illustrator, told = ready.illustrator(run), list[str]()
    illustrator.views()
    check = checker(ready, illustrator, told)
    outcome = fit_recipe(run, ready.learner, ready.batches, ready.recipe.train, unit="clips", check=check)
    return _finish(run, ready, replace(outcome, notes=(*outcome.notes, *told)))


def _finish(run: Run, ready: VideoPretraining, outcome: Outcome) -> dict[str, Any]:
    recipe = ready.recipe
    with written_aside(run.model) as folder:
        ready.model.save(folder)
    run.save_parts(picture_head_parts(ready.learner.heads))
    chance = ready.objective.chance(ready.spec, ready.batches.size)
    title = f"{recipe.objective.name}, {ready.size}, {ready.parameters / 1e6:.2f} M parameters"
    draw_curve(run.metrics, run.folder / "curve.png", {} if chance is None else {"chance": chance}, title)
    held, found = held_out_losses(ready), measures(ready)
    illustrator = ready.illustrator(run)
    illustrator.answers(outcome.progress.step)
    illustrator.features()
    notes, collapsed = list(outcome.notes), collapse_sentence(found["rank"], found["deviation"])
    if collapsed and not any(sentence.startswith(COLLAPSE) for sentence in notes):
        notes.append(collapsed)
    report = {
        "verb": "pretrain",
        "run": str(run.folder),
        "objective": recipe.objective.name,
        "size": ready.size,
        "parameters": ready.parameters,
        "resolution": ready.store.resolution,
        "frame_rate": ready.store.rate,
        "steps": outcome.progress.step,
        "clips": outcome.progress.samples,
        "epochs": outcome.progress.samples / len(ready.batches.source),
        "seconds": outcome.progress.seconds,
        "held_out": {name.removeprefix("held_out_"): value for name, value in held.items()}
        | ({} if chance is None else {"chance_loss": chance}),
        "features": found,
        "rows": ready.store.tally,
        "notes": notes,
    }
    _write_card(run, ready, report)
    lines = ["```", *video_summary(report), "```", "", "![the loss over the run](curve.png)"]
    write_report(run, report, lines + illustrator.lines())
    return report


def _write_card(run: Run, ready: VideoPretraining, report: dict[str, Any]) -> None:
    facts = {
        "objective": report["objective"],
        "architecture": f"{ready.backbone.picture.config.model_type}, on each frame by itself",
        "size": report["size"],
        "parameters": report["parameters"],
        "training clips": ready.store.description,
        "pixels a side": report["resolution"],
        "frames a second": report["frame_rate"],
        "clips trained on": report["clips"],
        "seconds": round(report["seconds"]),
    }
    caveats = [
        "It knows what its training clips show and how often, prejudices included; nothing was filtered.",
        "Whether it helps on a task of yours is what `selftaught verdict` measures; a low loss does not say so.",
        "The licence of the training clips applies to what may be done with the model; this card does not know it.",
    ]
    write_card(run, PICTURES, facts, report["held_out"] | report["features"], caveats)


def video_summary(report: dict[str, Any]) -> list[str]:
    """The end of a run, for the terminal."""
    speed = report["clips"] / max(report["seconds"], 1e-9)
    lines = [
        f"trained     {report['steps']:,} steps, {report['clips']:,} clips ({speed:,.0f} a second), "
        f"{report['epochs']:.1f} epochs"
    ]
    if "loss" in (held := report["held_out"]):
        chance = f"; who guesses has {held['chance_loss']:.3f}" if "chance_loss" in held else ""
        right = f", {held['accuracy']:.1%} answered rightly" if "accuracy" in held else ""
        lines.append(f"held out    loss {held['loss']:.3f}{chance}{right}")
    found = report["features"]
    line = f"features    rank {found['rank']:.1f}, deviation {found['deviation']:.3f}"
    if "knn" in found:
        line += f"; of held-out clips kNN tells {found['knn']:.1%}, a linear probe {found['probe']:.1%}, and of a "
        line += f"single frame {found['appearance_probe']:.1%}"
    lines.append(line)
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/, report.md with its pictures, README.md)"]
