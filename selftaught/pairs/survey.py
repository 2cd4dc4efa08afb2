"""What a set of pictures with words holds: how many, what came twice, what cannot be used."""

from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.pair_item import PairSource
from selftaught.data.pair_store import PairStore, prepare_pairs
from selftaught.pretext.words import is_cjk

_SIDE = 32  # at which pictures are compared
_SHOWN = 3
_FEW = 1_000  # pictures: with fewer, little is learned but what is seen often


def survey_pairs(source: PairSource, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The report and the lines for people.

    Args:
        folder: where the pictures are decoded to.

    Raises:
        SelftaughtError: if not one can be used.
    """
    store = prepare_pairs(source, folder, resolution=_SIDE, seed=0)
    each = np.diff(store.starts)
    lengths = np.array([len(text) for text in store.texts])
    chinese = sum(any(map(is_cjk, text)) for text in store.texts)
    report = {
        "kind": "pairs",
        "description": store.description,
        **store.tally,
        "pictures": len(store.pixels),
        "captions": len(store.texts),
        "different_captions": len(set(store.texts)),
        "chinese_captions": chinese,
        "captions_a_picture": {"least": int(each.min()), "median": float(np.median(each)), "most": int(each.max())},
        "characters": {"least": int(lengths.min()), "median": float(np.median(lengths)), "most": int(lengths.max())},
        "labels": len({label for label in store.labels if label}),
        **store.counts,
        "advice": _advice(store),
    }
    count, known, long = report["captions_a_picture"], store.counts, report["characters"]["median"]
    lines = [
        f"pictures    {len(store.pixels):,} different ones; {known['joined']:,} rows have the pixels of one before "
        "them and were joined to it",
        f"captions    {len(store.texts):,}, {report['different_captions']:,} different ones, {chinese:,} Chinese; from "
        f"{count['least']} to {count['most']} a picture, of {long:.0f} characters in the middle",
        f"repeats     {known['repeated']:,} captions came again with their picture, {known['shared']:,} are those of "
        f"several pictures, {known['empty']:,} places for one are empty",
    ]
    if report["labels"]:
        lines.append(f"labels      {report['labels']:,} different ones")
    places = np.linspace(0, len(store.pixels) - 1, min(_SHOWN, len(store.pixels))).astype(int)
    lines += [f"example     {store.files[i]}: {' | '.join(store.captions(i)[:_SHOWN])}" for i in places]
    return report, lines


def _advice(store: PairStore) -> list[str]:
    found = []
    if len(store.pixels) < _FEW:
        found.append(
            f"{len(store.pixels):,} pictures are few: begin with --init from a network over pictures, and with "
            "--set model.text_init from one over text"
        )
    if store.counts["shared"] > len(set(store.texts)) / 2:
        found.append("most captions are those of several pictures: pictures of one caption cannot be told apart by it")
    return found
