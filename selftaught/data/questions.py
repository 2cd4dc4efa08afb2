"""Questions about texts, answered by a passage of the text, and what keeps one from being learned from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from selftaught.data.values import text_problem
from selftaught.errors import SelftaughtError

Given = Sequence[tuple[object, object]]
"""Answers as a file gives them: the text, and where it begins in the context (None if the file does not say)."""

_SHOWN = 40  # characters of an answer in a message


@dataclass(frozen=True)
class Question:
    """A question, and the text that is searched for the answer.

    Args:
        answers: all that counts as right; none if the context does not answer.
        begin, end: the answer that is learned, ``context[begin:end]``; both 0 if there is none.
    """

    question: str
    context: str
    answers: tuple[str, ...]
    begin: int
    end: int
    file: str
    line: int

    @property
    def inputs(self) -> dict[str, str]:
        return {"question": self.question, "context": self.context}


def unanswered(question: object, context: object, file: str, line: int) -> Question | str:
    """A question without its answer, or why it is none."""
    why = text_problem(question, "question") or text_problem(context, "context")
    return why or Question(str(question), str(context), (), 0, 0, file, line)


def answered(asked: Question, answers: object, *, start: object = None, impossible: object = None) -> Question | str:
    """The question with its answers, or why they are none.

    The first answer that stands where the file says is learned from; one without a place is looked up. Others need
    not be in the context: they count as right, as in the scripts of SQuAD and CMRC.

    Args:
        answers: as :func:`given_answers` reads them.
        start: where the answer begins, if that is told apart from it.
        impossible: whether the file says that the context has no answer; None where it does not say.
    """
    given = given_answers(answers, start)
    if isinstance(given, str):
        return given
    if impossible and given:
        return "is marked impossible and has an answer"
    if not given:
        return asked if impossible or impossible is None else "has no answer and is not marked impossible"
    if why := next((why for text, _ in given if (why := text_problem(text, "answers"))), ""):
        return why
    placed = [(str(text), _place(asked.context, str(text), begin)) for text, begin in given]
    first = next(((text, place) for text, place in placed if isinstance(place, int)), None)
    if first is None:
        return str(placed[0][1])
    text, place = first
    begin = place + len(text) - len(text.lstrip())
    right = tuple(dict.fromkeys(text for text, _ in placed))
    return replace(asked, answers=right, begin=begin, end=begin + len(text.strip()))


def given_answers(value: object, start: object = None) -> Given | str:
    """The answers in any of their habits, or why they are none.

    They are one text, a list of texts or of objects with ``text`` and ``answer_start``, or one object with a list of
    each; in a table the list or the object is JSON.
    """
    if isinstance(value, str):
        inner = _json(value)
        return [(value, start)] if inner is None else given_answers(inner)
    if isinstance(value, dict):
        texts, starts = _listed(value.get("text")), _listed(value.get("answer_start"))
        if starts and len(starts) != len(texts):
            return f"has {len(texts)} answers and {len(starts)} places for them"
        return list(zip(texts, starts or [None] * len(texts), strict=True))
    if isinstance(value, list):
        pairs = [(one.get("text"), one.get("answer_start")) if isinstance(one, dict) else (one, None) for one in value]
        return [(pairs[0][0], start)] if len(pairs) == 1 and start is not None else pairs
    return "has no answers" if value is None else f"has {value!r} in the place of answers"


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _json(text: str) -> object:
    """The list or the object that a text is, None if it is neither."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) or (isinstance(found, dict) and "text" in found) else None


def _place(context: str, text: str, start: object) -> int | str:
    """Where the answer stands in the context, or that it does not."""
    shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
    found = context.find(text)
    if isinstance(start, str) and (not start.strip() or start.strip().isdecimal()):  # as a table has it
        start = int(start) if start.strip() else None
    if start is None:
        return found if found >= 0 else f"the answer {shown} is not in its context"
    if not isinstance(start, int) or isinstance(start, bool):
        return f"the answer {shown} begins at {start!r}, which is no whole number"
    if start >= 0 and context.startswith(text, start):
        return start
    elsewhere = f"but at {found}" if found >= 0 else "nor anywhere else in it"
    return f"the answer {shown} does not stand at character {start} of its context, {elsewhere}"


def questions_in_twos(texts: Sequence[str]) -> list[Question]:
    """A question and its context, and so on.

    Raises:
        SelftaughtError: the last question has no context.
    """
    if len(texts) % 2:
        raise SelftaughtError(
            f"{len(texts)} texts are no questions with a context each",
            do="give each question and then the text that answers it, both in quotes",
        )
    return [Question(*pair, (), 0, 0, "", 0) for pair in zip(texts[::2], texts[1::2], strict=True)]
