"""English, Chinese, or neither: told by script and function words.

Only two languages are to be told from all others, and both betray themselves: Chinese by Han characters without kana,
English by the words that every English sentence is held together with. A classifier of a hundred languages would have
to be downloaded or brings megabytes of model to answer this question no better on whole documents.
"""

import numpy as np

from selftaught.corpus.reading import Reading, word_hashes

LANGUAGES = ("en", "zh")
SHORT = 20  # words: fewer need not have function words, the script decides
ENGLISH_SHARE = 0.08  # function words among all: English prose has 0.2 to 0.4
ASCII_SHARE = 0.9
KANA_SHARE = 0.05
FUNCTION_WORDS = """
the of and to that with for was his this you not from but have had they which were been it is by are their there would
him her she he what when who will if them than its could should about into only our your my we
"""  # none that another large language writes often: no a, in, on, as, an, so, me, no, do, be, or, at, us
_HASHES = word_hashes(FUNCTION_WORDS)


def language(reading: Reading) -> str:
    """``"en"``, ``"zh"`` or ``"other"``."""
    points = reading.points
    letters = int(np.count_nonzero(points > ord("9")))  # folded: no other digits come before
    han = _within(points, (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
    kana = _within(points, (0x3040, 0x30FF), (0x31F0, 0x31FF))
    if not letters:
        return "other"
    if 3 * han >= letters:  # a Han character stands for two or three letters
        return "zh" if kana < KANA_SHARE * (han + kana) else "other"
    if _within(points, (ord("a"), ord("z"))) < ASCII_SHARE * letters:
        return "other"
    if len(reading.hashes) < SHORT:
        return "en"
    return "en" if function_share(reading, _HASHES) >= ENGLISH_SHARE else "other"


def function_share(reading: Reading, hashes: np.ndarray) -> float:
    """The share of the words that are one of these."""
    return len(reading.which(hashes)) / len(reading.hashes)


def _within(points: np.ndarray, *ranges: tuple[int, int]) -> int:
    return sum(int(np.count_nonzero((points >= low) & (points <= high))) for low, high in ranges)
