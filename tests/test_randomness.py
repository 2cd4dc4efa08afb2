"""A sample's draw is a function of (seed, epoch, index), and looks like chance."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from selftaught.randomness import Randomness, derive, fingerprints

numbers = st.integers(0, 2**40)


def drawn(seed: int, epochs: list[int], indices: list[int]) -> Tensor:
    return Randomness.of(seed, torch.tensor(epochs), torch.tensor(indices)).uniform("mask", 5)


@given(samples=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9), seed=numbers, data=st.data())
def test_a_draw_does_not_depend_on_the_batch(samples: list[tuple[int, int]], seed: int, data: st.DataObject) -> None:
    whole = drawn(seed, [e for e, _ in samples], [i for _, i in samples])
    order = data.draw(st.permutations(range(len(samples))))
    mixed = drawn(seed, [samples[k][0] for k in order], [samples[k][1] for k in order])
    assert torch.equal(whole[torch.tensor(order)], mixed)
    epoch, index = samples[0]
    assert torch.equal(drawn(seed, [epoch], [index])[0], whole[0])


@given(a=st.tuples(numbers, numbers, numbers), b=st.tuples(numbers, numbers, numbers))
def test_another_seed_epoch_or_index_draws_something_else(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    one, other = (drawn(seed, [epoch], [index]) for seed, epoch, index in (a, b))
    assert torch.equal(one, other) == (a == b)


def many(count: int = 200_000) -> Randomness:
    return Randomness.of(0, torch.zeros(count, dtype=torch.int64), torch.arange(count))


def test_uniform_is_uniform() -> None:
    values = many().uniform("mask", 2)
    assert values.min() >= 0
    assert values.max() < 1
    shares = torch.histc(values, bins=50, min=0, max=1) / values.numel()
    assert shares == pytest.approx(torch.full((50,), 0.02), rel=0.05)
    assert float(torch.corrcoef(values.T)[0, 1]) == pytest.approx(0, abs=0.01)
    neighbours = torch.stack([values[:-1, 0], values[1:, 0]])
    assert float(torch.corrcoef(neighbours)[0, 1]) == pytest.approx(0, abs=0.01)


def test_integers_are_uniform() -> None:
    found = many().integers("stand-in", 7)
    assert torch.bincount(found.flatten(), minlength=7) / found.numel() == pytest.approx(
        torch.full((7,), 1 / 7), rel=0.03
    )


def test_named_draws_and_children_are_independent() -> None:
    rng = many()
    streams = [rng.uniform("a"), rng.uniform("b"), rng.child("x").uniform("a"), rng.child("y").uniform("a")]
    together = torch.stack(streams)
    assert float(torch.corrcoef(together).fill_diagonal_(0).abs().max()) < 0.01
    assert torch.equal(rng.child("x").uniform("a"), rng.child("x").uniform("a"))


@given(count=st.integers(1, 6), rows=st.integers(1, 4))
def test_shapes(count: int, rows: int) -> None:
    rng = Randomness.of(1, torch.zeros(rows, dtype=torch.int64), torch.arange(rows))
    assert rng.uniform("a", count, 2).shape == (rows, count, 2)
    assert rng.uniform("a").shape == (rows,)
    assert rng.integers("a", 3, count).dtype == torch.int64


def test_seeds_from_names_are_the_same_on_every_machine() -> None:
    assert derive("shift", 1, 2) == 27607378990509090
    assert len({derive("ab"), derive("a", "b"), derive("b", "a"), derive("a", "")}) == 4


@given(st.lists(st.integers() | st.text(max_size=5), max_size=4))
def test_derived_seeds_fit_torch(parts: list[int | str]) -> None:
    assert 0 <= derive(*parts) < 2**63
    torch.Generator().manual_seed(derive(*parts))


@given(
    rows=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=8), wider=st.integers(0, 3)
)
def test_only_equal_rows_have_one_fingerprint(rows: list[tuple[int, ...]], wider: int) -> None:
    """Padding does not count, but the order of the values and a zero at the end do."""
    values = torch.tensor(rows)
    numbers = fingerprints(values, torch.ones_like(values))
    assert (numbers[:, None] == numbers).tolist() == [[one == other for other in rows] for one in rows]
    padded = torch.cat([values, torch.full((len(rows), wider), 7)], 1)
    mask = torch.tensor([1] * 3 + [0] * wider).expand(len(rows), -1)
    assert torch.equal(fingerprints(padded, mask), numbers)
    assert fingerprints(values[:, :2], torch.ones_like(values[:, :2]))[0] != numbers[0]
