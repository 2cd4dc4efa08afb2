"""Views of pictures against kornia's, and what is to stay the same about them."""

import kornia
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.pretext.image import (
    Views,
    blur,
    crop_and_flip,
    grey,
    jitter,
    patches_of,
    solarise,
    turn_hue,
    turn_quarters,
)
from selftaught.randomness import Randomness


def some_pictures(count: int = 6, size: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def draws(count: int = 6, seed: int = 0) -> Randomness:
    return Randomness.of(seed, torch.zeros(count, dtype=torch.int64), torch.arange(count))


def test_grey_is_kornia_s() -> None:
    pictures = some_pictures()
    assert torch.allclose(grey(pictures)[:, :1], kornia.color.rgb_to_grayscale(pictures), atol=1e-6)


@pytest.mark.parametrize("turn", [-0.25, -0.1, 0.0, 0.05, 0.25])
def test_the_hue_is_turned_as_kornia_turns_it(turn: float) -> None:
    pictures = some_pictures()
    ours = turn_hue(pictures, torch.full((6,), turn))
    assert torch.allclose(ours, kornia.enhance.adjust_hue(pictures, turn * 2 * torch.pi), atol=1e-5)


def test_a_colour_without_hue_stays() -> None:
    greys = torch.rand(2, 1, 4, 4).expand(2, 3, 4, 4)
    assert torch.allclose(turn_hue(greys, torch.full((2,), 0.2)), greys)


def test_each_picture_is_blurred_as_kornia_blurs_it() -> None:
    pictures, sigma = some_pictures(4), torch.tensor([0.1, 0.7, 1.3, 2.0])
    wanted = [
        kornia.filters.gaussian_blur2d(one[None], (9, 9), (float(width), float(width)), border_type="reflect")
        for one, width in zip(pictures, sigma, strict=True)
    ]
    assert torch.allclose(blur(pictures, sigma), torch.cat(wanted), atol=1e-5)


def test_solarising_inverts_what_is_light() -> None:
    pictures = some_pictures()
    assert torch.allclose(solarise(pictures), kornia.enhance.solarize(pictures, 0.5), atol=1e-6)


def test_brightness_contrast_and_saturation_are_kornia_s() -> None:
    """With the factors that were drawn, in the same order, and then the hue."""
    pictures, rng = some_pictures(), draws()
    low, span = 0.6, 0.8
    factors = [low + span * rng.uniform(name) for name in ("brightness", "contrast", "saturation")]
    turn = (2 * rng.uniform("hue") - 1) * 0.1
    wanted = (pictures * factors[0].view(-1, 1, 1, 1)).clamp(0, 1)
    wanted = kornia.enhance.adjust_contrast_with_mean_subtraction(wanted, factors[1])
    grey_of = kornia.color.rgb_to_grayscale(wanted)
    wanted = (grey_of + (wanted - grey_of) * factors[2].view(-1, 1, 1, 1)).clamp(0, 1)
    wanted = kornia.enhance.adjust_hue(wanted, turn * 2 * torch.pi)
    assert torch.allclose(jitter(pictures, rng, 0.4, 1.0), wanted, atol=1e-5)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_quarter_turns_are_exact(quarters: list[int]) -> None:
    """No pixel is computed anew, and four quarters are none."""
    pictures, by = some_pictures(len(quarters)), torch.tensor(quarters)
    turned = turn_quarters(pictures, by)
    for one, k, result in zip(pictures, quarters, turned, strict=True):
        assert torch.equal(torch.rot90(one, k, (1, 2)), result)
    assert torch.equal(turn_quarters(turned, (4 - by) % 4), pictures)


def test_a_crop_of_everything_is_the_picture_or_its_mirror() -> None:
    pictures = some_pictures(32)
    rng = draws(32)
    views = crop_and_flip(pictures, _Square(rng), area=1.0, flip=0.5)
    mirrored = rng.uniform("flip") < 0.5
    assert 4 < int(mirrored.sum()) < 28
    assert torch.allclose(views, torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(3), pictures), atol=1e-5)


class _Square:
    """Draws whose ratio is one: a whole picture is then its own crop."""

    def __init__(self, rng: Randomness) -> None:
        self._rng = rng

    def uniform(self, name: str) -> torch.Tensor:
        drawn = self._rng.uniform(name)
        return torch.full_like(drawn, 0.5) if name == "ratio" else drawn


def test_a_crop_is_a_part_of_the_picture() -> None:
    """Of a picture that grows lighter to the right, a crop does so too, within what the picture has."""
    ramp = torch.linspace(0, 1, 32).expand(20, 3, 32, 32)
    views = crop_and_flip(ramp, draws(20), area=0.2, flip=0.0)
    assert (views.diff(dim=3) >= -1e-5).all()
    assert views.min() >= 0
    assert views.max() <= 1
    spans = views[:, 0, 0, -1] - views[:, 0, 0, 0]
    assert 0.3 < float(spans.min()) < float(spans.max()) < 1.0


def test_a_view_is_a_samples_own() -> None:
    """Whatever batch a picture is in, its view is the same."""
    pictures, how = some_pictures(6), Views(blur=0.5, solarise=0.5)
    together, rng = how(pictures, draws(6)), draws(6)
    alone = how(pictures[2:4], Randomness(rng.keys[2:4]))
    assert torch.allclose(together[2:4], alone, atol=1e-6)


@given(st.sampled_from([1, 2, 4, 8]))
def test_patches_are_numbered_row_by_row(size: int) -> None:
    pictures = torch.arange(2 * 3 * 64, dtype=torch.float32).view(2, 3, 8, 8)
    patches, across = patches_of(pictures, size), 8 // size
    for number in range(across * across):
        row, column = divmod(number, across)
        part = pictures[:, :, row * size : (row + 1) * size, column * size : (column + 1) * size]
        assert torch.equal(patches[:, number], part.permute(0, 2, 3, 1).flatten(1))
