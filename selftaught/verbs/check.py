"""``selftaught check``: what is in the data, what is wrong with it, will it be enough."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from selftaught.console import note, tell
from selftaught.data.examples import Columns, Examples
from selftaught.data.pair_source import holds_pairs, open_pairs
from selftaught.data.picture_source import holds_pictures, open_pictures
from selftaught.data.scan import scan_rows
from selftaught.data.source import open_text, require_rows
from selftaught.data.tally import Tally
from selftaught.data.text import Row, TextSource
from selftaught.data.video_source import holds_videos, open_videos
from selftaught.errors import SelftaughtError
from selftaught.facts import are_counts, shown_fact
from selftaught.lookup import find_task, import_own
from selftaught.pairs.survey import survey_pairs
from selftaught.pictures.ranking import rank_objectives, ranking_lines
from selftaught.pictures.survey import Survey, survey_lines
from selftaught.schedule import parse_duration
from selftaught.video.survey import VideoSurvey, video_survey_lines

_SHOWN = 10
_CHARACTERS_A_TOKEN = {True: 1.0, False: 4.0}  # Chinese or not, roughly
_ENOUGH_TOKENS = 1_000_000  # below, a tiny model has learned little but which words are common (docs/lab.md)
_FEW_LABELS = 8


def check(
    data: str,
    *,
    labels: str | None = None,
    task: str = "classify",
    text: str | None = None,
    image: str | None = None,
    second: str | None = None,
    label: str | None = None,
    pretext: bool = False,
    for_: Annotated[str, Parameter(name="--for")] = "1m",
    json: bool = False,
) -> dict[str, Any]:
    """Say what is in the data, what is wrong with it, and whether it will be enough. Nothing is written.

    Args:
        data: A folder, a file, builtin:NAME or hf:NAME, of text, pictures, pictures with words, or videos.
        labels: Labels as for finetune, to be checked as well.
        task: What the labels mean; "selftaught objectives" lists the tasks.
        text: The column that holds the text; of captions several, with commas between.
        image: The column that holds pictures, or paths to them.
        second: The column that holds the second text of a pair.
        label: The column that holds the label, or whatever the task asks for.
        pretext: Of pictures, also give each objective a short time, and rank them by a probe on what it learned.
        for_: With --pretext, how long each.
        json: Print one JSON object.
    """
    if labels is None and not pretext and holds_pairs(data, text):
        return _pairs(data, image, text, label, json=json)
    if holds_videos(data):
        return _videos(data, labels, pretext=pretext, json=json)
    if holds_pictures(data):
        return _pictures(data, labels, parse_duration(for_) if pretext else None, json=json)
    if pretext:
        raise SelftaughtError("--pretext tries objectives on pictures, and this is text", do="leave it out")
    source, tally, hashes = _open(data, text, labels), Tally(), array("q")

    def rows() -> Iterator[Row]:
        last = None
        for row in source.rows(tally):
            if (row.document, row.line) != last:  # a line too long to be handed on whole comes in pieces
                hashes.append(hash(row.text.strip()))
            last = row.document, row.line
            yield row

    found = scan_rows(rows())
    require_rows(source, tally)
    duplicates = len(hashes) - len(np.unique(np.frombuffer(hashes, np.int64)))
    tokens = round(found.total / _CHARACTERS_A_TOKEN[found.is_chinese])
    advice = _advice(tokens, duplicates, len(hashes))
    report: dict[str, Any] = {
        "verb": "check",
        "description": source.description,
        **tally.to_json(),
        "documents": len(found.sizes),
        "characters": found.total,
        "alphabet": len(found.alphabet),
        "language": "Chinese" if found.is_chinese else "alphabetic",
        "tokens_estimated": tokens,
        "vocabulary": found.vocabulary(),
        "duplicates": duplicates,
        "advice": advice,
    }
    lines = [
        f"data        {source.description}",
        f"rows        {tally.summary()}",
        *_named(tally),
        f"content     {len(found.sizes):,} documents, {found.total:,} characters, about {tokens:,} tokens; "
        f"{report['language']}, {len(found.alphabet):,} different characters, vocabulary {found.vocabulary():,}",
        f"duplicates  {duplicates:,} rows repeat another",
    ]
    if labels is not None:
        import_own(task)
        kind = find_task(task)
        read = kind.read(labels, Columns(text, second, label))
        facts = kind.of(read.examples).facts(read.examples)
        report["labels"] = _label_facts(read, facts)
        lines += _label_lines(read, facts)
        advice += _label_advice(facts)
    return tell(report, lines + [f"advice      {sentence}" for sentence in advice], json=json)


def _pictures(data: str, labels: str | None, seconds: float | None, *, json: bool) -> dict[str, Any]:
    """
    Args:
        seconds: that each objective is given; None for no trial of any.
    """
    survey = Survey.of(open_pictures(data))
    report: dict[str, Any] = {"verb": "check", "kind": "pictures", **survey.to_json(), "advice": survey.advice()}
    lines = [f"data        {survey.description}", f"rows        {survey.tally.summary()}", *_named(survey.tally)]
    lines += survey_lines(report)
    if labels is not None:
        other = Survey.of(open_pictures(labels))
        same, nearly = other.also_in(survey)
        report["labels"] = {**other.to_json(), "also_in_data": same, "nearly_in_data": nearly}
        lines += ["", f"labelled    {other.description}", f"rows        {other.tally.summary()}", *_named(other.tally)]
        lines += [
            *survey_lines(report["labels"]),
            f"both        {same:,} of them are in the data, {nearly:,} more nearly",
        ]
        report["advice"] += other.advice()
    if seconds is not None:
        with TemporaryDirectory() as folder:
            trials = rank_objectives(data, seconds, Path(folder), note)
        report["pretext"] = [trial.to_json() for trial in trials]
        lines += ["", *ranking_lines(trials, seconds)]
    return tell(report, [*lines, *(f"advice      {sentence}" for sentence in report["advice"])], json=json)


def _videos(data: str, labels: str | None, *, pretext: bool, json: bool) -> dict[str, Any]:
    if pretext:
        raise SelftaughtError("--pretext tries objectives on pictures, and these are videos", do="leave it out")
    survey = VideoSurvey.of(open_videos(data))
    report: dict[str, Any] = {"verb": "check", "kind": "videos", **survey.to_json(), "advice": survey.advice()}
    lines = [f"data        {survey.description}", f"rows        {survey.tally.summary()}", *_named(survey.tally)]
    lines += video_survey_lines(report)
    if labels is not None:
        other = VideoSurvey.of(open_videos(labels))
        known = set(survey.digests)
        report["labels"] = {**other.to_json(), "also_in_data": sum(one in known for one in other.digests)}
        lines += ["", f"labelled    {other.description}", f"rows        {other.tally.summary()}", *_named(other.tally)]
        lines += video_survey_lines(report["labels"])
        lines.append(f"both        {report['labels']['also_in_data']:,} of them are in the data")
        report["advice"] += other.advice()
    return tell(report, [*lines, *(f"advice      {sentence}" for sentence in report["advice"])], json=json)


def _pairs(data: str, image: str | None, text: str | None, label: str | None, *, json: bool) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        report, lines = survey_pairs(open_pairs(data, image=image, text=text, label=label), Path(folder))
    few = [
        f"{one['file']}{':' + str(one['line']) if one['line'] else ''}: {one['why']}" for one in report["quarantined"]
    ]
    more = report["quarantined_rows"] - _SHOWN
    head = [
        f"data        {report['description']}",
        f"rows        {report['rows']:,} in = {report['kept']:,} kept + {report['quarantined_rows']:,} quarantined",
        *(f"            {line}" for line in few[:_SHOWN]),
        *([f"            … and {more:,} more, named by --json"] if more > 0 else []),
    ]
    advice = [f"advice      {sentence}" for sentence in report["advice"]]
    return tell({"verb": "check", **report}, [*head, *lines, *advice], json=json)


def _open(data: str, text: str | None, labels: str | None) -> TextSource:
    """The data; where there are labels, the text column that is named may be theirs alone."""
    try:
        return open_text(data, text=text)
    except SelftaughtError:
        if labels is None or text is None:
            raise
        return open_text(data)


def _named(tally: Tally) -> list[str]:
    return [f"            {record}" for record in tally.named(_SHOWN)]


def _advice(tokens: int, duplicates: int, rows: int) -> list[str]:
    found = []
    if tokens < _ENOUGH_TOKENS:
        found.append(
            f"about {tokens:,} tokens are few: below a million a model learns little beyond which words are common. "
            "Add text of the same kind, or go on from a checkpoint with --init"
        )
    else:
        found.append(f"about {tokens:,} tokens are enough for a tiny model; more text allows a larger one")
    if duplicates > rows / 5:
        found.append(f"{duplicates / rows:.0%} of the rows are repeats: a model learns them by heart; remove them")
    return found


def _label_facts(labels: Examples[Any], facts: dict[str, dict[str, float]]) -> dict[str, Any]:
    return {
        "description": labels.description,
        **labels.tally.to_json(),
        **facts,
        "duplicates": labels.duplicates,
        "conflicts": labels.conflicts,
    }


def _label_lines(labels: Examples[Any], facts: dict[str, dict[str, float]]) -> list[str]:
    return [
        f"labels      {labels.description}",
        f"rows        {labels.tally.summary()}; {labels.duplicates} repeat another, "
        f"{labels.conflicts} texts have two labels",
        *_named(labels.tally),
        *(f"{name:12}{shown_fact(values)}" for name, values in facts.items()),
    ]


def _label_advice(facts: dict[str, dict[str, float]]) -> list[str]:
    """About what is counted by name, such as classes and kinds of entities; not lengths or the like."""
    return [
        f"{len(few)} of the {name} have fewer than {_FEW_LABELS} labels, such as {few[0]}: a few more there help most"
        for name, values in facts.items()
        if are_counts(values) and (few := [one for one, count in values.items() if count < _FEW_LABELS])
    ]
