"""Rules that tell prose from what the web is full of; each has a name, and drops a document for one reason.

Thresholds are those of Gopher (Rae et al. 2021, "Scaling Language Models", table A1), C4 (Raffel et al. 2020, section
2.2) and FineWeb (Penedo et al. 2024, section 3.6) where they have one. Two Chinese characters count as one word, and a
rule that has no meaning in Chinese is not applied to it. Gopher's upper limit of 100,000 words is left out: books have
more.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from selftaught.corpus.reading import Reading, word_hashes

Rule = Callable[[Reading], bool]
"""Whether a document is to be dropped."""

_BULLETS = ("•", "-", "*", "●", "·", "‣", "○")
_ELLIPSES = ("...", "…")
LINE_ENDS = tuple(".!?\"'”’。！？；…」』）)》:：;")
_STOP_WORDS = word_hashes("the be to of and that have with")
_CHINESE_STOP_WORDS = word_hashes(" ".join("的了是在和不有与之也为以而于其一"))
_PARAGRAPH = re.compile(r"\n\s*\n")
_LOREM = re.compile("lorem ipsum", re.IGNORECASE)
TOP_RUNS = ((2, 0.20), (3, 0.18), (4, 0.16))
REPEATED_RUNS = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))


def too_short(r: Reading) -> bool:
    return r.count < 50


def word_length(r: Reading) -> bool:
    return not r.unspaced and not 3 <= float(r.lengths[~r.solo].mean()) <= 10


def symbols(r: Reading) -> bool:
    ellipses = r.text.count("...") + r.text.count("…") / (2 if r.unspaced else 1)  # …… is one in Chinese
    return max(r.text.count("#"), ellipses) > 0.1 * r.count


def bullets(r: Reading) -> bool:
    return sum(line.startswith(_BULLETS) for line in r.lines) > 0.9 * len(r.lines)


def ellipses(r: Reading) -> bool:
    return sum(line.endswith(_ELLIPSES) for line in r.lines) > 0.3 * len(r.lines)


def letters(r: Reading) -> bool:
    """Fewer than 80 % of the words have a letter, or fewer than 60 % of what is no space is one."""
    is_letter = r.points > ord("9")
    if np.count_nonzero(np.maximum.reduceat(is_letter, r.words.starts[:-1])) < 0.8 * len(r.lengths):
        return True
    return int(np.count_nonzero(is_letter)) < 0.6 * sum(map(len, r.text.split()))


def stop_words(r: Reading) -> bool:
    known = _CHINESE_STOP_WORDS if r.unspaced else _STOP_WORDS
    return len(set(r.which(known).tolist())) < 2


def line_ends(r: Reading) -> bool:
    return sum(line.endswith(LINE_ENDS) for line in r.lines) < 0.12 * len(r.lines)


def short_lines(r: Reading) -> bool:
    return sum(len(line) <= (15 if r.unspaced else 30) for line in r.lines) > 0.67 * len(r.lines)


def list_like(r: Reading) -> bool:
    return len(r.lines) - 1 > 0.3 * r.count


def lorem_ipsum(r: Reading) -> bool:
    return _LOREM.search(r.text) is not None


def braces(r: Reading) -> bool:
    """One in a hundred words, where C4 drops a page for a single one: a book may have a misprint."""
    return r.text.count("{") > 0.01 * r.count


def repeated_lines(r: Reading) -> bool:
    return _repeated(r.lines, len(r.text))


def repeated_paragraphs(r: Reading) -> bool:
    return _repeated([part for part in _PARAGRAPH.split(r.text) if part.strip()], len(r.text))


def top_run(r: Reading) -> bool:
    """One run of two, three or four words makes up too much of it."""
    total, most = len(r.points), len(r.lengths)
    for words, share in TOP_RUNS:
        length = words * (2 if r.unspaced else 1)
        if len(r.lengths) < length or most * int(r.lengths.max()) * length <= share * total:
            continue  # not even the longest could, were it as frequent as the most frequent shorter one
        hashes = r.runs(length)
        ordered = np.sort(hashes)
        bounds = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1], [True])))
        counts = np.diff(bounds)
        most = int(counts.max())
        if most == 1:
            return False
        place = int(np.flatnonzero(hashes == ordered[bounds[counts.argmax()]])[0])
        if most * int(r.lengths[place : place + length].sum()) > share * total:
            return True
    return False


def repeated_runs(r: Reading) -> bool:
    """Too much of it lies in runs of five to ten words that occurred before."""
    for words, share in REPEATED_RUNS:
        covered = _covered(r, words * (2 if r.unspaced else 1))
        if covered > share:
            return True
        if covered <= REPEATED_RUNS[-1][1]:
            return False  # whatever a longer run covers, this one does
    return False


RULES: dict[str, Rule] = {
    "too short": too_short,
    "word length": word_length,
    "symbols": symbols,
    "bullets": bullets,
    "ellipses": ellipses,
    "letters": letters,
    "stop words": stop_words,
    "line ends": line_ends,
    "short lines": short_lines,
    "list": list_like,
    "lorem ipsum": lorem_ipsum,
    "braces": braces,
    "repeated lines": repeated_lines,
    "repeated paragraphs": repeated_paragraphs,
    "top run": top_run,
    "repeated runs": repeated_runs,
}


def broken_rule(reading: Reading, names: Sequence[str]) -> str:
    """The first of these rules that the document breaks; "" if it breaks none."""
    if not len(reading.lengths):
        return "too short"
    return next((name for name in names if RULES[name](reading)), "")


def _repeated(parts: list[str], characters: int) -> bool:
    """Whether 30 % of the parts, or parts with 20 % of the characters, repeat an earlier one."""
    again = {part: count - 1 for part, count in Counter(parts).items() if count > 1}
    lost = sum(len(part) * count for part, count in again.items())
    return sum(again.values()) > 0.3 * len(parts) or lost > 0.2 * characters


def _covered(r: Reading, length: int) -> float:
    """The share of the letters that lie in a run of so many words that occurred before."""
    hashes = r.runs(length)
    ordered = np.sort(hashes)
    if not np.any(ordered[1:] == ordered[:-1]):
        return 0.0
    order = np.argsort(hashes, kind="stable")
    later = order[1:][hashes[order][1:] == hashes[order][:-1]]
    change = np.zeros(len(r.lengths) + 1, np.int64)
    np.add.at(change, later, 1)
    np.add.at(change, later + length, -1)
    return float(r.lengths[np.cumsum(change[:-1]) > 0].sum()) / len(r.points)
