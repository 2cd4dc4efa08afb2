"""What a pretrained network must beat: word counts with logistic regression, and the most frequent class."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from selftaught.errors import SelftaughtError
from selftaught.metrics.logistic import fit_logistic

TFIDF, MAJORITY = "TF-IDF + logistic regression", "majority class"  # the names that a verdict shows
BALANCED, COMMON = "TF-IDF + balanced logistic regression", "most frequent labels"
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
    train, test = tfidf(train_texts, test_texts, chinese)
    return logistic_labels(train, train_labels, test, seed)


def logistic_labels(train: Any, train_labels: Sequence[str], test: Any, seed: int) -> list[str]:
    """Labels of test rows (CSR [M, D]) by logistic regression on labelled training rows (CSR [N, D])."""
    classes, codes = np.unique(train_labels, return_inverse=True)
    return [str(classes[code]) for code in _logits(train, codes, test, seed).argmax(axis=1)]


def tfidf_several(
    train_texts: Sequence[str],
    train_labels: Sequence[Collection[str]],
    test_texts: Sequence[str],
    *,
    chinese: bool,
    seed: int,
) -> dict[str, list[list[str]]]:
    """The labels of each test text, any number of them: one logistic regression a label, on TF-IDF weights.

    Two methods by name: one says a label where it is likelier than not, the other where it is likelier than it
    commonly is, which finds more of the rare ones. A label that every training text has is given to all.
    """
    train, test = tfidf(train_texts, test_texts, chinese)
    likely: list[list[str]] = [[] for _ in test_texts]
    telling: list[list[str]] = [[] for _ in test_texts]
    for name in sorted({name for names in train_labels for name in names}):
        has = np.array([int(name in names) for names in train_labels])
        if has.all():
            margin, usual = np.ones(len(test_texts)), 0.0
        else:
            logits = _logits(train, has, test, seed)  # fitted with as much weight on those that have it as on the rest
            margin, usual = logits[:, 1] - logits[:, 0], math.log((1 - has.mean()) / has.mean())
        for found, threshold in ((likely, usual), (telling, 0.0)):
            for row in np.flatnonzero(margin > threshold):
                found[row].append(name)
    return {TFIDF: likely, BALANCED: telling}


def _logits(train: Any, codes: np.ndarray, test: Any, seed: int) -> np.ndarray:
    """[M, K] of the test rows, from training rows and the code of the class of each."""
    if (codes.max() + 1) * train.shape[1] > MANY_WEIGHTS:
        repeated = train.getnnz(axis=0) > 1
        train, test = train[:, repeated], test[:, repeated]
    weight, bias = fit_logistic(train, codes, seed)
    return np.asarray(test @ weight + bias)


def tfidf(train_texts: Sequence[str], test_texts: Sequence[str], chinese: bool) -> tuple[Any, Any]:
    """CSR matrices [N, D] and [M, D] of the terms of the training texts, the rows of length one.

    Raises:
        SelftaughtError: no training text holds a single term.
    """
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


def most_frequent_labels(train_labels: Sequence[Collection[str]], n: int) -> list[list[str]]:
    """The labels that more than half of the rows have, or else the most frequent one, n times."""
    counts = Counter(name for names in train_labels for name in names)
    common = sorted(name for name in counts if 2 * counts[name] > len(train_labels))
    return [common or (majority(list(counts.elements()), 1) if counts else [])] * n


def is_chinese(texts: Iterable[str], sample: int = 1000) -> bool:
    """Whether at least 30 % of the letters in the first `sample` texts are CJK ideographs.

    A Chinese character says as much as several Latin letters, so mixed texts count as Chinese early.
    """
    cjk = letters = 0
    for text in islice(texts, sample):
        cjk += len(CJK_LETTER.findall(text))
        letters += sum(map(str.isalpha, text))
    return letters > 0 and cjk >= 0.3 * letters
