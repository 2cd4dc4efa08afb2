"""What a pretrained network must beat: word counts with logistic regression, and the most frequent class."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from selftaught.errors import SelftaughtError
from selftaught.metrics.logistic import fit_logistic

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
CJK_LETTER = re.compile(f"[{CJK}]")
MANY_WEIGHTS = 1_000_000  # beyond, terms of a single text go: they cost time and hardly any accuracy
WORD_PAIR = 0.7  # at 1, the many rare pairs drown the words: two points less where labels are few


def tfidf_logistic(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    test_texts: Sequence[str],
    *,
    chinese: bool,
    seed: int,
) -> list[str]:
    """Labels of the test texts by logistic regression on TF-IDF weights.

    The terms are words and pairs of words (Wang and Manning 2012, "Baselines and bigrams"), or characters and
    pairs of them in Chinese, where a pair is most often a word. Counts are sublinear, rows have length one.
    The classifier, and the choice of its C on these same labels, are those of a pretrained network's probe.

    Raises:
        SelftaughtError: no training text holds a single term.
    """
    train, test = _tfidf(train_texts, test_texts, chinese)
    classes, codes = np.unique(train_labels, return_inverse=True)
    if len(classes) * train.shape[1] > MANY_WEIGHTS:
        repeated = train.getnnz(axis=0) > 1
        train, test = train[:, repeated], test[:, repeated]
    weight, bias = fit_logistic(train, codes, seed)
    return [str(classes[code]) for code in (test @ weight + bias).argmax(axis=1)]


def _tfidf(train_texts: Sequence[str], test_texts: Sequence[str], chinese: bool) -> tuple[Any, Any]:
    """CSR matrices [N, D] and [M, D] of the terms of the training texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    terms = TfidfVectorizer(
        analyzer="char" if chinese else "word",
        ngram_range=(1, 2),
        token_pattern=None if chinese else r"\b\w+\b|[!?]",
        sublinear_tf=True,
        norm=None,
        dtype=np.float32,
    )
    try:
        train = terms.fit_transform(train_texts)
    except ValueError as error:
        raise SelftaughtError(
            "no labelled text holds a word", do="check that the text column is the right one"
        ) from error
    is_word_pair = [not chinese and " " in term for term in terms.get_feature_names_out()]
    importance = np.where(is_word_pair, WORD_PAIR, 1).astype(np.float32)
    return tuple(normalize(rows.multiply(importance).tocsr()) for rows in (train, terms.transform(test_texts)))


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
