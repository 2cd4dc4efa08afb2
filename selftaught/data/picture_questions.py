"""Questions about pictures or clips, and what keeps one from being asked."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from selftaught.data.files import printable
from selftaught.data.sights import SUFFIXES, SightProblem, load_sight
from selftaught.data.values import text_problem
from selftaught.errors import SelftaughtError

_SMALL = 8  # pixels a side: enough to see that a picture is whole
_DECODERS = 4  # threads; Pillow decodes without Python's lock


@dataclass(frozen=True)
class PictureQuestion:
    """A question about a picture, or a clip.

    Args:
        picture: its path.
        answers: what people answered, each as often as it was given; none for a question that is only asked.
        shots: questions about other pictures with their answers, which are told before it.
    """

    picture: str
    question: str
    answers: tuple[str, ...]
    file: str
    line: int
    shots: "tuple[PictureQuestion, ...]" = ()

    @property
    def inputs(self) -> dict[str, str]:
        return {"picture": self.picture, "question": self.question}


def answer_texts(value: object) -> tuple[str, ...] | str:
    """Answers as files have them, or why they are none: a text, a number, or a list of those or of objects."""
    given = value if isinstance(value, list) else [value]
    found = []
    for one in given:
        text = one.get("answer") if isinstance(one, dict) else one
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = str(text)
        if why := text_problem(text, "answer"):
            return why
        found.append(" ".join(str(text).split()))
    return tuple(found) or "has no answer"


def picture_problems(places: Sequence[str]) -> dict[str, str]:
    """What is wrong with each picture that cannot be read to its end, by its path."""
    distinct = list(dict.fromkeys(places))
    with ThreadPoolExecutor(_DECODERS) as pool:
        return {place: why for place, why in zip(distinct, pool.map(_problem, distinct), strict=True) if why}


def _problem(place: str) -> str:
    try:
        load_sight(place, _SMALL, 2)
    except SightProblem as problem:
        return f"the picture {printable(place)!r} {problem}"
    return ""


def is_picture_path(text: str) -> bool:
    """Whether this looks like the name of a picture."""
    return text.lower().endswith(SUFFIXES)


def questions_about(texts: Sequence[str]) -> list[PictureQuestion]:
    """Pictures, each with the questions that follow it.

    Raises:
        SelftaughtError: a picture has no question, a question no picture, or a picture cannot be read.
    """
    problems = picture_problems([text for text in texts if is_picture_path(text)])
    found, picture, asked = [], "", True
    for text in texts:
        if is_picture_path(text):
            if not asked:
                break
            if text in problems:
                raise SelftaughtError(problems[text], do="give another picture")
            picture, asked = text, False
        elif not picture:
            raise SelftaughtError(f"{text[:60]!r} is asked about no picture", do="give the picture before its question")
        else:
            found.append(PictureQuestion(picture, text, (), "", 0))
            asked = True
    if not asked:
        raise SelftaughtError(
            f"nothing is asked about {picture!r}", do="put the question, in quotes, after its picture"
        )
    return found
