"""What a network that writes must beat: the source itself, its first sentence, and what was written for the nearest."""

from collections.abc import Sequence

import numpy as np

from selftaught.metrics.baselines import is_chinese, tfidf
from selftaught.pretext.sentences import sentence_starts

COPY, LEAD, NEAREST = "the source itself", "its first sentence", "target of the nearest source"


def first_sentence(text: str) -> str:
    """The first sentence of a text: the lead, which is hard to beat as a summary of news (Nenkova 2005)."""
    starts = [*sentence_starts(text)[1:2], len(text)]
    return text[: starts[0]].strip()


def nearest_targets(sources: Sequence[str], targets: Sequence[str], asked: Sequence[str]) -> list[str]:
    """For each text asked, the target of the source that is nearest to it by the cosine of their TF-IDF weights.

    The memory of a translator. Of equally near ones it is the first.
    """
    known, new = tfidf(sources, asked, is_chinese([*asked, *sources]))
    return [targets[row] for row in np.asarray((new @ known.T).argmax(axis=1)).ravel()]
