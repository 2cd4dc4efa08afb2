"""What a private run promises, and what is refused for that."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from opacus.accountants import RDPAccountant
from torch import nn

from selftaught import lookup
from selftaught.errors import SelftaughtError
from selftaught.private.guarantee import Guarantee, promised
from selftaught.private.key import forget_key, noise_key
from selftaught.private.refusing import refuse_shared_statistics, refuse_what_has_no_bound
from selftaught.recipe import Privacy, Recipe, Train
from selftaught.run.folder import Run

GUARANTEE = Guarantee(delta=1e-5, noise=0.9, clip=1.0, samples=1000, batch=50, steps=40, unit="each text")


def recipe(**privacy: float) -> Recipe:
    return Recipe(privacy=Privacy(**privacy), train=Train(batch=50))  # type: ignore[arg-type]


@pytest.mark.parametrize(("noise", "steps"), [(0.5, 1), (0.9, 40), (3.0, 1000)])
def test_epsilon_is_what_opacus_counts_step_by_step(noise: float, steps: int) -> None:
    accountant = RDPAccountant()
    for _ in range(steps):
        accountant.step(noise_multiplier=noise, sample_rate=0.05)
    assert replace(GUARANTEE, noise=noise).spent(steps) == pytest.approx(accountant.get_epsilon(1e-5), rel=1e-9)


def test_without_a_step_nothing_is_spent() -> None:
    assert GUARANTEE.spent(0) == 0.0
    assert GUARANTEE.spent(1) < GUARANTEE.spent(2) < GUARANTEE.epsilon == GUARANTEE.spent(40)


@pytest.mark.parametrize("epsilon", [0.3, 1.0])
def test_the_noise_is_the_least_that_keeps_to_epsilon(epsilon: float) -> None:
    resolved, found = promised(recipe(epsilon=epsilon), samples=1000, steps=40, unit="each text")
    assert 0.98 * epsilon < found.epsilon <= epsilon
    assert found.delta == pytest.approx(1000**-1.1)
    again, same = promised(resolved, samples=1000, steps=40, unit="each text")  # as a resumed run does
    assert (again, same) == (resolved, found)


def test_noise_that_does_not_keep_to_epsilon_is_refused() -> None:
    with pytest.raises(SelftaughtError, match="spends epsilon"):
        promised(recipe(epsilon=1.0, noise=0.5), samples=1000, steps=40, unit="each text")


def test_one_sample_cannot_be_hidden() -> None:
    with pytest.raises(SelftaughtError, match="one sample"):
        promised(recipe(epsilon=1.0), samples=1, steps=40, unit="each text")


@given(step=st.integers(1, 1000))
def test_each_sample_is_drawn_by_itself(step: int) -> None:
    """Poisson sampling: one sample more changes nothing for the others, and the number of those drawn varies."""
    drawn = GUARANTEE.drawn("key", step)
    assert (np.diff(drawn) > 0).all()
    more = replace(GUARANTEE, samples=1020, batch=51).drawn("key", step)  # the same rate
    assert drawn.tolist() == more[more < 1000].tolist()


def test_as_many_are_drawn_as_the_accountant_takes_for_granted() -> None:
    counts = np.array([len(GUARANTEE.drawn("key", step)) for step in range(400)])
    assert counts.mean() == pytest.approx(50, abs=4 * np.sqrt(50 * 0.95 / 400))
    assert counts.var() == pytest.approx(50 * 0.95, rel=0.4)
    assert GUARANTEE.drawn("key", 1).tolist() != GUARANTEE.drawn("another key", 1).tolist()


MIXING = ["clip", "dino", "future", "nsp", "simclr", "simcse", "sop", "tsdae", "vicreg", "distill", "mlm+nsp"]


@pytest.mark.parametrize("name", MIXING)
def test_what_one_sample_reaches_by_other_ways_is_refused_with_the_reason(name: str) -> None:
    objective = lookup.make(name, lookup.OBJECTIVES, {})
    with pytest.raises(SelftaughtError, match="cannot be trained with --private"):
        refuse_what_has_no_bound(objective)


@pytest.mark.parametrize("name", ["causal_lm", "electra", "mlm", "mlm+causal_lm"])
def test_sums_over_samples_are_not_refused(name: str) -> None:
    refuse_what_has_no_bound(lookup.make(name, lookup.OBJECTIVES, {}))


def test_batch_normalisation_is_refused() -> None:
    with pytest.raises(SelftaughtError, match="1 normalises over the batch"):
        refuse_shared_statistics(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    refuse_shared_statistics(nn.LayerNorm(2))


def test_the_key_is_the_system_s_and_lives_as_long_as_the_run(tmp_path: Path) -> None:
    runs = [Run(tmp_path / name) for name in "ab"]
    for run in runs:
        run.folder.mkdir()
    keys = [noise_key(run, recipe(epsilon=8.0)) for run in runs]
    assert keys[0] != keys[1]
    assert noise_key(runs[0], recipe(epsilon=8.0)) == keys[0]
    (file,) = runs[0].folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    forget_key(runs[0])
    assert not [*runs[0].folder.iterdir()]


def test_a_run_whose_key_is_gone_does_not_go_on(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "step-000000001").mkdir(parents=True)
    with pytest.raises(SelftaughtError, match="key of this run's noise is gone"):
        noise_key(Run(tmp_path), recipe(epsilon=8.0))


def test_a_seeded_run_has_no_secret(tmp_path: Path) -> None:
    assert noise_key(Run(tmp_path), recipe(epsilon=8.0, seeded=True)) == "seed 0"
    assert not [*tmp_path.iterdir()]
    assert any("protects nobody" in line for line in replace(GUARANTEE, seeded=True).lines())
    assert torch.equal(torch.tensor(GUARANTEE.drawn("seed 0", 3)), torch.tensor(GUARANTEE.drawn("seed 0", 3)))
