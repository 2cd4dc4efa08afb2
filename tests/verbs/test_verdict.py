"""The verdict where many rows are left whose labels nobody looks at."""

import csv
from pathlib import Path

import pytest

from selftaught.verbs.verdict import verdict


@pytest.fixture
def many(tmp_path: Path, texts: list[str]) -> Path:
    """1,440 rows: what the animal does, said of forty days."""
    file = tmp_path / "many.csv"
    animals = ("fox", "heron", "otter", "badger")
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["text", "label"])
        for day in range(40):
            rows.writerows([f"Day {day}: {text}", next(a for a in animals if a in text)] for text in texts)
    return file


def test_few_labels_spread_where_there_are_many_texts(runs: Path, many: Path, tmp_path: Path) -> None:
    report = verdict(runs / "run", str(many), budgets="2", seeds=2, out=tmp_path / "out")
    scores = {(p["method"], p["labels_per_class"]): p["mean"] for p in report["curve"] if p["metric"] == "accuracy"}
    spreading = {method for method, _ in scores if "spreading" in method}
    assert spreading == {"pretrained spreading", "untrained spreading", "spreading by words"}
    assert all(scores[method, 2] > 0.4 for method in spreading)


def test_among_few_texts_there_is_nothing_to_spread_to(runs: Path, tmp_path: Path) -> None:
    labels = runs / "labels.csv"
    report = verdict(runs / "run", str(labels), label="bucket (final)", budgets="4", seeds=2, out=tmp_path / "out")
    assert not [p for p in report["curve"] if "spreading" in p["method"]]
