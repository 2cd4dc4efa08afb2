"""Similarity of words: do cosines rank pairs of words as people do? (Finkelstein et al. 2002, "WordSim-353").

The file is a table of two columns of words and one of scores. A pair is covered if both words are known.
"""

from typing import Any

import numpy as np

from selftaught.data.examples import Columns
from selftaught.data.text_pairs import read_scored
from selftaught.errors import SelftaughtError
from selftaught.metrics.interval import correlation_interval
from selftaught.metrics.scores import correlation_scores
from selftaught.word2vec.model import WordModel

_FEWEST = 3  # pairs; of fewer there is no correlation to speak of


def run(model: WordModel, data: str, rows: int | None, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Compare the cosines of the pairs in ``data`` with their scores.

    Args:
        rows: the first so many.

    Raises:
        SelftaughtError: if there are no scored pairs of words, or hardly any is covered.
    """
    found = read_scored(data, Columns())
    pairs = found.examples[:rows]
    if any(len(pair.texts) != 2 for pair in pairs):
        raise SelftaughtError(
            "this file has one column of text, not two of words", where=data, do="see docs/word2vec.md"
        )
    numbers, cased = model.vocabulary.numbers, model.objective.cased
    words = np.array([[numbers.get(_given(word, cased), -1) for word in pair.texts] for pair in pairs])
    covered = np.all(words >= 0, axis=1)
    if covered.sum() < _FEWEST:
        raise SelftaughtError(
            f"of {len(pairs)} pairs of words {covered.sum()} are known",
            where=data,
            do="train on more text of this language",
        )
    one, other = model.units[words[covered, 0]], model.units[words[covered, 1]]
    truth = [pair.score for pair, there in zip(pairs, covered.tolist(), strict=True) if there]
    scores = correlation_scores(truth, (one * other).sum(1).tolist())
    interval = correlation_interval(scores["spearman"], len(truth))
    report = {
        "verb": "evaluate",
        "suite": "similarity",
        "data": data,
        **scores,
        "low": interval.low,
        "high": interval.high,
        "pairs": len(pairs),
        "covered": len(truth),
        "coverage": len(truth) / len(pairs),
        "rows": found.tally.to_json(),
        "notes": [],
    }
    return report, [
        f"rows        {found.tally.summary()}",
        f"covered     {len(truth)} of {len(pairs)} pairs, both of whose words are known",
        f"spearman    {scores['spearman']:.4f} (95 % interval {interval.low:.3f} to {interval.high:.3f})",
        f"pearson     {scores['pearson']:.4f}",
    ]


def _given(word: str, cased: bool) -> str:
    return word.strip() if cased else word.strip().lower()
