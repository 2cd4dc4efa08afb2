"""``selftaught similarity``: how alike texts are in meaning, as the model has it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.console import note, tell
from selftaught.data.columns import is_number
from selftaught.data.examples import Columns, Examples
from selftaught.data.gather import open_table
from selftaught.data.source import open_text, require_rows
from selftaught.data.tally import Tally
from selftaught.data.text import Row
from selftaught.data.text_pairs import SCORE_NAMES, LabelledPair, read_pairs, read_scored
from selftaught.errors import SelftaughtError
from selftaught.machine import pick_device
from selftaught.metrics.interval import correlation_interval
from selftaught.metrics.pair_baselines import COSINE, cosines
from selftaught.metrics.scores import correlation_scores
from selftaught.objective import Pooling
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.text.features import sentence_vectors
from selftaught.verbs import Place

_ROWS_AT_ONCE = 4096


def similarity(
    run: Place,
    *inputs: str,
    among: str | None = None,
    top: int = 5,
    text: str | None = None,
    second: str | None = None,
    label: str | None = None,
    device: str | None = None,
    json: bool = False,
) -> dict[str, Any]:
    """Compare two texts, the pairs of a file, or a text with the rows of a file; 1 is the same meaning.

    A file of pairs with a column of scores is a test: the rank correlation is told, beside that of TF-IDF.

    Args:
        run: A run of simcse or tsdae, or a checkpoint folder of sentence-transformers.
        inputs: Two texts, or one file of pairs; with --among, one or more texts.
        among: Data whose rows are searched for those nearest to each text.
        top: How many of them.
        text: The column that holds the text; in a file of pairs the first.
        second: The column that holds the second text.
        label: The column that says how alike they are; found by its name if not given.
        device: cpu, cuda, …
        json: Print one JSON object.
    """
    if top < 1:
        raise SelftaughtError("--top must be at least 1")
    if among is not None and (second or label):
        raise SelftaughtError("--second and --label are about a file of pairs", do="leave --among out")
    if not inputs or (among is None and len(inputs) > 2):
        raise SelftaughtError(
            f"there are {len(inputs)} inputs" if inputs else "there is nothing to compare",
            do="give two texts, or one file of pairs, or texts with --among FILE",
        )
    pretrained = open_pretrained(run)
    pretrained.backbone.to(pick_device(device))
    model = _Meaning(pretrained, pretrained.pooling or "mean")
    if pretrained.pooling is None:
        note("this model was not trained to make vectors of texts: the mean of its last layer stands for one")
    if among is not None:
        return _nearest(model, [_told(one) for one in inputs], among, text, top, json)
    if len(inputs) == 1:
        return _file(model, inputs[0], Columns(text, second, label), json)
    return _two(model, _told(inputs[0]), _told(inputs[1]), json)


@dataclass(frozen=True)
class _Meaning:
    """A model that gives texts vectors of length one."""

    pretrained: Pretrained
    pooling: Pooling

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [N, D]."""
        return sentence_vectors(self.pretrained.backbone, self.pretrained.tokenizer, texts, self.pooling)

    def cosines(self, first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        """How alike the texts of each pair are: float32 [N]."""
        return (self.vectors(first) * self.vectors(second)).sum(1)


def _told(given: str) -> str:
    if not given.strip():
        raise SelftaughtError("one of the texts is empty", do="give a text")
    return given


def _two(model: _Meaning, one: str, other: str, json: bool) -> dict[str, Any]:
    value = float(model.cosines([one], [other])[0])
    report = {"verb": "similarity", "pairs": [{"first": one, "second": other, "similarity": value}]}
    return tell(report, [f"{value:.3f}"], json=json)


def _file(model: _Meaning, path: str, columns: Columns, json: bool) -> dict[str, Any]:
    if not Path(path).exists():
        raise SelftaughtError(
            f"there is one text, and no file of that name: {path[:60]!r}",
            do="give a second text to compare it with, or --among FILE to search",
        )
    pairs, scores = _pairs(path, columns)
    note(f"read        {pairs.description}")
    texts = [(pair.first, pair.second) for pair in pairs.examples]
    values = model.cosines([one for one, _ in texts], [other for _, other in texts]).tolist()
    told = [
        {"first": pair.first, "second": pair.second, "similarity": value, "file": pair.file, "line": pair.line}
        for pair, value in zip(pairs.examples, values, strict=True)
    ]
    report = {"verb": "similarity", "pairs": told, "rows": pairs.tally.to_json()}
    if scores is None:
        note(f"rows        {pairs.tally.summary()}")
        note("scores      none; --label names a column that says how alike the texts are")
        lines = [f"{v:.3f}\t{_line(one)}\t{_line(other)}" for v, (one, other) in zip(values, texts, strict=True)]
        return tell(report, lines, json=json)
    found = {
        name: correlation_interval(correlation_scores(scores, said)["spearman"], len(scores))
        for name, said in (("model", values), (COSINE, cosines(texts).tolist()))
    }
    report["spearman"] = {name: {"mean": i.mean, "low": i.low, "high": i.high} for name, i in found.items()}
    lines = [f"rows        {pairs.tally.summary()}", "spearman    and its 95 % interval"]
    lines += [f"{name:14}  {i.mean:.3f}  ({i.low:.3f} to {i.high:.3f})" for name, i in found.items()]
    return tell(report, lines, json=json)


def _pairs(path: str, columns: Columns) -> tuple[Examples[LabelledPair], list[float] | None]:
    """The pairs of a file, and their scores where it has some."""
    if columns.label is None:
        records, sample = open_table(path)
        named_so = [name for name in records.columns if name.lower() in SCORE_NAMES]
        scored = [name for name in named_so if all(is_number(str(row.get(name))) for row in sample)]
        if not scored:
            return read_pairs(path, columns, labelled=False), None
        columns = replace(columns, label=scored[0])
    found = read_scored(path, columns)
    if len(found.examples[0].texts) != 2:
        raise SelftaughtError(
            "there is one text column only", where=found.description, do="name the other one with --second"
        )
    pairs = tuple(LabelledPair(one.texts[0], one.texts[1], "", one.file, one.line) for one in found.examples)
    return Examples(pairs, found.tally, found.description), [one.score for one in found.examples]


def _nearest(
    model: _Meaning, queries: list[str], among: str, column: str | None, top: int, json: bool
) -> dict[str, Any]:
    wanted = model.vectors(queries)
    tally, source = Tally(), open_text(among, text=column)
    rows = iter(source.rows(tally))
    nearest = [_Nearest(top) for _ in queries]
    while block := list(islice(rows, _ROWS_AT_ONCE)):
        cosines = wanted @ model.vectors([row.text.strip() for row in block]).T
        for found, values in zip(nearest, cosines.tolist(), strict=True):
            for row, value in zip(block, values, strict=True):
                found.see(row, value)
    require_rows(source, tally)
    note(f"rows        {tally.summary()}")
    report: dict[str, Any] = {"verb": "similarity", "among": among, "nearest": [], "rows": tally.to_json()}
    lines = []
    for query, found in zip(queries, nearest, strict=True):
        told = [{"text": r.text.strip(), "similarity": v, "file": r.file, "line": r.line} for r, v in found.rows]
        report["nearest"].append({"query": query, "rows": told})
        lines += [f"\n{_line(query)}"] if len(queries) > 1 else []
        lines += [f"{v:.3f}\t{r.file}:{r.line}\t{_line(r.text)}" for r, v in found.rows]
    return tell(report, lines, json=json)


@dataclass
class _Nearest:
    """The nearest rows of those seen, the nearest first, of equally near ones the first; a text is there once."""

    top: int
    rows: list[tuple[Row, float]] = field(default_factory=list)

    def see(self, row: Row, value: float) -> None:
        full = len(self.rows) == self.top
        if (full and value <= self.rows[-1][1]) or any(row.text.strip() == one.text.strip() for one, _ in self.rows):
            return
        self.rows = sorted([*self.rows, (row, value)], key=lambda kept: -kept[1])[: self.top]


def _line(text: str) -> str:
    """A text on one line, so that a line is a row."""
    return " ".join(text.split())
