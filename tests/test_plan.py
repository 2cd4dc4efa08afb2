"""What a run will cost, and which size a budget is worth."""

import pytest

from selftaught.backbones.presets import SIZES
from selftaught.plan import WORTHWHILE_TOKENS, choose_size, default_rate


@pytest.mark.parametrize("size", SIZES)
def test_the_largest_size_that_is_worth_its_tokens(size: str) -> None:
    assert choose_size(lambda _: WORTHWHILE_TOKENS[size]) == size
    assert list(SIZES) == list(WORTHWHILE_TOKENS)


def test_a_size_is_measured_only_if_the_one_below_was_worth_it() -> None:
    asked: list[str] = []

    def tokens(size: str) -> float:
        asked.append(size)
        return 1.0

    assert choose_size(tokens) == "tiny"
    assert asked == ["tiny", "small"]


def test_a_size_that_is_too_slow_is_not_chosen() -> None:
    seen = {"tiny": 1e9, "small": 1e8, "medium": 1e8, "base": 1e7}
    assert choose_size(seen.__getitem__) == "small"


def test_the_rate_falls_with_the_width_and_for_trained_networks() -> None:
    assert default_rate(128, trained=False) == 2 * default_rate(256, trained=False)
    assert default_rate(256, trained=True) < default_rate(256, trained=False)
