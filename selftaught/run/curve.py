"""The picture of a run: its loss over time, with the lines that tell what the loss is worth."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selftaught.metrics.efficiency import Point

_MOST_POINTS = 2000


def read_metrics(file: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl`` that hold a loss."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "loss" in line]


def draw_curve(metrics: Path, picture: Path, lines: Mapping[str, float], title: str) -> None:
    """Draw the training loss, smoothed, the held-out loss and the probe where there are some.

    Args:
        lines: horizontal lines by name, such as the unigram entropy.
    """
    from matplotlib.figure import Figure  # a second to import, and only a finished run needs it

    points = read_metrics(metrics)
    if not points:
        return
    thinned = points[:: max(1, len(points) // _MOST_POINTS)]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([p["step"] for p in thinned], [p["loss"] for p in thinned], color="#9ecae1", linewidth=0.8)
    axes.plot(*smoothed(points), color="#08519c", linewidth=1.5, label="training loss")
    held = [(p["step"], p["held_out_loss"]) for p in points if p.get("held_out_loss") is not None]
    if held:
        axes.plot(*zip(*held, strict=True), "o-", color="#d94801", markersize=4, linewidth=1, label="held-out loss")
    for (name, value), style in zip(lines.items(), ("--", ":", "-."), strict=False):
        axes.axhline(value, linestyle=style, color="#525252", linewidth=1, label=f"{name} ({value:.2f})")
    _draw_probe(axes, points)
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats a target)")
    axes.set_title(title.replace("$", r"\$"))  # a path is no formula
    axes.legend(loc="upper right", fontsize=8)
    figure.savefig(picture, dpi=120)


def smoothed(points: list[dict[str, Any]]) -> tuple[list[int], list[float]]:
    """The running mean of the loss, over fewer points where there are few: it must not lag behind what it shows."""
    keep, mean, line = min(0.9, max(0.0, 1 - 10 / len(points))), points[0]["loss"], []
    for point in points:
        mean = keep * mean + (1 - keep) * point["loss"]
        line.append(mean)
    return [point["step"] for point in points], line


def _draw_probe(axes: Any, points: list[dict[str, Any]]) -> None:
    probe = [(p["step"], p["probe"]) for p in points if p.get("probe") is not None]
    if not probe:
        return
    right = axes.twinx()
    right.plot(*zip(*probe, strict=True), "s-", color="#238b45", markersize=4, linewidth=1, label="probe accuracy")
    right.set_ylabel("probe accuracy")
    right.set_ylim(0, 1)
    right.legend(loc="lower left", fontsize=8)


def draw_efficiency(points: Sequence[Point], picture: Path) -> None:
    """Draw score against number of labels, a line a method, with its 95 % interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for method in dict.fromkeys(point.method for point in points):
        own = sorted((p for p in points if p.method == method), key=lambda p: p.total_labels)
        at, means = [p.total_labels for p in own], [p.mean for p in own]
        ours = method.startswith("pretrained")
        (line,) = axes.plot(at, means, "o-" if ours else "s--", linewidth=2 if ours else 1, markersize=4, label=method)
        if own[0].seeds > 1:
            axes.fill_between(at, [p.low for p in own], [p.high for p in own], color=line.get_color(), alpha=0.15)
    axes.set_xscale("log")
    axes.set_xticks(
        sorted({p.total_labels for p in points}), [f"{n:,}" for n in sorted({p.total_labels for p in points})]
    )
    axes.minorticks_off()
    axes.set_xlabel("labels")
    axes.set_ylabel(points[0].metric.replace("_", "-"))
    axes.set_title("what the labels buy, by method (95 % intervals over draws of labels)")
    axes.legend(fontsize=8)
    figure.savefig(picture, dpi=120)
