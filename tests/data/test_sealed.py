"""Facts that know when they were damaged."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.errors import SelftaughtError

FACTS: dict[str, Any] = {
    "asked": {"seed": 3, "rate": 0.1},
    "files": ["ä.md", "b.md:7"],
    "held_out": [0, 1],
    "none": None,
}


def test_facts_come_back(tmp_path: Path) -> None:
    write_sealed(tmp_path / "facts.json", FACTS, indent=1)
    assert read_sealed(tmp_path / "facts.json") == FACTS
    assert [*tmp_path.iterdir()] == [tmp_path / "facts.json"]


def test_facts_that_nobody_wrote_are_none(tmp_path: Path) -> None:
    assert read_sealed(tmp_path / "facts.json") is None


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("sealed") / "facts.json"
    write_sealed(file, FACTS)
    return file.read_bytes()


@given(place=st.data())
def test_each_flipped_bit_and_each_truncation_is_found(
    sealed: bytes, tmp_path_factory: pytest.TempPathFactory, place: st.DataObject
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.json"
    bit = place.draw(st.integers(0, 8 * len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    for content in (bytes(flipped), sealed[: bit // 8]):
        file.write_bytes(content)
        with pytest.raises(SelftaughtError, match=r"damaged\.json"):
            read_sealed(file)
