"""Questions with their contexts from whatever file they stand in: SQuAD's JSON, token spans, records with columns."""

import os
from pathlib import Path

from selftaught.data.columns import named
from selftaught.data.examples import Columns, Examples
from selftaught.data.files import find_files
from selftaught.data.gather import gather, open_table, require_columns, require_examples
from selftaught.data.questions import Question, answered, unanswered
from selftaught.data.span_files import find_spans, read_spans
from selftaught.data.squad import is_squad, read_squad
from selftaught.data.streams import Damaged
from selftaught.data.tabular import Values
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError

_QUESTION = ("question", "query", "q", "question_text", "query_text", "问题")
_CONTEXT = (
    "context", "passage", "paragraph", "document", "article", "context_text", "text", "content", "上下文", "文章",
)  # fmt: skip
_ANSWERS = ("answers", "answer", "answer_text", "label", "答案")

Read = tuple[tuple[Question, ...], Tally, str]


def read_questions(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[Question]:
    """Reads questions; how the file is written is detected.

    Args:
        columns: of records, those of the question (``text``), the context (``second``) and the answers (``label``).
        labelled: false to read questions and contexts alone, whatever else there is.

    Raises:
        SelftaughtError: there is nothing to read, or a column is not found.
    """
    found, tally, description = _nested(Path(path), columns, labelled) or _records(path, columns, labelled)
    require_examples(found, tally, description)
    return Examples(found, tally, f"{description}, {_told(found, labelled)}")


def _nested(path: Path, columns: Columns, labelled: bool) -> Read | None:
    """What stands in files without columns; None if this is another kind of file."""
    sets = find_spans(path)
    if len(sets) > 1:
        names = ", ".join(one.name for one in sets[:5])
        raise SelftaughtError(f"there are {len(sets)} sets of questions in it: {names}", where=str(path), do="name one")
    if sets:
        _refuse(columns, str(path))
        return read_spans(sets[0], labelled=labelled)
    if not os.path.isfile(path):
        return None
    file = find_files(path, str(path)).files[0]
    try:
        if not is_squad(file):
            return None
    except Damaged:  # which the reader of records explains
        return None
    _refuse(columns, str(path))
    return read_squad(file, labelled=labelled)


def _refuse(columns: Columns, where: str) -> None:
    if column := columns.text or columns.second or columns.label:
        raise SelftaughtError(f"a column {column!r} was asked for, but this file has no columns", where=where)


def _records(path: str | Path, columns: Columns, labelled: bool) -> Read:
    records, _ = open_table(path)
    there, where = records.columns, records.file.name

    def column(given: str | None, known: tuple[str, ...]) -> str:
        lower = {name.lower(): name for name in reversed(there)}
        return named(given, there, where) if given is not None else next((lower[k] for k in known if k in lower), "")

    question, context = column(columns.text, _QUESTION), column(columns.second, _CONTEXT)
    roles = {"text": question, "second": context}
    if labelled:
        roles["label"] = answers = column(columns.label, _ANSWERS)
    require_columns(records, **roles)

    def parse(values: Values, line: int) -> Question | str:
        asked = unanswered(values.get(question), values.get(context), where, line)
        if isinstance(asked, str) or not labelled:
            return asked
        impossible = values.get("is_impossible")
        return answered(asked, values.get(answers), start=values.get("answer_start"), impossible=impossible)

    found, tally = gather(records, tuple(roles.values()), parse)
    shown = f"question in column {question!r}, context in {context!r}" + (
        f", answers in {answers!r}" if labelled else ""
    )
    return found, tally, f"{where}: {records}, {shown}"


def _told(found: tuple[Question, ...], labelled: bool) -> str:
    """How many questions and contexts there are, and what one should know of the answers."""
    told = f"{len(found)} questions about {len({one.context for one in found})} contexts"
    if not labelled:
        return told
    without = sum(not one.answers for one in found)
    elsewhere = sum(any(answer not in one.context for answer in one.answers) for one in found)
    if without:
        told += f", {without} of them without an answer"
    if elsewhere:
        told += f"; {elsewhere} have a further answer that is not in the context: it counts as right, and no more"
    return told
