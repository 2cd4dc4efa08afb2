"""A text and what is to be written for it: translations, summaries, titles, answers in a dialogue.

A table, JSON or parquet with two columns of text, or with a column of dialogues.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from selftaught.data.columns import Rows, columns_of, named, text_column
from selftaught.data.examples import Columns, Examples, place
from selftaught.data.gather import gather, open_table, require_columns, require_examples
from selftaught.data.tabular import RecordFile, Values
from selftaught.data.values import text_problem

KNOWN = (
    ("source", "target"), ("src", "tgt"), ("instruction", "output"), ("instruction", "response"), ("input", "output"),
    ("prompt", "completion"), ("prompt", "response"), ("context", "response"), ("post", "reply"),
    ("question", "answer"), ("document", "summary"), ("article", "highlights"), ("article", "summary"),
    ("dialogue", "summary"), ("text", "summary"), ("abstract", "title"), ("content", "title"), ("body", "title"),
    ("text", "title"), ("原文", "译文"), ("正文", "标题"), ("正文", "摘要"), ("问题", "回答"), ("问", "答"),
)  # fmt: skip
DIALOGUES = (
    "messages",
    "conversations",
    "conversation",
    "dialog",
    "dialogue",
    "dialogues",
    "turns",
    "utterances",
    "对话",
)
ANSWERING = ("assistant", "gpt", "model", "bot", "助手")
WITH_INPUT = ("instruction", "input")
"""Instructions, and what they are about where that stands in a column of its own, as in Alpaca's files."""

_LANGUAGE = re.compile(r"[a-z]{2}([-_][a-z]{2,4})?", re.IGNORECASE)


@dataclass(frozen=True)
class SourceTarget:
    """A text, and what may be written for it: one or several texts that are all right."""

    source: str
    targets: tuple[str, ...]
    file: str
    line: int

    @property
    def inputs(self) -> dict[str, str]:
        return {"source": self.source}


def read_source_target(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[SourceTarget]:
    """Reads sources and targets; which columns they are is told by their names, or else by what they hold.

    A source that is a list (of sentences, of turns) is read line by line. A target that is a list is several targets.
    A field of a column of objects is called ``column.field``: WMT's files have ``translation.en``.
    Of a dialogue, every turn that answers is a target, and its source is all that was said before.

    Args:
        columns: ``text`` names the sources, ``label`` the targets.
        labelled: false to read the sources alone, whatever else there is.

    Raises:
        SelftaughtError: there is nothing to read, or a column is not found.
    """
    columns.refuse_second("generate")
    records, sample = open_table(path)
    if dialogues := _dialogue_column(records, sample, columns):
        return _dialogues(records, dialogues, labelled)
    source, target = _two_columns(records, sample, columns)
    require_columns(records, text=source, **({"label": target} if labelled else {}))

    about = WITH_INPUT[1] if source == WITH_INPUT[0] and WITH_INPUT[1] in records.columns else ""

    def parse(values: Values, line: int) -> SourceTarget | str:
        given = _joined(_lines(_value(values, source)), values.get(about))
        targets = _several(_value(values, target)) if labelled else ()
        why = text_problem(given, source)
        if labelled:
            why = why or next((why for one in targets or ("",) if (why := text_problem(one, target))), "")
        return why or SourceTarget(str(given), tuple(map(str, targets)), records.file.name, line)

    description = f"{records.file.name}: {records}, source in column {source!r}" + (f" and {about!r}" if about else "")
    if labelled:
        description += f", target in column {target!r}"
    roles = (source, target, about) if labelled else (source, about)
    needed = [name if name in records.columns else name.partition(".")[0] for name in roles if name]
    found, tally = gather(records, needed, parse)
    require_examples(found, tally, description, "rows with a source and a target" if labelled else "rows of text")
    return Examples(found, tally, description)


def of_one_record(examples: Sequence[SourceTarget]) -> list[str]:
    """A text of each example that those of one dialogue share; of an example that stands alone, its source."""
    counts = Counter(map(place, examples))
    return [place(example) if counts[place(example)] > 1 else example.source for example in examples]


def _dialogues(records: RecordFile, column: str, labelled: bool) -> Examples[SourceTarget]:
    def parse(values: Values, line: int) -> list[SourceTarget] | str:
        turns = _turns(values.get(column))
        if turns is None:
            return f"column {column!r} holds no list of turns"
        if why := next((why for _, text in turns if (why := text_problem(text, column))), ""):
            return why
        said = [str(text) for _, text in turns]
        answers = [i for i, (answers, _) in enumerate(turns) if answers and i]
        found = [SourceTarget("\n".join(said[:i]), (said[i],) * labelled, records.file.name, line) for i in answers]
        if not labelled and turns and len(turns) - 1 not in answers:
            found.append(SourceTarget("\n".join(said), (), records.file.name, line))
        return found or "holds no turn that answers another"

    found, tally = gather(records, (column,), parse)
    examples = tuple(chain.from_iterable(found))
    description = f"{records.file.name}: {records}, dialogues in column {column!r}"
    require_examples(examples, tally, description, "dialogues")
    return Examples(examples, tally, f"{description}, {len(examples)} turns that answer")


def _turns(value: object) -> list[tuple[bool, object]] | None:
    """The turns of a dialogue, each with whether it answers; None if it is none.

    Where no turn says who speaks, every one answers the one before it.
    """
    if not isinstance(value, list):
        return None
    found = []
    for turn in value:
        if isinstance(turn, dict):
            role = next((turn[key] for key in ("role", "from", "speaker") if key in turn), None)
            text = next((turn[key] for key in ("content", "value", "text") if key in turn), None)
            found.append((str(role).lower() in ANSWERING, text))
        else:
            found.append((True, turn))
    return found


def _lines(value: object) -> object:
    """A list of texts as one text."""
    whole = isinstance(value, list) and value and all(isinstance(part, str) for part in value)
    return "\n".join(value) if whole and isinstance(value, list) else value


def _joined(given: object, about: object) -> object:
    """An instruction with what it is about on the next lines, where there is something."""
    if isinstance(given, str) and isinstance(about, str) and about.strip():
        return f"{given}\n{about}"
    return given


def _value(values: Values, column: str) -> object:
    """The value in a column, or in a field of a column of objects."""
    outer, _, inner = column.partition(".")
    holder = values.get(outer)
    return holder.get(inner) if column not in values and isinstance(holder, dict) else values.get(column)


def _fields(sample: Rows, columns: Sequence[str]) -> list[str]:
    """The columns, and the fields of those that hold objects."""
    objects = {name: next((row[name] for row in sample if isinstance(row.get(name), dict)), {}) for name in columns}
    return [*columns, *(f"{name}.{field}" for name, holder in objects.items() for field in dict(holder))]  # type: ignore[call-overload]


def _several(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _dialogue_column(records: RecordFile, sample: Rows, columns: Columns) -> str:
    """The column of dialogues, "" if there is none or the user named others."""
    if columns.label is not None:
        return ""
    there = [columns.text] if columns.text is not None else list(records.columns)
    known = [name for name in there if name.lower() in DIALOGUES or name == columns.text]
    return next((name for name in known if _are_dialogues([row.get(name) for row in sample])), "")


def _are_dialogues(values: Sequence[object]) -> bool:
    found = [turns for turns in map(_turns, values) if turns]
    return 2 * len(found) > len(values)


def _two_columns(records: RecordFile, sample: Rows, columns: Columns) -> tuple[str, str]:
    """The columns of sources and of targets; "" for one that is not found."""
    there, where = _fields(sample, records.columns), records.file.name
    source = named(columns.text, there, where) if columns.text is not None else ""
    target = named(columns.label, there, where) if columns.label is not None else ""
    if not source or not target:
        one, other = _known(there, source, target) or _longest(sample, source, target)
        source, target = source or one, target or other
    return source, target


def _known(columns: Sequence[str], source: str, target: str) -> tuple[str, str] | None:
    """Two columns with names that go together, or that are called after two languages."""
    lower = {name.lower(): name for name in reversed(columns)}
    pairs = [(lower[one], lower[other]) for one, other in KNOWN if one in lower and other in lower]
    languages = [name for name in columns if _LANGUAGE.fullmatch(name.rpartition(".")[2])]
    if len(languages) == 2:
        pairs.append((languages[0], languages[1]))
        pairs.append((languages[1], languages[0]))
    return next((pair for pair in pairs if source in ("", pair[0]) and target in ("", pair[1])), None)


def _longest(sample: Rows, source: str, target: str) -> tuple[str, str]:
    """The columns with the longest prose, in the order of the file; one that never changes says nothing."""
    varied = [name for name in columns_of(sample) if len({str(row.get(name)) for row in sample}) > 1]
    free: list[Values] = [
        {name: _lines(row.get(name)) for name in varied if name not in (source, target)} for row in sample
    ]
    found: list[str] = []
    while len(found) < 2 and (longest := text_column(free)):
        found.append(longest)
        free = [{name: value for name, value in row.items() if name != longest} for row in free]
    if source or target:
        return (source or "".join(found[:1]), target or "".join(found[:1]))
    found.sort(key=varied.index)
    one, other = [*found, "", ""][:2]
    return one, other
