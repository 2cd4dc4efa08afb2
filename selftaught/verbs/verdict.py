"""``selftaught verdict``: did self-supervision help?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter

from selftaught.console import dump, note, table, tell
from selftaught.data.examples import Columns
from selftaught.data.video_source import holds_videos
from selftaught.errors import SelftaughtError
from selftaught.finetuning.saved_task import saved_task
from selftaught.judging.draws import BUDGETS, SEEDS, Drawing
from selftaught.judging.pairs import zero_shot_line, zero_shot_of
from selftaught.judging.pictures import judge_pictures, read_labelled
from selftaught.judging.subject import Network, Subject, Words
from selftaught.judging.text import default_folder, judge, rows_used
from selftaught.judging.verdict import Verdict
from selftaught.judging.video import judge_clips, read_labelled_clips
from selftaught.lookup import find_task, import_own
from selftaught.machine import pick_device, pick_precision
from selftaught.pairs.model import holds_pair_model
from selftaught.pictures.classifying import PictureClassifier
from selftaught.pictures.lessons import inherited
from selftaught.pictures.model import PictureModel, holds_picture_model
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.recipe import compose, read_recipe
from selftaught.run.curve import draw_efficiency
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run
from selftaught.run.report import write_report
from selftaught.verbs import Place
from selftaught.video.classifying import is_taught_clips
from selftaught.video.model import VideoModel
from selftaught.word2vec.model import holds_words


def verdict(
    run: Place,
    labels: str,
    *,
    task: str = "classify",
    test: str | None = None,
    text: str | None = None,
    second: str | None = None,
    label: str | None = None,
    seeds: int = SEEDS,
    budgets: str | None = None,
    finetune: bool = False,
    seed: int = 0,
    out: Place | None = None,
    device: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Say whether self-supervision helped, with the label-efficiency curve that shows it.

    The pretrained model stands beside the same network untrained and the task's baselines, such as TF-IDF with logistic
    regression (of pictures, raw pixels with that and with kNN; of videos, how pixels change, and one frame alone) and
    the majority class, at 8, 32, 128 and all labels a class, each drawn several times. Nothing is tuned on the test
    rows.

    Args:
        run: A run, or any checkpoint folder of transformers.
        labels: Labels as for finetune, or builtin:docs. Of pictures and videos a folder with one subfolder a class, a
            table of paths and labels, or whatever else pretrain reads that names labels.
        task: What the labels mean; "selftaught objectives" lists the tasks.
        test: Labels to be tested on; a part of LABELS if not given.
        text: The column that holds the text.
        second: The column that holds the second text of a pair.
        label: The column that holds the label, or whatever the task asks for.
        seeds: How many draws of labels; fewer than 5 allow no claim.
        budgets: Labels a class (examples where there are no classes), such as 8,32,all.
        finetune: Also fine-tune the networks at each budget, which takes minutes; all tasks but classify always do.
        seed: Of the split and the draws.
        out: Where the report goes; the run itself if not given.
        device: cpu, cuda, …
        set_: An option of the task, as objective.options.NAME=VALUE.
        json: Print one JSON object.
    """
    _check_numbers(seeds, seed)
    drawing = Drawing(_budgets(budgets), seeds, seed)
    if holds_picture_model(run):
        _refuse_taught(run)
        _refuse_text(task, {"--text": text, "--second": second, "--set": set_})
        kind = _of_videos if holds_videos(labels) else _of_pictures
        judged = partial(kind, run, labels, test, label, device, drawing, finetune)
        usual = Path(run) if Run(Path(run)).recipe.exists() else Path("runs") / f"verdict-{Path(run).name}"
    else:
        subject = _subject(run, device)
        judged = partial(_of_texts, subject, labels, test, Columns(text, second, label), task, set_, drawing, finetune)
        usual = default_folder(subject, run)
    place = Run(Path(out) if out else usual)
    with place.locked():
        found, rows, lines, more = judged(place.folder)
        report = {**found.to_json(), "labels": labels, "test": test, **more}
        draw_efficiency(found.of_metric(), place.folder / "verdict.png")
        replace_file(place.folder / "verdict_rows.json", dump(rows))
        write_report(place, report, [f"Labels: `{labels}`", "", "```", *lines, "```", "", "![scores](verdict.png)"])
    return tell(report, [*lines, f"report      {place.folder}/report.md, verdict.png, verdict_rows.json"], json=json)


def _refuse_text(task: str, asked: dict[str, Any]) -> None:
    given = [name for name, value in asked.items() if value] + ([f"--task {task}"] if task != "classify" else [])
    if given:
        raise SelftaughtError(f"{given[0]} is for text, and this run is one of pictures", do="leave it out")


class _Judged(NamedTuple):
    """What came out.

    Args:
        rows: which were learned from, and tested on.
        lines: for the terminal and the report.
        more: facts for the report.
    """

    found: Verdict
    rows: Any
    lines: list[str]
    more: Mapping[str, Any] = {}


def _of_texts(
    subject: Subject,
    labels: str,
    test: str | None,
    columns: Columns,
    task: str,
    settings: list[str] | None,
    drawing: Drawing,
    finetune: bool,
    folder: Path,
) -> _Judged:
    import_own(task)
    kind, options = find_task(task), compose({}, settings=settings or ()).objective.options
    learn = kind.read(labels, columns)
    held = kind.read(test, columns) if test else None
    found, details = judge(subject, task, options, learn, held, drawing=drawing, finetune=finetune, tell=note)
    return _Judged(found, rows_used(details), _lines(found))


def _of_pictures(
    run: Place,
    labels: str,
    test: str | None,
    label: str | None,
    device: str | None,
    drawing: Drawing,
    finetune: bool,
    folder: Path,
) -> _Judged:
    where, seen = pick_device(device), Path(run) / "pictures" / "pictures.npy"
    model = PictureModel.load(run, pick_precision(where))
    model.backbone.to(where)
    pictures = read_labelled(labels, test, folder / "labelled", model.spec.resolution, drawing.seed, label=label)
    found, details = judge_pictures(
        model, pictures, seen, drawing=drawing, finetune=finetune, tell=note, options=inherited(run)
    )
    lines = _lines(found, "have the pixels of a picture it was pretrained on")
    if not holds_pair_model(run):
        return _Judged(found, details.drawn, lines)
    shown = zero_shot_of(Path(run), pictures, where)
    return _Judged(found, details.drawn, [*lines, zero_shot_line(shown, found.curve)], {"zero_shot": shown})


def _of_videos(
    run: Place,
    labels: str,
    test: str | None,
    label: str | None,
    device: str | None,
    drawing: Drawing,
    finetune: bool,
    folder: Path,
) -> _Judged:
    where, seen = pick_device(device), Path(run) / "clips"
    model = VideoModel.load(run, pick_precision(where))
    model.picture.backbone.to(where)
    clips = read_labelled_clips(labels, test, folder / "labelled", model, drawing.seed, label=label)
    found, details = judge_clips(model, clips, seen, drawing=drawing, finetune=finetune, tell=note)
    return _Judged(found, details.drawn, _lines(found, "have the pixels of a clip it was pretrained on"))


def _subject(run: Place, device: str | None) -> Subject:
    if holds_words(run):
        return Words(Path(run))
    pretrained, where = open_pretrained(run), pick_device(device)
    _refuse_labelled(pretrained)
    return Network(pretrained, pick_precision(where), where)


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
    if saved_task(pretrained) is None:
        return
    raise _labels_seen(str(pretrained.folder), pretrained.recipe.model.init if pretrained.recipe else None)


def _refuse_taught(run: Place) -> None:
    """The same of a network over pictures or clips."""
    if PictureClassifier.load(run) is None and not is_taught_clips(run):
        return
    recipe = read_recipe(Run(Path(run)).recipe) if Run(Path(run)).recipe.exists() else None
    raise _labels_seen(str(run), recipe.model.init if recipe else None)


def _labels_seen(where: str, begun_from: str | None) -> SelftaughtError:
    return SelftaughtError(
        "this model has been fine-tuned on labels: its scores would say nothing of what pretraining gave it",
        where=where,
        do=f"give the run it began from, {begun_from}" if begun_from else "give a model that has seen no labels",
    )


def _lines(found: Verdict, seen: str = "stand word for word in the pretraining text") -> list[str]:
    """The table and the sentence, for the terminal and the report."""
    points = found.of_metric()
    budgets = list(dict.fromkeys((p.labels_per_class, p.total_labels) for p in points))
    header = [found.metric.replace("_", "-"), *(f"{b or 'all'} ({total:,})" for b, total in budgets)]
    rows = []
    for method in dict.fromkeys(p.method for p in points):
        by_budget = {p.labels_per_class: p for p in points if p.method == method}
        rows.append([method, *(_cell(by_budget[budget]) for budget, _ in budgets)])
    lines = [f"{points[0].counted} (in all); mean over seeds and 95 % interval", "", *table(header, rows), ""]
    lines.append(found.sentence)
    amount = f"{'at least ' if found.saved.at_least else ''}{found.labels_saved:,} (at {found.saved.at.budget})"
    lines.append(f"labels saved  {amount if found.labels_saved else 0}")
    if found.overlap is None:
        lines.append("overlap       unknown: what it was pretrained on is not at hand")
    else:
        more = f", {len(found.nearly)} more nearly" if found.nearly else ""
        lines.append(f"overlap       {len(found.overlap)} test rows {seen}{more}")
    return lines + [f"note          {sentence}" for sentence in found.notes]


def _cell(point: Any) -> str:
    spread = f" ±{(point.high - point.low) / 2:.3f}" if point.seeds > 1 else ""
    return f"{point.mean:.3f}{spread}"
