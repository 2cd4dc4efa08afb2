"""Test rows and test pictures that are planted in what a model is pretrained on are found, as they are and altered."""

import io
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from selftaught.metrics.near_pictures import nearly_among, thumbnails
from selftaught.metrics.near_texts import NearFinder
from selftaught.metrics.overlap import OverlapFinder
from tests.torture.table import Tried

MOST_FALSE, LEAST_FOUND = 0.01, 0.95
_SYLLABLES = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "ar", "en", "il")]
_CHARACTERS = [chr(0x4E00 + 7 * number) for number in range(900)]


def sentences(count: int, chinese: bool, drawn: random.Random) -> list[str]:
    """Unlike sentences of words that are frequent as words are."""
    words = ["".join(drawn.choices(_CHARACTERS if chinese else _SYLLABLES, k=drawn.randint(1, 3))) for _ in range(3000)]
    weights = [1 / (place + 10) for place in range(len(words))]
    made = (drawn.choices(words, weights, k=drawn.randint(8, 30)) for _ in range(count))
    return ["".join(some) + "。" if chinese else " ".join(some).capitalize() + "." for some in made]


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _one_changed(text: str, drawn: random.Random) -> str:
    words = text.split(" ") if " " in text else list(text)
    words[drawn.randrange(len(words) - 1)] = drawn.choice(_SYLLABLES if " " in text else _CHARACTERS)
    return (" " if " " in text else "").join(words)


def _one_dropped(text: str, drawn: random.Random) -> str:
    words = text.split(" ") if " " in text else list(text)
    del words[drawn.randrange(len(words) - 1)]
    return (" " if " " in text else "").join(words)


ALTERED: list[Callable[[str, random.Random], str]] = [
    _one_changed,
    _one_dropped,
    lambda text, drawn: text.upper(),
    lambda text, drawn: _wide(text),
    lambda text, drawn: text.replace(" ", ", ", 2).replace("。", "！"),
    lambda text, drawn: text[:9] + " " + text[9:],
    lambda text, drawn: text.replace(" ", "", 1),
    lambda text, drawn: text.replace(" ", "  "),
]


@pytest.mark.parametrize("chinese", [False, True])
def test_texts(chinese: bool, tried: Tried) -> None:
    drawn = random.Random(0)
    read, unlike = sentences(4000, chinese, drawn), sentences(1000, chinese, drawn)
    exact = read[:100]
    near = [ALTERED[number % len(ALTERED)](text, drawn) for number, text in enumerate(read[100:200])]
    rows = [*exact, *near, *unlike]
    same, alike = OverlapFinder(rows), NearFinder(rows)
    for first in range(0, len(read), 20):
        for finder in (same, alike):
            finder.feed("\n".join(read[first : first + 20]))
    found = same.result() | alike.result()
    _judge("English" if not chinese else "Chinese", "rows", same.result()[:100], found[100:200], found[200:], tried)


def _judge(what: str, kind: str, exact: np.ndarray, near: np.ndarray, unlike: np.ndarray, tried: Tried) -> None:
    missed, false = int((~near).sum()), unlike.mean()
    assert near.mean() >= LEAST_FOUND
    assert false <= MOST_FALSE
    tried(
        f"leaked, {what}",
        len(exact),
        int((~exact).sum()),
        f"of {len(near)} near {kind} {missed} missed, {false:.1%} false",
    )


def scenes(count: int, drawn: np.random.Generator) -> list[Image.Image]:
    """Pictures as varied as photographs are: large shapes, and ever smaller ones on them (of a spectrum of 1 / f)."""
    rows, columns = np.meshgrid(np.fft.fftfreq(64), np.fft.rfftfreq(64), indexing="ij")
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / 64)
    noise = np.fft.irfft2(np.fft.rfft2(drawn.normal(size=(count, 3, 64, 64))) * falling, s=(64, 64))
    noise = 128 + 50 * noise / noise.std((1, 2, 3), keepdims=True)
    return [Image.fromarray(one.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)) for one in noise]


def _compressed(image: Image.Image) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "jpeg", quality=50)
    return Image.open(out).convert("RGB")


CHANGED: list[Callable[[Image.Image], Image.Image]] = [
    _compressed,
    lambda image: image.resize((96, 80)),
    lambda image: image.resize((40, 40)),
    lambda image: image.crop((2, 3, 62, 61)),
    lambda image: image.crop((0, 1, 61, 64)),
    lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    lambda image: _compressed(image.crop((1, 1, 63, 62)).resize((128, 128))),
]


def _pixels(images: Sequence[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image.resize((48, 48), Image.Resampling.BILINEAR)) for image in images]).transpose(
        0, 3, 1, 2
    )


def test_pictures(tried: Tried) -> None:
    made = scenes(600, np.random.default_rng(0))
    known = _pixels(made[:300])
    near = _pixels([CHANGED[number % len(CHANGED)](image) for number, image in enumerate(made[100:200])])
    rows = thumbnails(np.concatenate([known[:100], near, _pixels(made[300:])]))
    found = nearly_among(rows, thumbnails(known))
    assert found[:100].tolist() == list(range(100))
    right = found[100:200] == np.arange(100, 200)
    _judge("pictures", "ones", found[:100] >= 0, right, found[200:] >= 0, tried)
