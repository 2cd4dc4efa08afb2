"""Which samples each step took, read from the batches that a run uses: none twice in an epoch, none left out.

A process trains on batches that are written down as they are taken, by number and by content. It is killed or
interrupted at random moments and started again; what was taken after the checkpoint that the next one begins from
was rolled back with the weights, and does not count.
"""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from selftaught.data.loader import Batches
from selftaught.fit import Plan, fit, gradient_steps
from selftaught.objective import Batch
from selftaught.optim import adamw
from selftaught.recipe import compose
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run
from selftaught.text.preparing import prepare_pretraining
from tests.torture.running import Started, newest, to_file
from tests.torture.table import Tried

_BATCH, _LENGTH = 4, 16
_FORKED = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Ledgered(Batches):
    """Batches that are written down as they are taken.

    Args:
        ledger: the file: where each process began, and what it took from there.
    """

    ledger: Path = Path()

    def of(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        return {**super().of(indices, epochs), "index": indices.tolist(), "epoch": epochs.tolist()}

    def starting(self, position: int) -> Iterator[Batch]:
        self._write({"begins": position})
        for batch in super().starting(position):
            contents = [hashlib.sha256(row.numpy().tobytes()).hexdigest()[:16] for row in batch["input_ids"]]
            self._write({"taken": [*zip(batch.pop("epoch"), batch.pop("index"), contents, strict=True)]})
            yield batch

    def _write(self, line: object) -> None:
        descriptor = os.open(self.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, (json.dumps(line) + "\n").encode())
        os.close(descriptor)


def train_and_write_down(data: Path, folder: Path, ledger: Path, steps: int, workers: int, log: Path) -> None:
    """What ``selftaught pretrain`` does, on batches that are written down."""
    to_file(log)
    given = {
        "data.path": str(data),
        "objective.name": "causal_lm",  # its batches hold the tokens as they are
        "model.size": "tiny",
        "train.steps": steps,
        "train.batch": _BATCH,
        "train.length": _LENGTH,
        "train.workers": workers,
        "train.threads": 1,
        "train.device": "cpu",
        "train.precision": "fp32",
        "train.save_seconds": 0,
    }
    run = Run(folder)
    with run.locked():
        ready = prepare_pretraining(run, compose(given))
        replace_file(run.recipe, ready.recipe.to_yaml())
        train = ready.recipe.train
        assert train.rate is not None
        optimizer = adamw(ready.learner, train.rate, weight_decay=train.weight_decay)
        plan = Plan.of(train, unit="tokens", per_sample=_LENGTH, checks=0)
        batches = Ledgered(**vars(ready.batches), ledger=ledger)
        steps_of = gradient_steps(ready.learner, batches.starting, optimizer, plan)
        if not fit(run, ready.learner, optimizer, steps_of, plan).interrupted:
            replace_file(folder / "done", str(len(ready.batches.source)))


def taken(ledger: Path) -> list[tuple[int, int, str]]:
    """The samples that stand behind the final weights, in their order: epoch, number, content."""
    found: list[tuple[int, int, str]] = []
    for line in ledger.read_text(encoding="utf-8").splitlines():
        fact = json.loads(line)
        if "begins" in fact:
            assert fact["begins"] <= len(found), "samples were left out between two processes"
            del found[fact["begins"] :]
        else:
            found += map(tuple, fact["taken"])
    return found


@pytest.mark.torture
@pytest.mark.parametrize("workers", [0, 2])
def test_no_sample_is_repeated_or_skipped(workers: int, tmp_path: Path, tried: Tried) -> None:
    data, drawn = tmp_path / "text.txt", random.Random(0)
    words = ["".join(drawn.choices("abcdefghij", k=5)) for _ in range(3_000)]  # no two rows are alike
    data.write_text("\n".join(" ".join(words[i : i + 10]) for i in range(0, 3_000, 10)), encoding="utf-8")
    moments, ways = random.Random(workers), [signal.SIGKILL] * 6 + [signal.SIGINT, signal.SIGTERM] * 2
    folder, ledger, log, steps = tmp_path / "run", tmp_path / "ledger", tmp_path / "said", 420
    interruptions = 0
    while not (folder / "done").exists():
        arguments = (data, folder, ledger, steps, workers, log)
        process = _FORKED.Process(target=train_and_write_down, args=arguments)
        process.start()
        started, before = Started(process, log), newest(folder)
        if interruptions < len(ways):
            started.until(lambda before=before: newest(folder) != before)
            time.sleep(moments.uniform(0, 0.15))
            if process.exitcode is None:
                started.signal(ways[interruptions])
                interruptions += 1
        assert started.wait() in (0, -signal.SIGKILL), started.said()
    length, found = int((folder / "done").read_text(encoding="utf-8")), taken(ledger)
    assert len(found) == steps * _BATCH > 2.5 * length
    repeated = skipped = other = 0
    for epoch in range(len(found) // length + 1):
        here = found[epoch * length : (epoch + 1) * length]
        numbers, contents = [number for _, number, _ in here], [content for _, _, content in here]
        other += sum(of != epoch for of, _, _ in here)
        repeated += len(here) - len({*numbers}) + len(here) - len({*contents})
        skipped += len({*range(length)} - {*numbers}) if len(here) == length else 0
    note = f"{interruptions} interruptions; {repeated} repeated, {skipped} skipped, by number and content"
    assert interruptions == len(ways)
    tried(f"4 · samples taken, {workers} workers", len(found), repeated + skipped + other, note)
