"""Which samples come when: computed, the same whatever prepares them, and each once an epoch."""

import sys
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from selftaught.data.loader import Batches, permutation
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Numbered:
    """Samples that say which they are, and in which epoch."""

    length: int

    def __len__(self) -> int:
        return self.length

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        return {"index": torch.from_numpy(indices), "epoch": torch.from_numpy(epochs)}


@dataclass(frozen=True)
class Draw(Objective):
    """Adds a random number to each sample."""

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        return {**samples, "drawn": rng.uniform("number"), "n": len(samples["index"])}

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        raise NotImplementedError


def batches(length: int, size: int, *, seed: int = 0, workers: int = 0) -> Batches:
    return Batches(Numbered(length), Draw(), Spec(), size, seed, workers)


def seen(sequence: Batches, steps: int) -> list[tuple[int, int]]:
    """(epoch, index) of the first samples, in order."""
    found = [sequence.at(step * sequence.size) for step in range(steps)]
    return [pair for b in found for pair in zip(b["epoch"].tolist(), b["index"].tolist(), strict=True)]


@given(length=st.integers(1, 40), size=st.integers(1, 50), seed=st.integers(0, 99))
def test_every_epoch_shows_each_sample_once(length: int, size: int, seed: int) -> None:
    """Also where batches are larger than an epoch or lie across its end."""
    steps = -(-3 * length // size)
    order = seen(batches(length, size, seed=seed), steps)[: 3 * length]
    assert [epoch for epoch, _ in order] == [0] * length + [1] * length + [2] * length
    assert Counter(order) == Counter((epoch, index) for epoch in range(3) for index in range(length))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = [permutation(50, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_a_batch_across_the_end_of_an_epoch_draws_each_sample_as_of_its_own() -> None:
    """What is drawn for a sample is a function of (seed, epoch, index), not of the batch it came in."""
    whole = {
        (e, i): d
        for position in range(0, 40, 4)
        for b in [batches(10, 4).at(position)]
        for e, i, d in zip(b["epoch"].tolist(), b["index"].tolist(), b["drawn"].flatten().tolist(), strict=True)
    }
    across = batches(10, 7).at(7)
    assert set(across["epoch"].tolist()) == {0, 1}
    for e, i, d in zip(*(across[name].flatten().tolist() for name in ("epoch", "index", "drawn")), strict=True):
        assert whole[e, i] == d
    assert len(set(whole.values())) == len(whole)


@given(position=st.integers(0, 500), size=st.integers(1, 9), skipped=st.integers(0, 5))
def test_the_state_is_one_integer(position: int, size: int, skipped: int) -> None:
    sequence = batches(13, size)
    going_on = list(islice(sequence.starting(position), skipped + 1))[skipped]
    jumped = sequence.at(position + skipped * size)
    assert going_on.keys() == jumped.keys()
    assert jumped["size"] == size
    for name, value in jumped.items():
        assert torch.equal(torch.as_tensor(going_on[name]), torch.as_tensor(value)), name


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int) -> None:
    alone = islice(batches(10, 4).starting(8), 6)
    helped = islice(batches(10, 4, workers=workers).starting(8), 6)
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one["index"], other["index"])
        assert torch.equal(one["drawn"], other["drawn"])


def _interrupted() -> None:
    """What holds the iterator, and so the workers, is alive until the process ends."""
    drawing = batches(8, 2, workers=2).starting(0)
    next(drawing)
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(3)


def test_an_interrupted_process_does_not_wait_for_workers_that_wait_for_it() -> None:
    process = get_context("fork").Process(target=_interrupted)
    process.start()
    process.join(20)
    code = process.exitcode
    process.kill()
    assert code == 3
