"""Measuring a run of captions on pictures and captions that it was not trained on."""

from pathlib import Path
from typing import Any

import numpy as np

from selftaught.backbones.flamingo import Flamingo
from selftaught.data.captions import Captions
from selftaught.data.pair_source import open_pairs
from selftaught.data.pair_store import prepare_pairs
from selftaught.data.processor import processor
from selftaught.flamingo.measuring import costs, written
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.objectives.caption import Caption
from selftaught.pretrained import Pretrained

_LONGEST = 128  # tokens of a caption


def evaluate_captions(
    pretrained: Pretrained, data: str, text: str | None, folder: Path, precision: str
) -> tuple[dict[str, Any], list[str]]:
    """The costs of the captions of ``data``, and the scores of those that are written: a report and lines for people.

    Args:
        text: the column of captions.
        folder: where pictures are decoded to.
    """
    network, reader = pretrained.backbone, processor(pretrained.tokenizer)
    assert isinstance(network, Flamingo)
    source = open_pairs(data, text=text, frames=reader.frames)
    store = prepare_pairs(source, folder, resolution=reader.resolution, seed=0, share=0.0)
    captions = Captions.of(store, reader, held_out=False, longest=_LONGEST, together=1, seed=0)
    learner = Learner({"text": network}, Caption(), Spec(), precision).eval()
    scores, examples = written(learner, reader, store, np.arange(len(store.pixels)))
    measures = {**costs(learner, captions), **scores}
    report = {"verb": "evaluate", "measures": measures, "examples": examples, "rows": store.tally, "notes": []}
    tally = store.tally
    lines = [f"pictures    {tally['rows']:,} in = {tally['kept']:,} kept + {tally['quarantined_rows']:,} quarantined"]
    return report, lines + [f"{name.replace('_', ' '):22}{value:.4f}" for name, value in measures.items()]
