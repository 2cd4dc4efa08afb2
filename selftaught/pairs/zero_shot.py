"""Labels that nobody taught: a picture gets the label whose words lie nearest (Radford et al. 2021, section 3.1)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.files import given_file
from selftaught.data.pair_store import captions_of
from selftaught.data.records import record_lines
from selftaught.data.sniff import text_encoding
from selftaught.data.streams import Damaged
from selftaught.errors import SelftaughtError
from selftaught.metrics.interval import bootstrap_interval
from selftaught.pairs.model import PairModel

PLACE = "{}"
_PLAIN = (PLACE,)
_SENTENCES = (
    "a {}",
    "a picture of {}",
    "a picture of a {}",
    "a photo of {}",
    "a photo of a {}",
    "一张{}的图片",
    "{}的照片",
)
_FAMILIAR = 0.01  # of the captions must have a template's own words: a tower knows no others


@dataclass(frozen=True)
class ZeroShot:
    """Labels as vectors: the mean over templates.

    Args:
        labels: their names.
        vectors: float32 [L, D], of length one.
    """

    model: PairModel
    labels: tuple[str, ...]
    templates: tuple[str, ...]
    vectors: np.ndarray

    @classmethod
    def of(cls, model: PairModel, labels: Sequence[str], templates: Sequence[str]) -> "ZeroShot":
        """Put each label into each template.

        Raises:
            SelftaughtError: for fewer than two labels, or a template without a place for one.
        """
        names = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
        if len(names) < 2:
            raise SelftaughtError(
                "there are fewer than two labels to tell apart", do="write them as --labels 'a cat,a dog'"
            )
        for template in templates:
            if PLACE not in template:
                raise SelftaughtError(
                    f"the template {template!r} has no place for a label", do="write it as 'a photo of a {}'"
                )
        each = [model.of_texts([template.replace(PLACE, name) for name in names]) for template in templates]
        mean = np.mean(each, 0)
        vectors = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
        return cls(model, names, tuple(templates), vectors.astype(np.float32))

    def shares(self, pixels: np.ndarray) -> np.ndarray:
        """How likely each label is for each picture uint8 [N, 3, S, S]: float64 [N, L]."""
        logits = self.model.towers.scale.item() * (self.model.of_pictures(pixels) @ self.vectors.T).astype(np.float64)
        likely = np.exp(logits - logits.max(1, keepdims=True))
        return likely / likely.sum(1, keepdims=True)


def named_in_words(label: str) -> str:
    """A label as captions may have it: in small letters, its words apart."""
    return label.lower().replace("_", " ").strip()


def zero_shot_scores(
    model: PairModel, templates: Sequence[str], pixels: np.ndarray, labels: Sequence[str], every: Collection[str]
) -> dict[str, Any]:
    """How many pictures get their label though nobody taught it, with a 95 % interval, and by guessing.

    Args:
        pixels: uint8 [N, 3, S, S].
        labels: of each.
        every: all labels that there are to tell apart.
    """
    asked = ZeroShot.of(model, [named_in_words(name) for name in sorted(every)], templates)
    place = {name: i for i, name in enumerate(asked.labels)}
    truth = np.array([place[named_in_words(label)] for label in labels])
    right = (asked.shares(pixels).argmax(1) == truth).astype(float)
    found = bootstrap_interval(right)
    return {
        "accuracy": found.mean,
        "balanced_accuracy": float(np.mean([right[truth == label].mean() for label in np.unique(truth)])),
        "low": found.low,
        "high": found.high,
        "chance": 1 / len(asked.labels),
        "most_frequent": float(np.bincount(truth).max() / len(truth)),
        "labels": len(asked.labels),
        "templates": list(asked.templates),
    }


def zero_shot_told(found: Mapping[str, Any]) -> str:
    """What :func:`zero_shot_scores` found, for the terminal."""
    times = found["accuracy"] / found["chance"]
    return (
        f"{found['accuracy']:.3f} [{found['low']:.3f}, {found['high']:.3f}] without one label, {times:.1f} times the "
        f"chance of {found['chance']:.3f}; a mean of {found['balanced_accuracy']:.3f} over {found['labels']:,} "
        f"labels, the most frequent of which has {found['most_frequent']:.3f}"
    )


def fitting_templates(run: Path) -> tuple[str, ...]:
    """The label alone, and such templates as have words that are familiar from the captions of the run.

    Of a model whose captions are not at hand, the label alone.
    """
    texts = [f" {text.lower()} " for text in captions_of(run / "pictures")]
    familiar = [
        template
        for template in _SENTENCES
        if texts and sum(_has(text, template) for text in texts) >= _FAMILIAR * len(texts)
    ]
    return (*_PLAIN, *familiar)


def _has(text: str, template: str) -> bool:
    """Whether a caption has all that stands around the label."""
    spaced = [part if " " in part or not part.isascii() else f"{part} " for part in template.split(PLACE) if part]
    return all((f" {part}" if part.isascii() and not part.startswith(" ") else part) in text for part in spaced)


def read_labels_given(given: str) -> list[str]:
    """Labels between commas, or the lines of a file.

    Raises:
        SelftaughtError: if a file cannot be read, or a line of it.
    """
    place = Path(given)
    try:
        is_file = place.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        return given.split(",")
    file = given_file(place, given)
    try:
        lines = list(record_lines(file, text_encoding(file)))
    except Damaged as damaged:
        raise SelftaughtError(f"the labels cannot be read: {damaged}", where=given) from None
    for line in lines:
        if line.why:
            raise SelftaughtError(f"a label cannot be read: the line {line.why}", where=f"{given}:{line.number}")
    return [line.text for line in lines]
