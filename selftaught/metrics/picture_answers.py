"""How good answers to questions about pictures are, and answers that need no training."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from selftaught.data.picture_questions import PictureQuestion
from selftaught.data.sights import load_sight
from selftaught.metrics.answers import answer_scores
from selftaught.metrics.baselines import is_chinese

MAJORITY = "commonest answer"
FOR_QUESTION = "commonest answer to the question"
NEAREST = "answer about the picture most like it"
_SIDE = 8  # pixels: likeness is told from so small a picture
_ENOUGH = 3  # people who agree: their answer is fully right


def agreement(said: str, answers: Sequence[str]) -> float:
    """How far people agree with what is said, from 0 to 1.

    Of three or more people it is VQA's accuracy: the mean, over leaving each of them out, of the share of three that
    say the same, at most 1 (Antol et al. 2015, section 4). Of fewer it is 1 if one of them says the same. Case,
    punctuation and articles do not matter.
    """
    chinese = is_chinese(answers)
    same = np.array([answer_scores(said, [answer], chinese=chinese)[0] for answer in answers])
    if len(same) < _ENOUGH:
        return float(same.max())
    return float(np.minimum((same.sum() - same) / _ENOUGH, 1).mean())


def commonest(train: Sequence[PictureQuestion], test: Sequence[PictureQuestion]) -> list[str]:
    """The commonest answer of all."""
    return [_commonest(train)] * len(test)


def commonest_for_question(train: Sequence[PictureQuestion], test: Sequence[PictureQuestion]) -> list[str]:
    """The commonest answer to the same question, word for word; of all, where it was never asked."""
    known, otherwise = _by_question(train), _commonest(train)
    said = {question: _commonest(some) for question, some in known.items()}
    return [said.get(_folded(example), otherwise) for example in test]


def of_nearest_picture(train: Sequence[PictureQuestion], test: Sequence[PictureQuestion]) -> list[str]:
    """The answer to the same question about the picture whose pixels are nearest; as above where it was never asked."""
    known, otherwise = _by_question(train), _commonest(train)
    small = _small([*train, *test])
    found = []
    for example in test:
        some = known.get(_folded(example), [])
        if not some:
            found.append(otherwise)
            continue
        distances = [float(((small[one.picture] - small[example.picture]) ** 2).sum()) for one in some]
        found.append(_commonest([some[int(np.argmin(distances))]]))
    return found


def _small(examples: Sequence[PictureQuestion]) -> dict[str, np.ndarray]:
    return {p: load_sight(p, _SIDE, 8).mean(0, dtype=np.float32) for p in dict.fromkeys(e.picture for e in examples)}


def _by_question(train: Sequence[PictureQuestion]) -> dict[str, list[PictureQuestion]]:
    known = defaultdict(list)
    for example in train:
        known[_folded(example)].append(example)
    return known


def _folded(example: PictureQuestion) -> str:
    return " ".join(example.question.lower().split())


def _commonest(some: Sequence[PictureQuestion]) -> str:
    return Counter(answer for example in some for answer in example.answers).most_common(1)[0][0]
