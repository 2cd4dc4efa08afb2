"""``selftaught verdict``: did self-supervision help?"""

from pathlib import Path
from typing import Any

from selftaught.console import dump, note, table, tell
from selftaught.curve import draw_efficiency
from selftaught.data.labels import read_labels
from selftaught.errors import SelftaughtError
from selftaught.judging import BUDGETS, SEEDS, Verdict, default_folder, judge, rows_used
from selftaught.machine import pick_device, pick_precision
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.report import write_report
from selftaught.run import Run, replace_file
from selftaught.verbs import Place


def verdict(
    run: Place,
    labels: str,
    *,
    test: str | None = None,
    text: str | None = None,
    label: str | None = None,
    seeds: int = SEEDS,
    budgets: str | None = None,
    finetune: bool = False,
    seed: int = 0,
    out: Place | None = None,
    device: str | None = None,
    json: bool = False,
) -> dict[str, Any]:
    """Say whether self-supervision helped, with the label-efficiency curve that shows it.

    The pretrained model stands beside the same network untrained, TF-IDF with logistic regression, and the majority
    class, at 8, 32, 128 and all labels a class, each drawn several times. Nothing is tuned on the test rows.

    Args:
        run: A run, or any checkpoint folder of transformers.
        labels: Labelled texts: a table, or a folder with a subfolder for each class; builtin:docs.
        test: Labelled texts to be tested on; a part of LABELS if not given.
        text: The column that holds the text.
        label: The column that holds the label.
        seeds: How many draws of labels; fewer than 5 allow no claim.
        budgets: Labels a class, such as 8,32,all.
        finetune: Also fine-tune the networks at each budget, which takes minutes.
        seed: Of the split and the draws.
        out: Where the report goes; the run itself if not given.
        device: cpu, cuda, …
        json: Print one JSON object.
    """
    _check_numbers(seeds, seed)
    sizes = _budgets(budgets)
    pretrained = open_pretrained(run)
    _refuse_labelled(pretrained)
    where = pick_device(device)
    learn = read_labels(labels, text=text, label=label)
    held = read_labels(test, text=text, label=label) if test else None
    place = Run(Path(out) if out else default_folder(pretrained, run))
    with place.locked():
        found, details = judge(
            pretrained,
            learn,
            held,
            budgets=sizes,
            seeds=seeds,
            seed=seed,
            finetune=finetune,
            precision=pick_precision(where),
            device=where,
            tell=note,
        )
        report = {**found.to_json(), "labels": labels, "test": test}
        draw_efficiency(found.of_metric(), place.folder / "verdict.png")
        replace_file(place.folder / "verdict_rows.json", dump(rows_used(details)))
        lines = _lines(found)
        write_report(place, report, [f"Labels: `{labels}`", "", "```", *lines, "```", "", "![scores](verdict.png)"])
    return tell(report, [*lines, f"report      {place.folder}/report.md, verdict.png, verdict_rows.json"], json=json)


def _budgets(text: str | None) -> tuple[int | None, ...]:
    if text is None:
        return BUDGETS
    try:
        values = {None if part.strip() == "all" else int(part) for part in text.split(",")}
    except ValueError:
        values = {0}
    if 0 in values or any(value is not None and value < 1 for value in values):
        raise SelftaughtError(f"--budgets {text!r} is not a list of labels a class", do="write it as 8,32,128,all")
    return (*sorted(value for value in values if value is not None), *([None] if None in values else []))


def _check_numbers(seeds: int, seed: int) -> None:
    if seeds < 1:
        raise SelftaughtError("--seeds must be at least 1", do="5 or more allow a claim")
    if seed < 0:
        raise SelftaughtError("--seed must be 0 or more", do="any whole number from 0 on will do")


def _refuse_labelled(pretrained: Pretrained) -> None:
    """A model that has learned from labels, perhaps from these very test rows, says nothing of pretraining."""
    if not pretrained.is_classifier:
        return
    begun_from = pretrained.recipe.model.init if pretrained.recipe else None
    raise SelftaughtError(
        "this model has been fine-tuned on labels: its scores would say nothing of what pretraining gave it",
        where=str(pretrained.folder),
        do=f"give the run it began from, {begun_from}" if begun_from else "give a model that has seen no labels",
    )


def _lines(found: Verdict) -> list[str]:
    """The table and the sentence, for the terminal and the report."""
    points = found.of_metric()
    budgets = list(dict.fromkeys((p.labels_per_class, p.total_labels) for p in points))
    header = [found.metric.replace("_", "-"), *(f"{b or 'all'} ({total:,})" for b, total in budgets)]
    rows = []
    for method in dict.fromkeys(p.method for p in points):
        by_budget = {p.labels_per_class: p for p in points if p.method == method}
        rows.append([method, *(_cell(by_budget[budget]) for budget, _ in budgets)])
    lines = ["labels per class (in all); mean over seeds and 95 % interval", "", *table(header, rows), ""]
    lines.append(found.sentence)
    amount = f"{'at least ' if found.saved.at_least else ''}{found.labels_saved:,} (at {found.saved.at.budget})"
    lines.append(f"labels saved  {amount if found.labels_saved else 0}")
    if found.overlap is None:
        lines.append("overlap       unknown: the pretraining text is not at hand")
    else:
        lines.append(f"overlap       {len(found.overlap)} test rows stand word for word in the pretraining text")
    return lines + [f"note          {sentence}" for sentence in found.notes]


def _cell(point: Any) -> str:
    spread = f" ±{(point.high - point.low) / 2:.3f}" if point.seeds > 1 else ""
    return f"{point.mean:.3f}{spread}"
