"""Views of pictures: what may be changed about one so that it stays the same. Batched, on the pictures' device.

Pictures are float32 [N, C, H, W] in [0, 1]; every draw is a sample's own (:mod:`selftaught.randomness`). The operations
are those of SimCLR (Chen et al. 2020, appendix A), each defined as kornia and torchvision define it.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from selftaught.randomness import Randomness

_GREY = (0.299, 0.587, 0.114)  # ITU-R 601, as everybody in the field


@dataclass(frozen=True)
class Views:
    """How a picture may be changed.

    Args:
        area: the smallest share of the picture that a crop keeps.
        flip: the probability of a mirror image.
        jitter: the strength of changes to brightness, contrast and saturation; a quarter of it is that of the hue.
        jitter_rate: the probability that there are any.
        grey: the probability of grey.
        blur: the probability of a blur, whose width is drawn from 0.1 to 2 pixels.
        solarise: the probability that what is lighter than a half is inverted.
    """

    area: float = 0.2
    flip: float = 0.5
    jitter: float = 0.4
    jitter_rate: float = 0.8
    grey: float = 0.2
    blur: float = 0.0
    solarise: float = 0.0

    def __call__(self, pictures: Tensor, rng: Randomness) -> Tensor:
        """One view of each."""
        views = crop_and_flip(pictures, rng, area=self.area, flip=self.flip)
        if self.jitter and self.jitter_rate:
            views = jitter(views, rng, self.jitter, self.jitter_rate)
        if self.grey:
            views = torch.where(_with(rng, "grey", self.grey), grey(views), views)
        if self.blur:
            sigma = 0.1 + 1.9 * rng.uniform("sigma").to(views.device)
            views = torch.where(_with(rng, "blur", self.blur), blur(views, sigma), views)
        if self.solarise:
            views = torch.where(_with(rng, "solarise", self.solarise), solarise(views), views)
        return views


def _with(rng: Randomness, name: str, probability: float) -> Tensor:
    """Whether each sample gets it: bool [N, 1, 1, 1]."""
    return (rng.uniform(name) < probability).view(-1, 1, 1, 1)


def crop_and_flip(pictures: Tensor, rng: Randomness, *, area: float, flip: float) -> Tensor:
    """A part of each picture brought to its full size, now and then mirrored (Szegedy et al. 2015, section 6).

    The part's share of the area is drawn evenly from ``area`` to 1, the ratio of its sides from 3/4 to 4/3, and its
    place. Bilinear.
    """
    size = pictures.shape[-1]
    share = area + (1 - area) * rng.uniform("area")
    ratio = ((rng.uniform("ratio") * 2 - 1) * math.log(4 / 3)).exp()
    wide, high = ((share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1))
    left, top = ((1 - part) * (2 * rng.uniform(name) - 1) for part, name in ((wide, "left"), (high, "top")))
    mirrored = torch.where(rng.uniform("flip") < flip, -1.0, 1.0)
    zero = torch.zeros_like(wide)
    rows = [torch.stack([wide * mirrored, zero, left], 1), torch.stack([zero, high, top], 1)]
    grid = F.affine_grid(torch.stack(rows, 1).to(pictures), [len(pictures), 1, size, size], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def jitter(pictures: Tensor, rng: Randomness, strength: float, rate: float) -> Tensor:
    """Brightness, contrast, saturation and hue, each changed by a factor or an angle of its own, in this order.

    Only the pictures that are changed are computed, and in place: the time goes into memory, not into numbers.
    """
    chosen = (rng.uniform("jitter") < rate).nonzero().squeeze(1)
    low, span = max(0.0, 1 - strength), min(1.0, strength) + strength
    names = ("brightness", "contrast", "saturation")
    brighter, contrast, colour = ((low + span * rng.uniform(name)[chosen]).to(pictures) for name in names)
    turn = ((2 * rng.uniform("hue")[chosen] - 1) * strength / 4).to(pictures)
    chosen = chosen.to(pictures.device)
    changed = pictures[chosen].mul_(_as(brighter)).clamp_(0, 1)
    _move(changed, _lightness(changed).mean((2, 3), keepdim=True), contrast)
    _move(changed, _lightness(changed), colour)
    return pictures.index_copy(0, chosen, turn_hue(changed, turn))


def _as(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _move(pictures: Tensor, other: Tensor, factor: Tensor) -> None:
    """Bring pictures so many times as far from ``other`` as they are, in place."""
    pictures.mul_(_as(factor)).add_(other * _as(1 - factor)).clamp_(0, 1)


def _lightness(pictures: Tensor) -> Tensor:
    """[N, 3, H, W] to [N, 1, H, W]."""
    red, green, blue = pictures.split(1, 1)
    return (red * _GREY[0]).add_(green, alpha=_GREY[1]).add_(blue, alpha=_GREY[2])


def grey(pictures: Tensor) -> Tensor:
    """The lightness, in as many channels as there were."""
    return _lightness(pictures).expand_as(pictures)


def turn_hue(pictures: Tensor, turn: Tensor) -> Tensor:
    """The hue of HSV turned by a share of the circle, [N]; saturation and value stay.

    By a closed form of HSV: a channel is ``v - v s max(0, min(k, 4 - k, 1))`` with ``k = n + 6 h`` modulo 6, and n of
    5, 3 and 1 for red, green and blue.
    """
    value, low = pictures.amax(1), pictures.amin(1)
    chroma = value - low
    red, green, blue = pictures.unbind(1)
    span = chroma.clamp(min=1e-8)
    sixth = torch.where(
        value == red,
        (green - blue).div_(span),
        torch.where(value == green, (blue - red).div_(span).add_(2), (red - green).div_(span).add_(4)),
    )
    sixth.add_(6 * turn.view(-1, 1, 1))
    turned = torch.empty_like(pictures)
    for channel, n in enumerate((5.0, 3.0, 1.0)):
        place = sixth + n
        place.sub_(place.div(6).floor_().mul_(6))
        share = torch.minimum(place, 4 - place).clamp_(0, 1)
        torch.addcmul(value, share, chroma, value=-1, out=turned[:, channel])
    return turned


def blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian blur of a width of its own for each, in pixels, [N]; nine pixels are looked at in each direction."""
    count, channels, height, width = pictures.shape
    places = torch.arange(-4, 5, device=pictures.device, dtype=pictures.dtype)
    weights = (-0.5 * (places / sigma.to(pictures)[:, None]) ** 2).exp()
    weights = (weights / weights.sum(1, keepdim=True)).repeat_interleave(channels, 0)  # [N*C, 9]
    flat = F.pad(pictures, (4, 4, 4, 4), mode="reflect").reshape(1, count * channels, height + 8, width + 8)
    flat = F.conv2d(flat, weights[:, None, None], groups=count * channels)
    return F.conv2d(flat, weights[:, None, :, None], groups=count * channels).view_as(pictures)


def solarise(pictures: Tensor) -> Tensor:
    """What is lighter than a half is inverted."""
    return torch.where(pictures < 0.5, pictures, 1 - pictures)


def turn_quarters(pictures: Tensor, quarters: Tensor) -> Tensor:
    """Each picture turned counter-clockwise by as many quarters, [N] of 0 to 3: exactly, no pixel is computed anew."""
    turned = torch.stack([torch.rot90(pictures, k, (2, 3)) for k in range(4)])
    return turned[quarters, torch.arange(len(pictures), device=pictures.device)]


def mixed_tiles(pictures: Tensor, rng: Randomness, grid: int, *, area: float) -> tuple[Tensor, Tensor]:
    """Pictures cut into ``grid`` x ``grid`` tiles, each cropped a little, and mixed (Noroozi and Favaro 2016).

    Args:
        area: the smallest share of a tile that its crop keeps.

    Returns:
        the mixed pictures, and which tile lies at each place, row by row: int64 [N, grid * grid].

    Raises:
        ValueError: if they cannot be cut so.
    """
    size = pictures.shape[-1]
    if size % grid:
        raise ValueError(f"pictures of {size} pixels cannot be cut into {grid} x {grid} equal tiles")
    tiles = pictures.unfold(2, size // grid, size // grid).unfold(3, size // grid, size // grid)
    tiles = tiles.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)  # [N, G * G, 3, h, w]
    cropped = [
        crop_and_flip(tiles[:, number], rng.child(f"tile {number}"), area=area, flip=0.0)
        for number in range(grid * grid)
    ]
    order = rng.uniform("mixed", grid * grid).argsort(1)
    mixed = torch.stack(cropped, 1)[torch.arange(len(order))[:, None], order]
    return mixed.unflatten(1, (grid, grid)).permute(0, 3, 1, 4, 2, 5).reshape(pictures.shape), order


def patches_of(pictures: Tensor, size: int) -> Tensor:
    """[N, C, H, W] to patches [N, P, size * size * C], row by row, as MAE numbers them."""
    count, channels, height, width = pictures.shape
    cut = pictures.view(count, channels, height // size, size, width // size, size)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(count, -1, size * size * channels)


def joined_patches(patches: Tensor, size: int, across: int | None = None) -> Tensor:
    """The inverse of :func:`patches_of` for pictures that are ``across`` patches wide; square ones, if not given."""
    count, number, values = patches.shape
    across = across or math.isqrt(number)
    down, channels = number // across, values // size**2
    cut = patches.view(count, down, across, size, size, channels).permute(0, 5, 1, 3, 2, 4)
    return cut.reshape(count, channels, down * size, across * size)
