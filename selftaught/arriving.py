"""Labels for texts that have none, before fine-tuning: each gets the one that arrives from the labelled texts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from selftaught.data.examples import LabelledText
from selftaught.data.labels import read_unlabelled
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.features import text_features
from selftaught.metrics.baselines import is_chinese
from selftaught.metrics.sampling import folded
from selftaught.metrics.spreading import MOST_TEXTS, Spreader
from selftaught.pretrained import Pretrained
from selftaught.task import Task
from selftaught.tasks.classify import Classify


@dataclass(frozen=True)
class Arrived:
    """Texts that had no label, each with the one that arrived.

    Args:
        examples: these texts.
        sure: the mean share of that label among all that arrived.
        tally: of what was read.
        notes: what was left out, in words.
    """

    examples: tuple[LabelledText, ...]
    sure: float
    tally: Tally
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What came of it, for programs."""
        counts = Counter(example.label for example in self.examples)
        return {"texts": len(self.examples), "sure": self.sure, "labels": dict(counts), "rows": self.tally.to_json()}

    def __str__(self) -> str:
        return f"{len(self.examples):,} texts without a label got one, {100 * self.sure:.0f} % sure on average"


def arrived_labels(
    pretrained: Pretrained,
    task: Task[Any],
    labelled: Sequence[LabelledText],
    others: Sequence[str],
    place: str,
    seed: int,
) -> Arrived:
    """The texts at ``place``, labelled by :class:`selftaught.metrics.spreading.Spreader`; 5,000 at most, drawn by seed.

    Args:
        labelled: the labels spread from these.
        others: texts that must not be learned from, such as those set aside; these and the labelled ones are left out.

    Raises:
        SelftaughtError: if labels of this task cannot spread, or there is no text for them.
    """
    if not isinstance(task, Classify) or task.several:
        raise SelftaughtError(
            "only labels of one class a text spread to texts without any",
            do="leave --unlabelled out, or give labels for --task classify",
        )
    found = read_unlabelled(place)
    known = {folded(text) for text in (*others, *(example.text for example in labelled))}
    new = list({folded(example.text): example for example in found.examples}.items())
    texts = [example for text, example in new if text not in known]
    if not texts:
        raise SelftaughtError("every text in it is a labelled one too", where=place, do="leave --unlabelled out")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(texts))[:MOST_TEXTS])
    notes = (f"labels spread to {MOST_TEXTS:,} of {len(texts):,} texts, drawn at random",)
    drawn = [texts[i] for i in chosen]
    all_texts = [example.text for example in (*labelled, *drawn)]
    features = text_features(pretrained.backbone, pretrained.tokenizer, all_texts)
    asked = features[len(labelled) :]
    spreader = Spreader.of(
        all_texts, all_texts[len(labelled) :], np.vstack([features, asked]), chinese=is_chinese(all_texts)
    )
    classes, shares = spreader.shares(range(len(labelled)), [example.label for example in labelled], seed)
    answers = zip(drawn, shares.argmax(axis=1).tolist(), strict=True)
    return Arrived(
        tuple(replace(example, label=classes[code]) for example, code in answers),
        float(shares.max(axis=1).mean()),
        found.tally,
        notes if len(texts) > MOST_TEXTS else (),
    )
