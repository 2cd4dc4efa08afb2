"""Mixtures and pairs of sources are sources."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.compose import Mix, Zip
from selftaught.objective import Batch


@dataclass(frozen=True)
class Numbers:
    """Samples start, start + 1, …; in epoch e, 1000 e more, so that it shows which epoch was asked for."""

    start: int
    length: int
    name: str = "number"

    def __len__(self) -> int:
        return self.length

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        assert ((indices >= 0) & (indices < self.length)).all()
        return {self.name: torch.from_numpy(self.start + indices + 1000 * epochs)}


def all_of(source: Mix | Zip, epoch: int = 0) -> list[int]:
    return source.take(np.arange(len(source)), np.full(len(source), epoch))["number"].tolist()


def test_a_mixture_shows_every_sample_of_every_source() -> None:
    mixed = Mix((Numbers(0, 3), Numbers(100, 2)))
    assert all_of(mixed) == [0, 1, 2, 100, 101]
    assert all_of(mixed, epoch=2) == [2000, 2001, 2002, 2100, 2101]


def test_samples_keep_the_order_they_were_asked_for_in() -> None:
    mixed = Mix((Numbers(0, 3), Numbers(100, 2)))
    asked = np.array([4, 0, 3, 2, 4])
    assert mixed.take(asked, np.array([0, 1, 0, 1, 1]))["number"].tolist() == [101, 1000, 100, 1002, 1101]


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    weights=st.lists(st.integers(1, 9), min_size=4, max_size=4),
)
def test_shares_are_kept_and_nothing_is_left_out(lengths: list[int], weights: list[int]) -> None:
    shares = tuple(float(weight) for weight in weights[: len(lengths)])
    mixed = Mix(tuple(Numbers(100 * i, n) for i, n in enumerate(lengths)), shares)
    shown = Counter(number // 100 for number in all_of(mixed))
    assert set(all_of(mixed)) == {100 * i + j for i, n in enumerate(lengths) for j in range(n)}
    for i, share in enumerate(shares):
        wanted = len(mixed) * share / sum(shares)
        assert abs(shown[i] - wanted) <= len(lengths)  # rounding of each source


def test_a_sample_shown_more_often_than_another_is_so_by_one_at_most() -> None:
    shown = Counter(all_of(Mix((Numbers(0, 3), Numbers(100, 8)), shares=(1.0, 1.0))))
    assert {number: times for number, times in shown.items() if number < 100} == {0: 3, 1: 3, 2: 2}


def test_mixtures_of_mixtures() -> None:
    inner = Mix((Numbers(0, 1), Numbers(10, 1)))
    assert all_of(Mix((inner, Numbers(20, 1)))) == [0, 10, 20]


@pytest.mark.parametrize(
    ("shares", "why"), [((1.0,), "as many shares"), ((1.0, 0.0), "positive"), ((1.0, -2.0), "positive")]
)
def test_shares_that_cannot_be_meant(shares: tuple[float, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Mix((Numbers(0, 1), Numbers(10, 1)), shares)


def test_sources_of_different_kinds_do_not_mix() -> None:
    with pytest.raises(ValueError, match="same names"):
        all_of(Mix((Numbers(0, 1), Numbers(0, 1, name="picture"))))


def test_side_by_side() -> None:
    pairs = Zip((Numbers(0, 3), Numbers(100, 3, name="picture")))
    got = pairs.take(np.array([2, 0]), np.array([0, 1]))
    assert {name: values.tolist() for name, values in got.items()} == {"number": [2, 1000], "picture": [102, 1100]}
    assert len(pairs) == 3


def test_side_by_side_needs_equal_lengths_and_different_names() -> None:
    with pytest.raises(ValueError, match=r"\[3, 2\]"):
        Zip((Numbers(0, 3), Numbers(0, 2)))
    with pytest.raises(ValueError, match="number"):
        all_of(Zip((Numbers(0, 3), Numbers(0, 3))))
