"""Labels for texts that have none, before fine-tuning: each gets the one that arrives from the labelled texts."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from selftaught.data.examples import LabelledText
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.metrics.baselines import is_chinese
from selftaught.metrics.sampling import folded
from selftaught.metrics.spreading import MOST_TEXTS, Spreader, TextViews
from selftaught.pretrained import Pretrained
from selftaught.task import Task
from selftaught.tasks.classify import Classify
from selftaught.text.features import text_features


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
    """The texts at ``place``, labelled by :class:`selftaught.metrics.spreading.Spreader`.

    Args:
        labelled: the labels spread from these.
        others: texts that must not be learned from, such as those set aside; these and the labelled ones are left out.
        seed: decides which texts are taken, if they and the labelled ones are more than 5,000.

    Raises:
        SelftaughtError: if labels of this task cannot spread, or there is no text for them, or there are enough labels.
    """
    if not isinstance(task, Classify) or task.several:
        raise SelftaughtError(
            "only labels of one class a text spread to texts without any",
            do="leave --unlabelled out, or give labels for --task classify",
        )
    room = MOST_TEXTS - len(labelled)
    if room <= 0:
        raise SelftaughtError(
            f"{len(labelled):,} labels need no guesses beside them: they spread to {MOST_TEXTS:,} texts at most, "
            "those with a label among them",
            do="leave --unlabelled out",
        )
    tally = Tally()
    new = _new_texts(place, [*others, *(example.text for example in labelled)], tally)
    drawn, count = _drawn(new, room, np.random.default_rng(seed))
    if not drawn:
        raise SelftaughtError("it holds no text that is not a labelled one too", where=place, do="leave it out")
    texts = [example.text for example in (*labelled, *drawn)]
    features = text_features(pretrained.backbone, pretrained.tokenizer, texts)
    asked, theirs = texts[len(labelled) :], features[len(labelled) :]
    spreader = Spreader.of(TextViews.of(texts, asked, chinese=is_chinese(texts)), np.vstack([features, theirs]))
    classes, shares = spreader.shares(range(len(labelled)), [example.label for example in labelled])
    guesses = zip(drawn, shares.argmax(axis=1).tolist(), strict=True)
    examples = tuple(replace(example, label=classes[code]) for example, code in guesses)
    notes = (f"labels spread to {len(drawn):,} of {count:,} texts, drawn at random",) if count > len(drawn) else ()
    return Arrived(examples, float(shares.max(axis=1).mean()), tally, notes)


def _new_texts(place: str, known: Sequence[str], tally: Tally) -> Iterator[LabelledText]:
    """The rows of text at ``place`` but for those that are known or came before, as examples without a label."""
    seen = {_key(text) for text in known}
    for row in open_text(place).rows(tally):
        key = _key(row.text)
        if key not in seen:
            seen.add(key)
            yield LabelledText(row.text, "", row.file, row.line)


def _key(text: str) -> bytes:
    """What stands for a text in a corpus that may be larger than memory."""
    return hashlib.blake2b(folded(text).encode(), digest_size=12).digest()


def _drawn(examples: Iterable[LabelledText], room: int, rng: np.random.Generator) -> tuple[list[LabelledText], int]:
    """At most ``room`` examples, each as likely as any other, in their order, and of how many (Vitter 1985)."""
    kept: list[tuple[int, LabelledText]] = []
    count = 0
    for count, example in enumerate(examples, 1):
        if len(kept) < room:
            kept.append((count, example))
        elif (place := int(rng.integers(count))) < room:
            kept[place] = (count, example)
    return [example for _, example in sorted(kept, key=lambda one: one[0])], count
