"""Labelled text: a table, JSON or parquet with a label column, or a folder with one subfolder a class."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from selftaught.data.builtin import BUILTIN, builtin_labels
from selftaught.data.columns import label_by_name, labels_by_values, named, text_by_name, text_column
from selftaught.data.examples import Examples, LabelledText, Labels
from selftaught.data.files import DataFile, Found, find_files, printable
from selftaught.data.gather import SHOWN, gather, opened, require_columns, require_examples
from selftaught.data.hub import HUB, hub_folder
from selftaught.data.records import LONGEST_RECORD, TOO_LONG
from selftaught.data.sniff import text_encoding
from selftaught.data.source import open_text
from selftaught.data.streams import Damaged
from selftaught.data.tabular import RecordFile, Values
from selftaught.data.tally import WHOLE_FILE, Tally
from selftaught.data.text import PlainFile
from selftaught.data.values import (
    is_label_list,
    label_list,
    label_problem,
    labels_problem,
    split_labels,
    text_problem,
)
from selftaught.errors import SelftaughtError

FEW = 20


def read_labels(path: str | Path, *, text: str | None = None, label: str | None = None) -> Labels:
    """Reads labelled text; which columns are text and label is detected, or named by ``text`` and ``label``.

    A ``.txt`` file is read as a table, such as ``text<TAB>label``; ``builtin:docs`` is labelled by package. Where the
    label column holds lists, as such or as JSON, every label is a JSON list (see `labels_in`).

    Raises:
        SelftaughtError: there is nothing to read, no such column, no label column, or one label only.
    """
    name = str(path)
    if name.startswith(BUILTIN):
        _refuse_columns(text, label, name)
        return builtin_labels(name.removeprefix(BUILTIN))
    place = hub_folder(name.removeprefix(HUB)) if name.startswith(HUB) else Path(path)
    found = find_files(place, name)
    if not place.is_dir():
        return _checked(_from_table(found.files[0], text, label))
    _refuse_columns(text, label, name)
    return _checked(_from_folders(found, place, name))


def read_unlabelled(path: str | Path, *, text: str | None = None) -> Examples[LabelledText]:
    """Reads text as pretraining does, each row an example without a label.

    Raises:
        SelftaughtError: there is nothing to read, or no such column.
    """
    source, tally = open_text(path, text=text), Tally()
    examples = tuple(LabelledText(row.text, "", row.file, row.line) for row in source.rows(tally))
    return Examples(examples, tally, source.description)


def as_texts(texts: Sequence[str]) -> list[LabelledText]:
    """Plain texts as examples without labels."""
    return [LabelledText(text, "", "", 0) for text in texts]


def _refuse_columns(text: str | None, label: str | None, name: str) -> None:
    if column := text or label:
        raise SelftaughtError(f"a column {column!r} was asked for, but {printable(name)} has no columns")


def _from_table(file: DataFile, text: str | None, label: str | None) -> Labels:
    records, sample = opened(file)
    text, label, others = _choose(records, sample, text, label)
    several = holds_lists(sample, label)

    def parse(values: Values, line: int) -> LabelledText | str:
        value, answer = values.get(text), values.get(label)
        why = text_problem(value, text) or (labels_problem if several else label_problem)(answer, label)
        answer = label_list(answer) if several else str(answer).strip()
        return why or LabelledText(str(value), answer, file.name, line)

    examples, tally = gather(records, (text, label), parse)
    description = f"{file.name}: {records}, text in column {text!r}, label in column {label!r}"
    description += " (lists of labels)" if several else ""
    if others:
        description += f" (a guess; name it with --label if it is {' or '.join(map(repr, others[:SHOWN]))})"
    return Labels(examples, tally, description, text, label)


def holds_lists(sample: list[Values], column: str) -> bool:
    """Whether most values of a column are lists, as such or as JSON."""
    values = [row.get(column) for row in sample if row.get(column) is not None]
    return 2 * sum(map(is_label_list, values)) > len(values)


def _choose(
    records: RecordFile, sample: list[Values], text: str | None, label: str | None
) -> tuple[str, str, list[str]]:
    """The text and the label column, names given before what is detected, and what else may be the label."""
    columns, where = records.columns, records.file.name
    text = named(text, columns, where) if text is not None else ""
    if label is not None:
        label = named(label, columns, where)
    else:
        label = label_by_name([name for name in columns if name != text])
    text = text or text_column(sample, but=label) or text_by_name([name for name in columns if name != label])
    guesses = [] if label else labels_by_values(sample, but=text)
    label = label or next(iter(guesses), "")
    require_columns(records, text=text, label=label)
    return text, label, guesses[1:]


def _from_folders(found: Found, root: Path, name: str) -> Labels:
    """Each file is one example; the subfolder that it lies in is its label."""
    tally, examples, loose = Tally(), [], 0
    for one in found.refused:
        tally.quarantine(one.file, one.line, one.why)
    for file in found.files:
        parts = file.path.relative_to(root).parts
        if len(parts) == 1:
            loose += 1
            continue
        content, line, why = _whole_text(file)
        if why := why or text_problem(content, "text"):
            tally.quarantine(file.name, line, why)
        else:
            tally.keep()
            examples.append(LabelledText(content, printable(parts[0]), file.name, 1))
    if not examples:
        raise SelftaughtError(
            f"{printable(name)!r} has no subfolders, one a class, with text in them",
            do="name one file with labels" if loose else "",
        )
    description = f"{printable(name)}: one file an example, the label is the subfolder"
    description += f"; {loose} files beside the subfolders passed over" if loose else ""
    return Labels(tuple(examples), tally, description, "file", "folder")


def _whole_text(file: DataFile) -> tuple[str, int, str]:
    """The content of a small text file, or the line that spoils it and why."""
    if file.kind != "text":
        return "", WHOLE_FILE, "is no text file: in a folder of classes each example is a .txt or .md file"
    try:
        plain = PlainFile(file, text_encoding(file))
    except Damaged as damaged:
        return "", WHOLE_FILE, str(damaged)
    spoiled, parts, size = Tally(), [], 0
    for row in plain.rows(spoiled, count()):
        parts.append(row.text)
        size += len(row.text)
        if size > LONGEST_RECORD:
            return "", WHOLE_FILE, TOO_LONG
    if spoiled.records:
        return "", spoiled.records[0].line, spoiled.records[0].why
    return "".join(parts).rstrip("\n"), WHOLE_FILE, "" if parts else "is empty"


def _checked(labels: Labels) -> Labels:
    require_examples(labels.examples, labels.tally, labels.description)
    counts = labels.counts
    if len(counts) < 2:
        raise SelftaughtError(
            f"all {labels.tally.kept} rows have one label, {next(iter(counts), '')!r}: there is nothing to learn",
            where=labels.description,
            do="name another label column with --label",
        )
    parts = [part for example in labels.examples for part in split_labels(example.label)]
    if len(set(parts)) == len(parts) and len(labels.examples) > FEW:
        raise SelftaughtError(
            f"each of the {len(labels.examples)} rows has a label of its own",
            where=labels.description,
            do="name another label column with --label",
        )
    once = [label for label, number in counts.items() if number == 1]
    notes = [labels.description, f"{len(labels.examples)} examples of {len(counts)} labels"]
    if once:
        names = ", ".join(repr(label) for label in once[:SHOWN]) + (", …" if len(once) > SHOWN else "")
        notes.append(f"{len(once)} labels seen once ({names})")
    return replace(labels, description="; ".join(notes))
