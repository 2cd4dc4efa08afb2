"""Zero- and few-shot accuracy by prompting, for several numbers of examples, beside what needs no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from selftaught.console import note, table
from selftaught.data.examples import LabelledText, Labels
from selftaught.data.template import CHINESE, ENGLISH, Template
from selftaught.errors import SelftaughtError
from selftaught.metrics.baselines import is_chinese, majority
from selftaught.metrics.interval import Interval, bootstrap_interval
from selftaught.metrics.sampling import folded, split_train_test
from selftaught.pretrained import Pretrained
from selftaught.prompting.prompter import METHODS, Context, Prompter
from selftaught.randomness import derive

SHOTS = (0, 1, 4, 16)
TEST_SHARE = 0.3
MOST_TEST_ROWS = 500
DRAWS = 5
_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Asking:
    """How a model is prompted.

    Args:
        shots: numbers of examples in the context.
        template: how a text and its label are written; by the language of the texts if not given.
        words: what a label is called, where that is not its own name.
        draws: how often each test row is asked about, behind other examples each time.
        rows: the most test rows; 500 if not given.
        seed: of the split and the draws.
    """

    shots: tuple[int, ...] = SHOTS
    template: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    draws: int = DRAWS
    rows: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Score:
    """The accuracy with so many examples in the context.

    Args:
        shots: examples asked for.
        method: see :meth:`selftaught.prompting.prompter.Prompter.likelihoods`.
        accuracy: over test rows, of each the mean over its draws.
        alike: the share of the answers that are one label, the one most often given.
    """

    shots: int
    method: str
    accuracy: Interval
    alike: float

    def to_json(self) -> dict[str, Any]:
        """The stable shape that programs read."""
        limits = {"mean": self.accuracy.mean, "low": self.accuracy.low, "high": self.accuracy.high}
        facts = {"rows": self.accuracy.n, "answers_alike": self.alike}
        return {"shots": self.shots, "method": self.method, "metric": "accuracy", **limits, **facts}


@dataclass(frozen=True)
class Parted:
    """Labelled rows to draw examples from, rows to be tested on, and what was left out, in words."""

    shown: tuple[LabelledText, ...]
    test: tuple[LabelledText, ...]
    notes: tuple[str, ...]


def few_shot(
    pretrained: Pretrained, labels: Labels, train: Labels | None, asking: Asking
) -> tuple[dict[str, Any], list[str]]:
    """What a decoder makes of ``labels`` by prompting: the report, and the lines for people.

    Args:
        labels: tested on; parted, with 30 % to be tested on, where ``train`` is not given.
        train: labels to draw examples from.

    Raises:
        SelftaughtError: if the model is no decoder, there are fewer training rows than examples wanted, or the words
            do not fit the labels.
    """
    rows = part(labels, train, asking)
    classes = sorted({example.label for example in (*rows.shown, *rows.test)})
    template = Template.of(asking.template or (CHINESE if is_chinese(e.text for e in rows.shown) else ENGLISH))
    words = name_labels(classes, asking.words)
    prompter = Prompter(pretrained, template, words, rows.shown, asking.seed)
    test, notes = _fitting(prompter, rows)
    scores = []
    for shots in asking.shots:
        draws = asking.draws if shots else 1  # without examples there is nothing to draw
        note(f"asking      {len(test):,} rows, shots {shots}, draws {draws}")
        contexts = _contexts(prompter, test, shots, draws)
        scores += score(prompter, contexts, [example.label for example in test], shots)
        notes += _on_length(contexts, shots, prompter, pretrained)
    notes += _on_answers(scores)
    most = majority([example.label for example in rows.shown], len(test))
    lines = {
        "majority class": float(np.mean([said == e.label for said, e in zip(most, test, strict=True)])),
        "chance": 1 / len(classes),
    }
    report = {
        "verb": "evaluate",
        "scores": [one.to_json() for one in scores],
        "majority": lines["majority class"],
        "chance": lines["chance"],
        "template": str(template),
        "words": words,
        "draws": asking.draws,
        "training_rows": len(rows.shown),
        "rows": labels.tally.to_json(),
        "notes": notes,
    }
    head = [
        f"rows        {labels.tally.summary()}; {len(test):,} asked about",
        f"template    {str(template)!r}",
        f"labels      {', '.join(words.values())}",
    ]
    return report, [*head, "", *_table(scores, lines), ""]


def part(labels: Labels, train: Labels | None, asking: Asking) -> Parted:
    """Which rows are tested on, and which are drawn from: none whose text is tested on.

    Raises:
        SelftaughtError: if there are fewer to draw from than are wanted at once.
    """
    rows, notes = labels.examples, []
    if train is None:
        learn, held = split_train_test([e.text for e in rows], [e.label for e in rows], TEST_SHARE, asking.seed)
        shown, test = tuple(rows[i] for i in learn), tuple(rows[i] for i in held)
    else:
        tested = {folded(example.text) for example in rows}
        shown, test = tuple(e for e in train.examples if folded(e.text) not in tested), rows
        if left_out := len(train.examples) - len(shown):
            notes.append(f"{left_out:,} training rows whose text is tested on were left out")
    if not shown:
        raise SelftaughtError("every training row is also a test row", do="give a training file with other rows")
    if len(shown) < max(asking.shots):
        raise SelftaughtError(
            f"{max(asking.shots)} examples cannot be drawn from {len(shown)} training rows",
            do="ask for fewer --shots, or name more labels with --train",
        )
    most = asking.rows or MOST_TEST_ROWS
    if len(test) > most:
        chosen = np.random.default_rng(derive("test rows", asking.seed)).permutation(len(test))[:most]
        notes.append(f"{most:,} of {len(test):,} test rows were drawn at random; --rows takes more")
        test = tuple(test[i] for i in np.sort(chosen))
    return Parted(shown, test, tuple(notes))


def name_labels(classes: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """What each label is called: the words given for it, or its own name.

    Raises:
        SelftaughtError: if words are given for a label that there is not, or do not tell two labels apart.
    """
    if strange := sorted(set(given) - set(classes)):
        raise SelftaughtError(
            f"there is no label {strange[0]!r} to find words for", do=f"there are: {', '.join(classes)}"
        )
    words = {name: given.get(name, name) for name in classes}
    for name, word in words.items():
        if not word.strip():
            raise SelftaughtError(f"the label {name!r} is given no words", do=f"for example --word {name}=good")
        if others := [other for other, its in words.items() if its == word and other != name]:
            raise SelftaughtError(f"the labels {name!r} and {others[0]!r} are both called {word!r}")
    return words


def score(prompter: Prompter, contexts: Sequence[Context], truth: Sequence[str], shots: int) -> list[Score]:
    """The accuracy by each method.

    Args:
        contexts: of all test rows, one draw after the other.
        truth: the label of each test row.
    """
    wanted = np.array([prompter.labels.index(label) for label in truth])
    scores = []
    for method, likelihoods in prompter.likelihoods(contexts).items():
        said = likelihoods.argmax(1)
        right = (said.reshape(-1, len(wanted)) == wanted).mean(0)  # [rows], each over its draws
        scores.append(Score(shots, method, bootstrap_interval(right), float(np.bincount(said).max() / len(said))))
    return scores


def _fitting(prompter: Prompter, rows: Parted) -> tuple[list[LabelledText], list[str]]:
    """The test rows that the network can read, and a note on the others."""
    questions = prompter.questions([example.text for example in rows.test])
    fits = [prompter.fits(question) for question in questions]
    test = [example for example, fit in zip(rows.test, fits, strict=True) if fit]
    others = [f"{e.file}:{e.line}" for e, fit in zip(rows.test, fits, strict=True) if not fit]
    told = f"the {prompter.longest_row} tokens that the network reads"
    if not test:
        raise SelftaughtError(f"no test row fits {told}", do="give shorter texts, or a run with longer rows")
    if not others:
        return test, list(rows.notes)
    return test, [*rows.notes, f"{len(others):,} test rows do not fit {told}: {', '.join(others[:5])}"]


def _contexts(prompter: Prompter, test: Sequence[LabelledText], shots: int, draws: int) -> list[Context]:
    questions = prompter.questions([example.text for example in test])
    return [prompter.context(q, shots, draw, row) for draw in range(draws) for row, q in enumerate(questions)]


def _on_length(contexts: Sequence[Context], shots: int, prompter: Prompter, pretrained: Pretrained) -> list[str]:
    """What should be known of contexts that the network cannot read, or has not learned to."""
    notes = []
    if short := sum(context.examples < shots for context in contexts):
        mean = np.mean([context.examples for context in contexts])
        notes.append(
            f"at {shots} shots {short:,} of {len(contexts):,} contexts do not fit the {prompter.longest_row} tokens "
            f"that the network reads: whole examples were left out, {mean:.1f} remain on average"
        )
    trained = pretrained.recipe.train.length if pretrained.recipe else prompter.longest_row
    if longer := sum(len(context.tokens) > trained for context in contexts):
        share = longer / len(contexts)
        notes.append(
            f"at {shots} shots {share:.0%} of the contexts are longer than the rows of {trained} tokens in training"
        )
    return notes


def _on_answers(scores: Sequence[Score]) -> list[str]:
    """Where the answer hardly depends on the text, an accuracy says only how frequent one label is."""
    shots = dict.fromkeys(one.shots for one in scores)
    blind = [k for k in shots if all(one.alike > _NEARLY_ALL for one in scores if one.shots == k)]
    told = ", ".join(map(str, blind))
    return (
        [f"at {told} shots nearly all answers are one label, by each method: the text hardly matters"] if blind else []
    )


def _table(scores: Sequence[Score], lines: Mapping[str, float]) -> list[str]:
    shots = list(dict.fromkeys(one.shots for one in scores))
    rows = [[method, *(_cell(one.accuracy) for one in scores if one.method == method)] for method in METHODS]
    rows += [[name, *[f"{value:.3f}"] * len(shots)] for name, value in lines.items()]
    return table(["accuracy", *(f"{k} shot{'s' * (k != 1)}" for k in shots)], rows)


def _cell(interval: Interval) -> str:
    return f"{interval.mean:.3f} ({interval.low:.3f}-{interval.high:.3f})"
