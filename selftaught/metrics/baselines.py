"""What a pretrained network must beat: word counts with logistic regression, and the most frequent class."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from selftaught.errors import SelftaughtError
from selftaught.metrics.logistic import fit_logistic

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
CJK_LETTER = re.compile(f"[{CJK}]")
MANY_TEXTS = 2000  # from here on a term seen once only slows the fit; below, it helps by one to three points


def tfidf_logistic(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    test_texts: Sequence[str],
    *,
    chinese: bool,
    seed: int,
) -> list[str]:
    """Labels of the test texts by logistic regression on TF-IDF weights.

    The terms are words and pairs of words, or one to three characters in Chinese, with sublinear counts
    (Wang and Manning 2012, "Baselines and bigrams"). The classifier, and the choice of its C on these same
    labels, is the one that the probe of a pretrained network uses.

    Raises:
        SelftaughtError: no training text holds a single term.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    terms = TfidfVectorizer(
        analyzer="char" if chinese else "word",
        ngram_range=(1, 3) if chinese else (1, 2),
        token_pattern=None if chinese else r"(?u)\b\w+\b|[!?]",
        sublinear_tf=True,
        dtype=np.float32,
        min_df=1 if len(train_texts) < MANY_TEXTS else 2,
    )
    try:
        train = terms.fit_transform(train_texts)
    except ValueError as error:
        raise SelftaughtError(
            "no labelled text holds a word", do="check that the text column is the right one"
        ) from error
    classes, codes = np.unique(train_labels, return_inverse=True)
    weight, bias = fit_logistic(train, codes, seed)
    guesses = (terms.transform(test_texts) @ weight + bias).argmax(axis=1)
    return [str(classes[code]) for code in guesses]


def majority(train_labels: Sequence[str], n: int) -> list[str]:
    """The most frequent label, n times; of equally frequent ones the alphabetically first."""
    counts = Counter(train_labels)
    return [min(counts, key=lambda label: (-counts[label], label))] * n


def is_chinese(texts: Iterable[str], sample: int = 1000) -> bool:
    """Whether at least 30 % of the letters in the first `sample` texts are CJK ideographs.

    A Chinese character says as much as several Latin letters, so mixed texts count as Chinese early.
    """
    cjk = letters = 0
    for text in islice(texts, sample):
        cjk += len(CJK_LETTER.findall(text))
        letters += sum(map(str.isalpha, text))
    return letters > 0 and cjk >= 0.3 * letters
