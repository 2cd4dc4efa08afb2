"""How vectors lie, by hand: on a circle two at a right angle are a squared distance of 2 apart."""

import math

import pytest
import torch

from selftaught.metrics.spread import alignment, uniformity


def test_alignment_is_the_squared_distance() -> None:
    angles = torch.tensor([0.0, 1.0, math.pi / 2, math.pi])
    one = torch.tensor([1.0, 0.0])
    others = torch.stack([angles.cos(), angles.sin()], 1)
    assert alignment(others @ one).tolist() == pytest.approx(((others - one) ** 2).sum(1).tolist(), abs=1e-6)


def test_uniformity() -> None:
    assert float(uniformity(torch.tensor([1.0, 1.0]))) == 0.0
    assert float(uniformity(torch.tensor([0.0]))) == pytest.approx(-4.0)
    expected = math.log((math.exp(0) + math.exp(-2 * 2) + math.exp(-2 * 4)) / 3)
    assert float(uniformity(torch.tensor([1.0, 0.0, -1.0]))) == pytest.approx(expected)
    assert float(uniformity(torch.tensor([]))) == 0.0
