"""How good answers to questions are: exact match and F1, as the scripts of SQuAD and of CMRC 2018 have them."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_CHINESE_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CHINESE_SEGMENT = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+(?:[.,][^\W\u4e00-\u9fa5]+)*|[^\w\s]")


def answer_scores(answer: str, right: Sequence[str], *, chinese: bool) -> tuple[float, float]:
    """Exact match, 0 or 1, and F1 in [0, 1]: the best over the right answers; without any, "" is right.

    English is compared in words, lower-case, without punctuation and articles (Rajpurkar et al. 2016, section 6.1).
    Chinese is compared in characters, and what two answers share is their longest common run (Cui et al. 2019);
    other scripts within it count by word.
    """
    if not right:
        return float(not answer), float(not answer)
    compare = _compare_chinese if chinese else _compare_words
    exact, f1 = zip(*(compare(answer, one) for one in right), strict=True)
    return max(exact), max(f1)


def _compare_words(answer: str, right: str) -> tuple[float, float]:
    said, wanted = _words(answer), _words(right)
    return float(said == wanted), _f1((Counter(said) & Counter(wanted)).total(), len(said), len(wanted))


def _compare_chinese(answer: str, right: str) -> tuple[float, float]:
    said, wanted = (text.lower().strip().translate(_CHINESE_PUNCTUATION) for text in (answer, right))
    one, other = _CHINESE_SEGMENT.findall(said), _CHINESE_SEGMENT.findall(wanted)
    shared = SequenceMatcher(None, one, other, autojunk=False).find_longest_match().size
    return float(said == wanted), _f1(shared, len(one), len(other))


def _words(text: str) -> list[str]:
    return _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _f1(shared: int, said: int, wanted: int) -> float:
    """Of answers of which nothing is left but articles and punctuation: whether both are."""
    return 2 * shared / (said + wanted) if said or wanted else 1.0
