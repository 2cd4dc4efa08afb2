"""``selftaught evaluate``: the objective's or the task's own measures on data that was not trained on."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from selftaught.backbones.flamingo import Flamingo
from selftaught.console import table, tell
from selftaught.data.examples import Columns
from selftaught.data.labels import read_labels
from selftaught.data.picture_question_files import read_picture_questions
from selftaught.data.video_source import holds_videos
from selftaught.errors import SelftaughtError
from selftaught.finetuning.answering import note_long_texts, task_learner
from selftaught.finetuning.learner import answers
from selftaught.finetuning.saved_task import saved_task
from selftaught.flamingo.evaluating import evaluate_captions
from selftaught.lookup import import_own
from selftaught.machine import pick_device, pick_precision
from selftaught.pairs.evaluating import evaluate_pairs
from selftaught.pairs.model import holds_pair_model
from selftaught.pictures.evaluating import evaluate_pictures
from selftaught.pictures.model import holds_picture_model
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.prompting.few_shot import DRAWS, Asking, few_shot
from selftaught.prompting.picture_shots import MOST_ROWS, PictureAsking, picture_shots
from selftaught.recipe import Recipe, read_recipe
from selftaught.run.folder import Run
from selftaught.run.report import write_report
from selftaught.suites import OF_WORDS, find_suite
from selftaught.task import Task
from selftaught.tasks.vqa import Vqa
from selftaught.text.held_out import measure_text
from selftaught.verbs import Place
from selftaught.video.classifying import is_taught_clips
from selftaught.video.evaluating import evaluate_videos
from selftaught.word2vec.measuring import measure_words
from selftaught.word2vec.model import WordModel, holds_words

_NAMED = 3  # quarantined rows
_MANY_UNKNOWN = 0.05  # beyond, the measures are about guessing which tokens are unknown


def evaluate(
    run: Place,
    data: str,
    *,
    text: str | None = None,
    image: str | None = None,
    second: str | None = None,
    label: str | None = None,
    objective: str | None = None,
    suite: str | None = None,
    shots: str | None = None,
    template: str | None = None,
    word: Annotated[list[str] | None, Parameter(name="--word")] = None,
    train: str | None = None,
    draws: int = DRAWS,
    rows: int | None = None,
    seed: int = 0,
    device: str | None = None,
    json: bool = False,
) -> dict[str, Any]:
    """Measure a run on data it was not trained on: a pretrained one on text, pictures or videos, a fine-tuned one on
    labels.

    With --suite it is measured on a published test, with --shots on labels by prompting.

    Args:
        run: A run, or a checkpoint folder of transformers.
        data: Text as for pretrain, labels as for finetune, or the files of a suite.
        text: The column that holds the text; of captions several, with commas between.
        image: The column that holds pictures, or paths to them.
        second: The column that holds the second text of a pair.
        label: The column that holds the label, or whatever the task asks for.
        objective: Ask a pretrained run what another objective asks, such as nsp where it was trained with sop.
        suite: A published test: blimp; of word vectors analogies or similarity.
        shots: Numbers of labelled examples in the context, such as 0,1,4,16.
        template: With --shots, how a text and its label are written: "{text}\\nTopic: {label}\\n".
        word: With --shots, what a label is called, such as 1=great; may be given several times.
        train: With --shots, labels to draw the examples from; a part of DATA if not given.
        draws: With --shots, how often each row is asked about, behind other examples each time.
        rows: The most rows: of each paradigm of a suite, or to be asked about with --shots (500 if not given).
        seed: Of the draws.
        device: cpu, cuda, …
        json: Print one JSON object.
    """
    if shots is None and (template or word or train):
        raise SelftaughtError("--template, --word and --train go with --shots", do="add --shots 0,1,4,16")
    if suite is not None and shots is not None:
        raise SelftaughtError("--suite and --shots are two ways to measure", do="give one of them")
    if draws < 1 or (rows is not None and rows < 1):
        raise SelftaughtError("--draws and --rows must be at least 1")
    import_own(objective)
    if holds_words(run):
        if objective or shots:
            raise SelftaughtError("--objective and --shots are for transformers, and this run holds word vectors")
        return _of_words(run, data, text, suite, rows, seed, json)
    if suite in OF_WORDS:
        raise SelftaughtError(f"{suite} is a test of word vectors", do="give a run of --objective skipgram or cbow")
    if holds_pair_model(run):
        given = {"--objective": objective, "--suite": suite, "--shots": shots, "--second": second}
        if wrong := [name for name, value in given.items() if value]:
            raise SelftaughtError(
                f"{wrong[0]} is for text, and this run is one of pictures with words", do="leave it out"
            )
        return _of_pairs(run, data, {"text": text, "image": image, "label": label}, device, json)
    if holds_picture_model(run):
        given = {"--objective": objective, "--suite": suite, "--shots": shots, "--text": text, "--second": second}
        if wrong := [name for name, value in given.items() if value]:
            raise SelftaughtError(f"{wrong[0]} is for text, and this run is one of pictures", do="leave it out")
        return _of_pictures(run, data, label, device, json)
    pretrained = open_pretrained(run)
    task = saved_task(pretrained)
    if objective is not None and (suite or shots or task):
        raise SelftaughtError(
            "--objective asks a pretrained run about text", do="give such a run, and neither --suite nor --shots"
        )
    pretrained.backbone.to(pick_device(device))
    if suite is not None:
        report, lines = find_suite(suite)(pretrained, data, rows, seed)
    elif shots is not None and isinstance(pretrained.backbone, Flamingo):
        if template or word:
            raise SelftaughtError("--template and --word are for text", do="leave them out")
        report, lines = _behind_pictures(
            pretrained, task, data, train, Columns(text, second, label), _numbers(shots), draws, rows, seed
        )
    elif shots is not None:
        asking = Asking(_numbers(shots), template, _words(word or []), draws, rows, seed)
        shown = read_labels(train, text=text, label=label) if train else None
        report, lines = few_shot(pretrained, read_labels(data, text=text, label=label), shown, asking)
    elif task is None and isinstance(pretrained.backbone, Flamingo):
        with tempfile.TemporaryDirectory() as folder:
            precision = pick_precision(pick_device(device))
            report, lines = evaluate_captions(pretrained, data, text, Path(folder), precision)
    elif task is not None:
        report, lines = _on_labels(pretrained, task, data, Columns(text, second, label))
    else:
        report, lines = _on_text(pretrained, data, text, objective)
    return _told(report, lines, data, pretrained.run, pretrained.recipe, json)


def _of_words(
    run: Place, data: str, text: str | None, suite: str | None, rows: int | None, seed: int, json: bool
) -> dict[str, Any]:
    """Measure word vectors: on text by their loss, or by a suite."""
    if suite is not None and suite not in OF_WORDS:
        find_suite(suite)  # a name that nobody has is told first
        raise SelftaughtError(f"{suite} asks about sentences", do="of word vectors ask " + " or ".join(OF_WORDS))
    place = Run(Path(run))
    recipe = read_recipe(place.recipe) if place.recipe.exists() else None
    if suite is not None:
        report, lines = find_suite(suite)(WordModel.load(run), data, rows, seed)
    else:
        measures, tally = measure_words(run, data, text)
        report = {"verb": "evaluate", "measures": measures, "rows": tally.to_json(), "notes": []}
        lines = [f"rows        {tally.summary()}"]
        lines += [f"{name.replace('_', ' '):26}{value:.4f}" for name, value in measures.items()]
    return _told(report, lines, data, place if recipe else None, recipe, json)


def _of_pictures(run: Place, data: str, label: str | None, device: str | None, json: bool) -> dict[str, Any]:
    """Measure a network over pictures or clips: a fine-tuned one on labels, a pretrained one by its own objective."""
    place, where = Run(Path(run)), pick_device(device)
    measure = evaluate_videos if is_taught_clips(run) or holds_videos(data) else evaluate_pictures
    with tempfile.TemporaryDirectory() as folder:
        report, lines = measure(str(run), data, label, Path(folder), where, pick_precision(where))
    lines += ["", *_measured(report.get("classes", {}), report["measures"])]
    recipe = read_recipe(place.recipe) if place.recipe.exists() else None
    return _told(report, lines, data, place if recipe else None, recipe, json)


def _of_pairs(run: Place, data: str, columns: dict[str, str | None], device: str | None, json: bool) -> dict[str, Any]:
    """Measure two towers: how often pictures and captions find each other."""
    place, where = Run(Path(run)), pick_device(device)
    with tempfile.TemporaryDirectory() as folder:
        report, lines = evaluate_pairs(str(run), data, columns, Path(folder), where, pick_precision(where))
    return _told(report, lines, data, place if place.recipe.exists() else None, None, json)


def _measured(classes: Mapping[str, Mapping[str, float | None]], measures: Mapping[str, float]) -> list[str]:
    """A table of classes, where there are some, and the measures of all rows."""
    lines = []
    if classes:
        rows = [[name, *map(_cell, of_class.values())] for name, of_class in classes.items()]
        lines += [*table(["class", *next(iter(classes.values()))], rows), ""]
    return lines + [f"{name.replace('_', '-'):12}{value:.4f}" for name, value in measures.items()]


def _told(
    report: dict[str, Any], lines: list[str], data: str, run: Run | None, recipe: Recipe | None, json: bool
) -> dict[str, Any]:
    """Tell what was measured, and write it into the run."""
    report["data"] = data
    report["notes"] += _trained_on(recipe, data)
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    if run is not None:
        write_report(run, report, [f"Data: `{data}`", "", "```", *lines, "```"])
    return tell(report, lines, json=json)


def _behind_pictures(
    pretrained: Pretrained,
    task: Task[Any] | None,
    data: str,
    train: str | None,
    columns: Columns,
    shots: tuple[int, ...],
    draws: int,
    rows: int | None,
    seed: int,
) -> tuple[dict[str, Any], list[str]]:
    """Questions about pictures behind some that are answered."""
    asking = PictureAsking(shots, draws, rows or MOST_ROWS, seed)
    shown = read_picture_questions(train, columns) if train else None
    posed = task if isinstance(task, Vqa) else None
    return picture_shots(pretrained, posed, read_picture_questions(data, columns), shown, asking)


def _numbers(shots: str) -> tuple[int, ...]:
    numbers = [int(part) if part.strip().isdecimal() else -1 for part in shots.split(",")]
    if min(numbers) < 0:
        raise SelftaughtError(f"--shots {shots!r} is not a list of numbers", do="write it as 0,1,4,16")
    return tuple(dict.fromkeys(numbers))


def _words(given: list[str]) -> dict[str, str]:
    if nameless := [one for one in given if "=" not in one]:
        raise SelftaughtError(f"--word {nameless[0]!r} names no label", do="write it as LABEL=WORD: --word 1=great")
    return {label: word for label, _, word in (one.partition("=") for one in given)}


def _trained_on(recipe: Recipe | None, data: str) -> list[str]:
    if recipe is None or os.path.realpath(recipe.data.path) != os.path.realpath(data):
        return []
    return ["the model was trained on this data: on other data it will do worse"]


def _on_text(
    pretrained: Pretrained, data: str, text: str | None, objective: str | None
) -> tuple[dict[str, Any], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        measures, rows = measure_text(pretrained, data, Path(folder), text, objective)
    report = {"verb": "evaluate", "data": data, "measures": measures, "rows": rows.to_json(), "notes": []}
    if objective is not None:
        report["objective"] = objective
    if (measures["unknown_tokens"] or 0.0) > _MANY_UNKNOWN:
        report["notes"] = [
            f"{measures['unknown_tokens']:.0%} of the tokens are unknown to the model: it cannot read this text"
        ]
    lines = [f"rows        {rows.summary()}"]
    lines += [f"{name.replace('_', ' '):26}{value:.4f}" for name, value in measures.items() if value is not None]
    return report, lines


def _on_labels(
    pretrained: Pretrained, task: Task[Any], data: str, columns: Columns
) -> tuple[dict[str, Any], list[str]]:
    found = task.read(data, columns)
    if unknown := task.unknown(found.examples):
        raise SelftaughtError(
            f"the data has labels that the model does not know: {', '.join(unknown[:5])}",
            where=data,
            do="name the right column with --label; the model's classes are in its README.md",
        )
    said = answers(task_learner(pretrained, task), pretrained.tokenizer, found.examples)
    measures = task.measure(found.examples, said)
    classes = task.by_class(found.examples, said)
    report = {
        "verb": "evaluate",
        "task": task.name,
        "measures": measures,
        **({"classes": classes} if classes else {}),
        "rows": found.tally.to_json(),
        "notes": note_long_texts(pretrained, task, found.examples),
    }
    lines = [f"rows        {found.tally.summary()}", *(f"            {row}" for row in found.tally.named(_NAMED)), ""]
    return report, [*lines, *_measured(classes, measures)]


def _cell(value: float | None) -> str:
    """A count, a measure, or a dash where there is none."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
