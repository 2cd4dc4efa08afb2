"""Questions of the form "man is to king as woman is to what?": four words a line, headings begin with a colon.

That is the form of questions-words.txt (Mikolov et al. 2013a, section 4.1) and of CA8 (Li et al. 2018).
"""

from dataclasses import dataclass
from pathlib import Path

from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError

_SHOWN = 3


@dataclass(frozen=True)
class Analogy:
    """The first word is to the second as the third is to the fourth, which is asked for."""

    words: tuple[str, str, str, str]
    section: str


@dataclass(frozen=True)
class Analogies:
    """Questions in the order of the files; ``tally`` names the lines that are none."""

    questions: tuple[Analogy, ...]
    tally: Tally


def read_analogies(path: str | Path) -> Analogies:
    """The questions in a text file, or in the files of a folder.

    Raises:
        SelftaughtError: if there is nothing there, or not one question.
    """
    source, read, tally = open_text(path), Tally(), Tally()
    found: list[Analogy] = []
    section, document = "", -1
    for row in source.rows(read):
        if row.document != document:
            section, document = Path(row.file).stem, row.document
        words = row.text.split()
        if words and words[0].startswith(":"):
            section = " ".join(words).lstrip(": ") or section
        elif len(words) == 4:
            tally.keep()
            found.append(Analogy((words[0], words[1], words[2], words[3]), section))
        elif words:
            tally.quarantine(row.file, row.line, f"holds {len(words)} words, not 4")
    tally.take_over(read)
    if not found:
        why = "; ".join(tally.named(_SHOWN))
        raise SelftaughtError(
            "there are no analogies here" + (f" ({why})" if why else ""),
            where=str(path),
            do='give a file with lines such as "man king woman queen", four words each',
        )
    return Analogies(tuple(found), tally)
