"""One picture from a file or from bytes: upright, red, green and blue, or a sentence that says why not."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from selftaught.data.files import not_a_file

MOST_PIXELS = 100_000_000  # a header that promises more is refused before anything is decoded
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_READERS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # whatever the suffix: that of EPS would start Ghostscript


class PictureProblem(ValueError):
    """Why a picture cannot be used, as a sentence without its name."""


def decode(content: Path | bytes, size: int) -> np.ndarray:
    """The picture as uint8 [3, size, size]: upright as its EXIF says, on white where it is transparent.

    Its sides are brought to ``size`` each, as transformers' image processors do it: what is at the borders stays. Of an
    animation it is the first frame; 16 bits become 8.

    Raises:
        PictureProblem: if it is broken, cut off, or has more than ``MOST_PIXELS``.
    """
    try:
        with _opened(content) as image:
            _refuse_too_large(image)
            if image.mode == "RGB":
                image.draft("RGB", (2 * size, 2 * size))  # JPEGs can be decoded smaller, and faster
            ImageOps.exif_transpose(image, in_place=True)
            small = _rgb(image).resize((size, size), Image.Resampling.BILINEAR)
    except PictureProblem:
        raise
    except Image.DecompressionBombError:
        raise PictureProblem(f"has more than {MOST_PIXELS:,} pixels, or says so") from None
    except UnidentifiedImageError:
        raise PictureProblem("is no picture that can be read") from None
    except MemoryError:
        raise PictureProblem("does not fit into memory") from None
    except Exception as error:  # noqa: BLE001 each format's reader has its own kinds of errors for broken files
        raise PictureProblem(f"is broken: {error}") from None
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def shape(content: Path | bytes) -> tuple[int, int]:
    """Width and height as the header says, 0, 0 if it says nothing."""
    try:
        with warnings.catch_warnings(), _opened(content) as image:
            warnings.simplefilter("ignore")  # decoding says what is wrong
            return image.size
    except Exception:  # noqa: BLE001 as above
        return 0, 0


@contextmanager
def _opened(content: Path | bytes) -> Iterator[Image.Image]:
    """A picture of which the header alone was read."""
    if isinstance(content, Path) and (why := not_a_file(content)):
        raise PictureProblem(why)
    with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=_READERS) as image:
        yield image


def _refuse_too_large(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise PictureProblem(f"has {width:,} x {height:,} pixels, and at most {MOST_PIXELS:,} are read")


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB."""
    if image.mode.startswith("I;16"):
        return _from_numbers(np.asarray(image) / 257)
    if image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        return _from_numbers(values / 257 if values.max(initial=0) > 255 else values)
    if "A" in image.getbands() or "transparency" in image.info:
        full = image.convert("RGBA")
        white = Image.new("RGBA", full.size, "white")
        return Image.alpha_composite(white, full).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_numbers(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).convert("RGB")
