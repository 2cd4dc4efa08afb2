"""``selftaught pretrain --objective caption``: from what was prepared to a finished run."""

from typing import Any

from selftaught.fit import Outcome, fit_recipe
from selftaught.flamingo.folder import save_network
from selftaught.flamingo.gallery import draw_captions, draw_clips
from selftaught.flamingo.measuring import costs, frame_shares, written
from selftaught.flamingo.preparing import CaptionPretraining
from selftaught.loop import Progress
from selftaught.run.curve import draw_curve
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.run.model_card import PICTURE_TEXTS, write_card
from selftaught.run.report import write_report

_SHOWN = 12  # pictures on the page
_TELLING = 0.02  # nats a token that its own picture must be worth


def run_caption_pretraining(run: Run, ready: CaptionPretraining) -> dict[str, Any]:
    """Train, or go on training, to the end of the budget; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """

    def check(progress: Progress) -> dict[str, Any]:
        found = costs(ready.learner, ready.held) if ready.held else {}
        return {f"held_out_{name}": value for name, value in found.items()}

    outcome = fit_recipe(run, ready.learner, ready.batches, ready.recipe.train, unit="captions", check=check)
    return _finish(run, ready, outcome)


def _finish(run: Run, ready: CaptionPretraining, outcome: Outcome) -> dict[str, Any]:
    network, held = ready.network, ready.held
    with written_aside(run.model) as folder:
        save_network(folder, network, network.head)
        ready.processor.save(folder, network.longest_row, closes=False)
    found = costs(ready.learner, held) if held else {}
    scores, examples = (
        written(ready.learner, ready.processor, ready.store, ready.store.part(held_out=True)) if held else ({}, [])
    )
    lines = {"without pictures": found["without_pictures"]} if found else {}
    draw_curve(run.metrics, run.folder / "curve.png", lines, f"caption between {ready.towers}")
    report = {
        "verb": "pretrain",
        "run": str(run.folder),
        "objective": ready.objective.name,
        "towers": ready.towers,
        "trained_parameters": ready.trained,
        "resolution": ready.store.resolution,
        "steps": outcome.progress.step,
        "captions": outcome.progress.samples,
        "epochs": outcome.progress.samples / len(ready.batches.source),
        "seconds": outcome.progress.seconds,
        "held_out": found,
        "written": scores,
        "examples": examples[:_SHOWN],
        "rows": ready.store.tally,
        "counts": ready.store.counts,
        "notes": [*outcome.notes, *_on_pictures(found)],
    }
    page = ["", "![captions](captions.png)"] if examples else []
    if examples:
        _draw(run, ready, examples[:_SHOWN])
    _write_card(run, ready, report)
    write_report(run, report, ["```", *caption_summary(report), "```", "", "![the loss](curve.png)", *page])
    return report


def _draw(run: Run, ready: CaptionPretraining, examples: list[dict[str, Any]]) -> None:
    """A page of pictures with their captions; of clips, with how much each frame is looked at."""
    store, page = ready.store, run.folder / "captions.png"
    if store.pixels.ndim == 4:
        draw_captions(store, examples, page)
        return
    places = {name: place for place, name in enumerate(store.files)}
    clips = [store.sight(places[example["file"]]) for example in examples]
    draw_clips(store, examples, frame_shares(ready.learner, ready.processor, clips), page)


def _on_pictures(found: dict[str, float]) -> list[str]:
    """What to know where the pictures are not looked at."""
    if not found or found["with_another_picture"] - found["loss"] > _TELLING:
        return []
    return [
        "held-out captions cost no less with their own picture than with another one: the pictures are not looked at "
        "yet, or do not tell what is written. Train longer, or take a network whose features tell the pictures apart"
    ]


def _write_card(run: Run, ready: CaptionPretraining, report: dict[str, Any]) -> None:
    facts = {
        "objective": report["objective"],
        "frozen towers": report["towers"],
        "parameters trained": report["trained_parameters"],
        "training data": ready.store.description,
        "captions trained on": report["captions"],
        "seconds": round(report["seconds"]),
    }
    caveats = [
        "What it writes is likely, not true: it also names what the picture does not show.",
        "It knows the prejudices of its captions and of the text that its language model was trained on.",
    ]
    write_card(run, PICTURE_TEXTS, facts, report["held_out"] | report["written"], caveats)


def caption_summary(report: dict[str, Any]) -> list[str]:
    """The end of a run, for the terminal."""
    speed = report["captions"] / max(report["seconds"], 1e-9)
    lines = [
        f"trained     {report['steps']:,} steps, {report['captions']:,} captions ({speed:,.0f} a second), "
        f"{report['epochs']:.1f} epochs"
    ]
    if found := report["held_out"]:
        lines.append(
            f"held out    {found['loss']:.3f} nats a token; {found['without_pictures']:.3f} without pictures, "
            f"{found['with_another_picture']:.3f} with another one; {found['accuracy']:.1%} of the tokens right"
        )
    if scores := report["written"]:
        lines.append("written     " + ", ".join(f"{name.replace('_', '-')} {v:.3f}" for name, v in scores.items()))
    lines += [
        f"example     {one['written']!r}, where people wrote {one['given'][0]!r}" for one in report["examples"][:3]
    ]
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/, report.md, curve.png, captions.png, README.md)"]
