"""Text as words: runs of letters and digits in small letters, and Chinese as a dictionary cuts it."""

import re
from collections.abc import Iterator

from selftaught.pretext.words import CJK_RANGES

_CJK = "".join(f"{chr(low)}-{chr(high)}" for low, high in CJK_RANGES)
_RUN = re.compile(rf"(?P<chinese>[{_CJK}]+)|[^\W_{_CJK}]+(?:['’][^\W\d_{_CJK}]+)*")


def words_of(text: str, *, characters: bool = False, cased: bool = False) -> Iterator[str]:
    """The words of a text in their order, without punctuation.

    Args:
        characters: whether each Chinese character is a word.
        cased: whether capital letters are kept.
    """
    for run in _RUN.finditer(text if cased else text.lower()):
        if run["chinese"] is None:
            yield run[0].replace("’", "'")
        elif characters:
            yield from run[0]
        else:
            import rjieba  # loads its dictionary on first use, so only those who meet Chinese pay for it

            yield from rjieba.cut(run[0], hmm=False)
