"""Which pictures nearly are one before them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from selftaught.metrics.near_copies import difference_hash, near_copies

HASHES = st.lists(
    st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 3, 7, 15, 2**63, 2**63 + 1])), max_size=20
)


@given(HASHES)
def test_near_is_three_bits_and_the_first_before_it_counts(values: list[int]) -> None:
    wanted = [
        next((j for j in range(i) if here and values[j] and (values[j] ^ here).bit_count() <= 3), -1)
        for i, here in enumerate(values)
    ]
    assert near_copies(np.array(values, np.uint64)).tolist() == wanted


def test_a_smaller_and_a_darker_picture_are_near_and_another_is_not() -> None:
    drawn = np.random.default_rng(0)
    pictures = [drawn.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(2)]
    one, other = (np.asarray(Image.fromarray(p).resize((32, 32), Image.Resampling.BICUBIC)) for p in pictures)
    smaller = np.asarray(Image.fromarray(one).resize((24, 24)).resize((32, 32)))
    darker = (one * 0.8).astype(np.uint8)
    hashes = [difference_hash(p.transpose(2, 0, 1)) for p in (one, smaller, darker, other)]
    assert near_copies(np.array(hashes, np.uint64)).tolist() == [-1, 0, 0, -1]


def test_flat_pictures_are_near_none() -> None:
    flat = [difference_hash(np.full((3, 32, 32), shade, np.uint8)) for shade in (0, 128, 255)]
    assert flat == [0, 0, 0]
    assert near_copies(np.array(flat, np.uint64)).tolist() == [-1, -1, -1]
