"""``selftaught pretrain`` on pictures with words: from what was prepared to a finished run."""

import warnings
from collections.abc import Callable
from typing import Any

from selftaught.fit import Outcome, fit_recipe
from selftaught.loop import Progress, evaluate
from selftaught.pairs.preparing import PairPretraining
from selftaught.pairs.retrieving import TO_PICTURE, TO_TEXT, Found, told
from selftaught.pictures.evaluating import picture_head_parts
from selftaught.run.curve import draw_curve, read_metrics
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.run.model_card import PAIRS, PAIRS_APART, write_card
from selftaught.run.report import write_report

_RISEN = 0.3  # nats


def run_pair_pretraining(run: Run, ready: PairPretraining) -> dict[str, Any]:
    """Train, or go on training, to the end of the budget; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    ready.illustrator(run).views()
    outcome = fit_recipe(run, ready.learner, ready.batches, ready.recipe.train, unit="pairs", check=_checker(ready))
    return _finish(run, ready, outcome)


def _checker(ready: PairPretraining) -> Callable[[Progress], dict[str, Any]]:
    """The held-out loss, and how often what belongs together is found."""

    def check(progress: Progress) -> dict[str, Any]:
        found = {f"held_out_{name}": value for name, value in held_out_losses(ready).items()}
        if len(ready.held_out):
            ways = Found.of(ready.model, ready.store, ready.held_out).measures()["all"]
            found |= {"caption_R@10": ways[TO_TEXT]["R@10"], "picture_R@10": ways[TO_PICTURE]["R@10"]}
        return found

    return check


def held_out_losses(ready: PairPretraining) -> dict[str, float]:
    """The objective's measures of held-out pairs, in batches as in training; none where there are too few."""
    batches = ready.held_out_batches()
    if batches is None:
        return {}
    size = batches.size
    return evaluate(ready.learner, (batches.at(at) for at in range(0, len(batches.source) - size + 1, size)))


def _finish(run: Run, ready: PairPretraining, outcome: Outcome) -> dict[str, Any]:
    recipe = ready.recipe
    with written_aside(run.model) as folder:
        ready.model.save(folder)
    run.save_parts(picture_head_parts(ready.learner.heads))
    chance = ready.objective.chance(ready.spec, ready.batches.size)
    parameters = sum(ready.parameters.values())
    title = f"{recipe.objective.name}, {ready.size}, {parameters / 1e6:.2f} M parameters"
    draw_curve(run.metrics, run.folder / "curve.png", {} if chance is None else {"chance": chance}, title)
    held = ready.held_out_batches()
    by_guess = ready.objective.chance(ready.spec, held.size) if held else None
    pages, found = ready.illustrator(run), None
    if len(ready.held_out):
        found = Found.of(ready.model, ready.store, ready.held_out)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of characters that no font of this machine has
            pages.retrieval(found)
    report = {
        "verb": "pretrain",
        "run": str(run.folder),
        "objective": recipe.objective.name,
        "size": ready.size,
        "parameters": parameters,
        "resolution": ready.store.resolution,
        "vocabulary": ready.tokenizer.vocab_size,
        "steps": outcome.progress.step,
        "pairs": outcome.progress.samples,
        "epochs": outcome.progress.samples / len(ready.batches.source),
        "seconds": outcome.progress.seconds,
        "held_out": held_out_losses(ready) | ({} if by_guess is None else {"chance_loss": by_guess}),
        "held_out_pictures": len(ready.held_out),
        "retrieval": found.measures() if found else None,
        "rows": ready.store.tally,
        "counts": ready.store.counts,
        "notes": [*outcome.notes, *_by_heart(read_metrics(run.metrics))],
    }
    _write_card(run, ready, report)
    lines = ["```", *pair_summary(report), "```", "", "![the loss over the run](curve.png)"]
    if found:
        lines += ["", "![held-out captions and pictures, and what is found for them](retrieval.png)"]
        lines += pages.examples(found)
    lines += ["", "![what it was shown: a row a picture, first as it is](views.png)"]
    write_report(run, report, lines)
    return report


def _by_heart(metrics: list[dict[str, Any]]) -> list[str]:
    """What is to be said of a held-out loss that rises while the training loss falls."""
    held = [(line["held_out_loss"], line["step"]) for line in metrics if "held_out_loss" in line]
    if len(held) < 2 or held[-1][0] < min(held)[0] + _RISEN:
        return []
    (least, step), (last, _) = min(held), held[-1]
    return [
        f"by heart: the held-out loss was least at step {step} ({least:.2f}) and is {last:.2f} now: the training pairs "
        "are known too well. What it finds may grow better all the same; more pictures or captions help most, then "
        "--init from a network over pictures, objective.options.forget=0.3, or a smaller area"
    ]


def _write_card(run: Run, ready: PairPretraining, report: dict[str, Any]) -> None:
    model = ready.model
    facts = {
        "objective": report["objective"],
        "architecture": f"{model.picture.config.model_type} over pictures, {model.text.config.model_type} over text",
        "size": report["size"],
        "parameters": report["parameters"],
        "training pairs": ready.store.description,
        "pixels a side": report["resolution"],
        "vocabulary": report["vocabulary"],
        "pairs trained on": report["pairs"],
        "seconds": round(report["seconds"]),
    }
    measures = {
        f"{way} {name}": values[name]
        for way, values in (report["retrieval"] or {}).get("all", {}).items()
        for name in ("R@10", "chance_R@10")
    }
    caveats = [
        "It knows what its training pictures show and what was written about them, prejudices and errors included.",
        "A label that no caption speaks of is answered all the same; `selftaught verdict` sets zero-shot answers "
        "beside a probe.",
        "The licences of the pictures and captions apply to what may be done with the model; this card does not "
        "know them.",
    ]
    together = (run.model / "config.json").is_file()
    write_card(run, PAIRS if together else PAIRS_APART, facts, report["held_out"] | measures, caveats)


def pair_summary(report: dict[str, Any]) -> list[str]:
    """The end of a run, for the terminal."""
    speed = report["pairs"] / max(report["seconds"], 1e-9)
    lines = [
        f"trained     {report['steps']:,} steps, {report['pairs']:,} pairs ({speed:,.0f} a second), "
        f"{report['epochs']:.1f} epochs"
    ]
    if "loss" in (held := report["held_out"]):
        lines.append(
            f"held out    {report['held_out_pictures']:,} pictures: loss {held['loss']:.3f}; who guesses has "
            f"{held['chance_loss']:.3f}"
        )
    else:
        lines.append("held out    nothing: there are too few pictures")
    for part, ways in (report["retrieval"] or {}).items():
        lines += [f"found       {told(part, way, values)}" for way, values in ways.items()]
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/, report.md, retrieval.png, curve.png, README.md)"]
