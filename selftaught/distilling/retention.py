"""What a smaller model keeps of a larger one: what each costs and what each is worth, side by side."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

from selftaught.backbones.heads import model_head
from selftaught.backbones.hf import TextBackbone
from selftaught.console import table
from selftaught.data.store import TokenStore
from selftaught.judging.splitting import Split
from selftaught.loop import Learner, evaluate, to_device
from selftaught.metrics.interval import paired_difference, t_interval
from selftaught.metrics.probe import fit_probe
from selftaught.metrics.sampling import few_label_subset
from selftaught.metrics.scores import classification_scores
from selftaught.objective import Batch, Objective, Spec
from selftaught.pretrained import Pretrained
from selftaught.text.features import text_features
from selftaught.text.held_out import held_out_batches

TEACHER, STUDENT, ALONE = "teacher", "student", "student without a teacher"
LABELS = 32  # a class, that a probe learns from
DRAWS = 5
BATCH, LENGTH = 32, 64  # what latency is measured on
_TIMES = 9


@dataclass(frozen=True)
class Standing:
    """One model's line of the table.

    Args:
        model: which of the three.
        parameters, bytes: as saved, heads included.
        one_ms, batch_ms: the median time of a pass over one text, and over 32, of 64 tokens each.
        held_out_loss: nats for each token asked about; None for a model without a language modelling head.
        scores: accuracy of a probe, one a draw of labels; empty without labels.
        task: accuracy after the task stage; None without one.
    """

    model: str
    parameters: int
    bytes: int
    one_ms: float
    batch_ms: float
    held_out_loss: float | None = None
    scores: tuple[float, ...] = ()
    task: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "scores": list(self.scores), "score": _interval(self.scores)}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> "Standing":
        values = {name: value for name, value in found.items() if name != "score"}
        return cls(**{**values, "scores": tuple(values["scores"])})


def weigh(folder: Path) -> tuple[int, int]:
    """The parameters and the bytes of the weights in a model folder; a tied weight counts once."""
    parameters, files = 0, sorted(folder.glob("*.safetensors"))
    for file in files:
        with safe_open(file, "pt") as held:
            parameters += sum(math.prod(held.get_slice(name).get_shape()) for name in held.keys())  # noqa: SIM118
    return parameters, sum(file.stat().st_size for file in files)


@torch.no_grad()
def latencies(backbones: Mapping[str, TextBackbone], rows: int, times: int = _TIMES) -> dict[str, float]:
    """Milliseconds of one pass over ``rows`` texts of 64 tokens: the median for each network, measured in turns."""
    batches = {}
    for name, backbone in backbones.items():
        length = min(LENGTH, backbone.longest_row)
        batches[name] = {"input_ids": torch.arange(rows * length).view(rows, length) % backbone.config.vocab_size}
    return in_turns(backbones, batches, times)


@torch.no_grad()
def in_turns(backbones: Mapping[str, nn.Module], batches: Mapping[str, Batch], times: int = _TIMES) -> dict[str, float]:
    """Milliseconds of one pass of each network over its batch: the median, measured in turns."""
    taken: dict[str, list[float]] = {name: [] for name in backbones}
    for _ in range(times + 1):  # the first turn warms up
        for name, backbone in backbones.items():
            batch = to_device(batches[name], next(backbone.eval().parameters()).device)
            began = time.perf_counter()
            backbone(batch).cpu()  # waits for a GPU
            taken[name].append(1000 * (time.perf_counter() - began))
    return {name: median(times[1:]) for name, times in taken.items()}


def held_out_loss(
    pretrained: Pretrained, question: Objective, store: TokenStore, spec: Spec, length: int, seed: int
) -> float | None:
    """The mean loss on held-out text; the same questions for every model. None if it has no head that answers them."""
    learner = Learner({"text": pretrained.backbone}, question, spec)
    head = model_head(learner.heads)
    batches = held_out_batches(store, question, spec, min(length, pretrained.backbone.longest_row), seed)
    if head is None or head.fresh or batches is None:
        return None
    learner.to(next(pretrained.backbone.parameters()).device)
    return evaluate(learner, batches)["loss"]


def probe_scores(pretrained: Pretrained, split: Split, seeds: Sequence[int]) -> tuple[float, ...]:
    """The accuracy of a linear probe on frozen features, with 32 labels a class, for each draw of them."""
    labels, truth = [e.label for e in split.train], [e.label for e in split.test]
    draws = [few_label_subset(labels, LABELS, seed).tolist() for seed in seeds]
    needed = sorted({row for rows in draws for row in rows})
    place = {row: i for i, row in enumerate(needed)}
    texts = [split.train[i].text for i in needed] + [e.text for e in split.test]
    features = text_features(pretrained.backbone, pretrained.tokenizer, texts)
    known = [(features[[place[i] for i in rows]], [labels[i] for i in rows]) for rows in draws]
    return tuple(
        probe_accuracy(learned, said, features[len(needed) :], truth, seed)
        for (learned, said), seed in zip(known, seeds, strict=True)
    )


def probe_accuracy(
    learned: np.ndarray, labels: Sequence[str], asked: np.ndarray, truth: Sequence[str], seed: int
) -> float:
    """Of a linear probe, fitted on features [N, D] with their labels, on others [M, D]."""
    said = fit_probe(learned, labels, seed).predict(asked)
    return classification_scores(truth, said)["accuracy"]


def kept(standings: Sequence[Standing]) -> dict[str, Any]:
    """What the student has of its teacher, and what the teacher gave it.

    Returns:
        ``parameters``, ``score`` and ``task`` as shares of the teacher's, and ``gained``, the difference of scores to
        the same student without a teacher; None where it was not measured. Intervals are over draws of labels.
    """
    by_name = {standing.model: standing for standing in standings}
    teacher, student, alone = by_name[TEACHER], by_name[STUDENT], by_name.get(ALONE)
    shares = [mine / its for mine, its in zip(student.scores, teacher.scores, strict=True)]
    return {
        "parameters": student.parameters / teacher.parameters,
        "score": _interval(shares),
        "task": student.task / teacher.task if student.task is not None and teacher.task else None,
        "gained": asdict(paired_difference(student.scores, alone.scores)) if alone and alone.scores else None,
    }


def sentence(found: dict[str, Any]) -> str:
    """The result in words."""
    said = f"With {found['parameters']:.0%} of its teacher's parameters the student keeps "
    if found["score"] is None:
        return said + "what the table says; with --labels it would be scored."
    score, gained = found["score"], found["gained"]
    said += f"{score['mean']:.1%} of its score (95 % interval {score['low']:.1%} to {score['high']:.1%})"
    if gained is None:
        return said + "."
    better = gained["low"] > 0
    worse = gained["high"] < 0
    said += "; the teacher " + ("helped it" if better else "did it harm" if worse else "made no clear difference")
    return said + f": {gained['mean']:+.3f} ({gained['low']:+.3f} to {gained['high']:+.3f}) to the same without one."


def standing_lines(standings: Sequence[Standing], unit: str = "text") -> list[str]:
    """The table, for the terminal and the report.

    Args:
        unit: what the networks read.
    """
    header = [
        "",
        "parameters",
        "size",
        f"one {unit}",
        f"{BATCH} {unit}s",
        "held-out loss",
        "probe accuracy",
        "task accuracy",
    ]
    rows = [
        [
            s.model,
            f"{s.parameters / 1e6:.2f} M",
            f"{s.bytes / 1e6:.1f} MB",
            f"{s.one_ms:.1f} ms",
            f"{s.batch_ms:.1f} ms",
            "-" if s.held_out_loss is None else f"{s.held_out_loss:.3f}",
            _spread(s.scores),
            "-" if s.task is None else f"{s.task:.3f}",
        ]
        for s in standings
    ]
    filled = [i for i in range(len(header)) if any(row[i] != "-" for row in rows)]
    return table([header[i] for i in filled], [[row[i] for i in filled] for row in rows])


def _interval(values: Sequence[float]) -> dict[str, Any] | None:
    return asdict(t_interval(values)) if values else None


def _spread(scores: Sequence[float]) -> str:
    if not scores:
        return "-"
    found = t_interval(scores)
    return f"{found.mean:.3f} ±{(found.high - found.low) / 2:.3f}"
