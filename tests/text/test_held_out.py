"""The lines a loss is compared with, by hand."""

import math

import numpy as np
import pytest
import torch

from selftaught.text.held_out import held_out_measures, text_baseline

SPECIAL = torch.tensor([True, False, False, False])


def test_chance_and_unigram_by_hand() -> None:
    lines = text_baseline(SPECIAL, np.array([100, 2, 1, 1]), np.array([50, 1, 0, 3]))
    assert lines.chance == pytest.approx(math.log(3))
    assert lines.entropy == pytest.approx(1.5 * math.log(2))
    assert lines.unigram == pytest.approx((1 * math.log(2) + 3 * math.log(4)) / 4)


def test_a_token_that_was_never_seen_costs_something_finite() -> None:
    lines = text_baseline(SPECIAL, np.array([0, 10, 0, 0]), np.array([0, 0, 1, 0]))
    assert lines.unigram == pytest.approx(math.log(11 / 0.5))


def test_bits_per_byte_by_hand() -> None:
    lines = text_baseline(SPECIAL, np.array([0, 2, 1, 1]), np.array([0, 1, 1, 2]))
    found = held_out_measures({"loss": math.log(2), "accuracy": 0.5}, lines, tokens=30, text_bytes=120)
    assert found["bits_per_byte"] == pytest.approx(0.25)
    assert found["below_unigram"] == pytest.approx(lines.unigram - math.log(2))
    assert found["accuracy"] == 0.5
    assert held_out_measures({"loss": 1.0}, lines, tokens=0, text_bytes=0)["bits_per_byte"] is None
