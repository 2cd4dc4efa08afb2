"""Questions about pictures from whatever file they stand in.

VQA v2's pair of JSON files, easy-VQA's list of [question, answer, picture], or records with columns.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from selftaught.data.columns import named
from selftaught.data.encoding import in_lines
from selftaught.data.examples import Columns, Examples
from selftaught.data.files import DataFile, find_files, printable
from selftaught.data.gather import open_table, require_columns, require_examples
from selftaught.data.picture_questions import PictureQuestion, answer_texts, picture_problems
from selftaught.data.sights import SUFFIXES
from selftaught.data.sniff import text_encoding
from selftaught.data.streams import Damaged, read_chunks
from selftaught.data.tally import Tally
from selftaught.data.values import text_problem
from selftaught.errors import SelftaughtError

_PICTURE = ("image", "picture", "img", "image_path", "file_name", "filename", "path", "video", "clip", "图片")
_QUESTION = ("question", "query", "q", "text", "问题")
_ANSWER = ("answers", "answer", "label", "a", "答案")
_NUMBER = re.compile(r"(\d+)$")


class _Row(NamedTuple):
    """A row of a file before it is looked at: ``picture`` is a path, or says as ``why`` what is wrong with the row."""

    line: int
    picture: str
    question: object
    answers: object
    why: str = ""


def read_picture_questions(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[PictureQuestion]:
    """Reads questions about pictures; how the file is written is detected. In a JSON list an entry counts as a line.

    Paths are from the folder of the file on. Where a file names pictures by number, they are looked for below its
    folder, by the number that their names end with.

    Args:
        columns: of records, those of the question (``text``), the picture (``second``) and the answer (``label``).
        labelled: false to read pictures and questions alone, whatever else there is.

    Raises:
        SelftaughtError: there is nothing to read, or a column is not found.
    """
    file = _questions_file(Path(path), str(path))
    content = _json(file) if file.kind == "json" else None
    if isinstance(content, list) and content and isinstance(content[0], list):
        rows, description = _of_list(content, file), "easy-VQA's list"
    elif isinstance(content, dict) and "questions" in content:
        rows, description = _of_vqa(content, file, labelled), "VQA's JSON"
    else:
        rows, description = _of_records(file, columns, labelled)
    found, tally = _gathered(list(rows), file.name, labelled)
    require_examples(found, tally, f"{file.name}: {description}", "questions about pictures")
    pictures = len({one.picture for one in found})
    return Examples(found, tally, f"{file.name}: {description}, {len(found):,} questions about {pictures:,} pictures")


def _gathered(rows: list[_Row], file: str, labelled: bool) -> tuple[tuple[PictureQuestion, ...], Tally]:
    problems = picture_problems([row.picture for row in rows if not row.why])
    found, tally = [], Tally()
    for line, picture, question, answers, why in rows:
        said = answer_texts(answers) if labelled else ()
        why = why or text_problem(question, "question") or (said if isinstance(said, str) else "")
        why = why or problems.get(picture, "")
        if why or isinstance(said, str):
            tally.quarantine(file, line, why)
        else:
            tally.keep()
            found.append(PictureQuestion(picture, " ".join(str(question).split()), said, file, line))
    return tuple(found), tally


def _questions_file(path: Path, name: str) -> DataFile:
    """The file; in a folder the one whose name says that it holds questions."""
    found = find_files(path, name).files
    if path.is_dir():
        some = [file for file in found if "question" in file.path.name.lower()] or list(found)
        if len(some) != 1:
            raise SelftaughtError(
                f"{printable(name)!r} holds {len(some)} files that may be the questions", do="name the file"
            )
        return some[0]
    return found[0]


def _json(file: DataFile) -> Any:
    """All of a JSON file; None if it is JSON lines or no JSON, of which the reader of records says more."""
    try:
        encoding = text_encoding(file)
        text = b"".join(in_lines(read_chunks(file), encoding)).decode(encoding.line_codec, "surrogateescape")
        return json.loads(text, strict=False)
    except (Damaged, ValueError, RecursionError):
        return None


def _of_list(content: list[Any], file: DataFile) -> Iterator[_Row]:
    """``[question, answer, picture's number]``, as easy-VQA has them."""
    pictures = _Pictures(file.path.parent)
    for line, entry in enumerate(content, 1):
        if not isinstance(entry, list) or len(entry) != 3:
            yield _Row(line, "", None, None, "is not [question, answer, picture]")
        else:
            question, answer, number = entry
            yield pictures.row(line, number, question, answer)


def _of_vqa(content: dict[str, Any], file: DataFile, labelled: bool) -> Iterator[_Row]:
    """The questions of a file of VQA, and their annotations from the file beside (Goyal et al. 2017, "VQA v2")."""
    pictures = _Pictures(file.path.parent, str(content.get("data_subtype") or ""))
    questions = content["questions"] if isinstance(content["questions"], list) else []
    answers = (
        _annotations(file, {one.get("question_id") for one in questions if isinstance(one, dict)}) if labelled else {}
    )
    for line, entry in enumerate(questions, 1):
        if not isinstance(entry, dict):
            yield _Row(line, "", None, None, "is no object")
        elif labelled and entry.get("question_id") not in answers:
            yield _Row(line, "", None, None, f"question {entry.get('question_id')!r} has no annotation")
        else:
            yield pictures.row(
                line, entry.get("image_id"), entry.get("question"), answers.get(entry.get("question_id"))
            )


def _annotations(file: DataFile, wanted: set[Any]) -> dict[Any, Any]:
    """The answers to questions by their id, from a file of annotations in the same folder."""
    for other in sorted(file.path.parent.glob("*.json")):
        if other == file.path or "annotation" not in other.name.lower():
            continue
        content = _json(find_files(other, str(other)).files[0])
        entries = content.get("annotations") if isinstance(content, dict) else None
        found = {one.get("question_id"): one for one in entries or () if isinstance(one, dict)}
        if wanted & found.keys():
            return {key: one.get("answers") or one.get("multiple_choice_answer") for key, one in found.items()}
    raise SelftaughtError(
        "no annotations belong to these questions",
        where=file.name,
        do="put the file of annotations, such as v2_mscoco_train2014_annotations.json, beside the questions",
    )


class _Pictures:
    """The pictures of a folder by the numbers, or the names, that files know them by.

    They lie in the subfolder ``images`` if there is one, or in the one called ``part``, such as ``train2014``; else
    anywhere below.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        self.folder = next((folder / name for name in ("images", part) if name and (folder / name).is_dir()), folder)
        self.known: dict[str, list[str]] = {}
        for place in sorted(place for place in self.folder.rglob("*") if place.suffix.lower() in SUFFIXES):
            number = _NUMBER.search(place.stem)
            for name in {place.stem, place.name, *([str(int(number[1]))] if number else [])}:
                self.known.setdefault(name, []).append(str(place))

    def row(self, line: int, number: object, question: object, answers: object) -> _Row:
        found = self.known.get(str(number), [])
        if len(found) == 1:
            return _Row(line, found[0], question, answers)
        there = f"{len(found)} pictures are" if found else "there is no picture"
        why = f"{there} called {number!r} in {printable(str(self.folder))!r}"
        return _Row(line, "", question, answers, why)


def _of_records(file: DataFile, columns: Columns, labelled: bool) -> tuple[Iterator[_Row], str]:
    records, _ = open_table(file.path)
    there, where = records.columns, records.file.name

    def column(given: str | None, known: tuple[str, ...]) -> str:
        lower = {name.lower(): name for name in reversed(there)}
        return named(given, there, where) if given is not None else next((lower[k] for k in known if k in lower), "")

    question, picture = column(columns.text, _QUESTION), column(columns.second, _PICTURE)
    answer = column(columns.label, _ANSWER) if labelled else ""
    if not picture:
        raise SelftaughtError(
            f"no column names pictures; the columns are {', '.join(there) or 'none'}",
            where=where,
            do="name the column of paths with --second",
        )
    require_columns(records, text=question, **({"label": answer} if labelled else {}))

    def rows() -> Iterator[_Row]:
        for record in records.records(*filter(None, (question, picture, answer))):
            given, said = record.values.get(picture), record.values.get(answer)
            if isinstance(said, str) and said.startswith("["):
                said = _listed(said)
            why = record.why or text_problem(given, picture)
            place = "" if why else str(file.path.parent / str(given).strip())
            yield _Row(record.line, place, record.values.get(question), said, why)

    shown = f"pictures in {picture!r}, questions in {question!r}" + (f", answers in {answer!r}" if labelled else "")
    return rows(), f"{records}, {shown}"


def _listed(text: str) -> object:
    """A list that a table holds as JSON; the text itself if it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, list) else text
