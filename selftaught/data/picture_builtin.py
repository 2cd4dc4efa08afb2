"""Pictures that every machine has: digits that scikit-learn brings, and the glyphs of matplotlib's fonts."""

import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.files import suggestion
from selftaught.data.picture_arrays import array_items
from selftaught.data.picture_item import PictureItem, PictureSource, fingerprint
from selftaught.data.tally import WHOLE_FILE
from selftaught.errors import SelftaughtError

BUILTIN = "builtin:"


def builtin_pictures(name: str) -> PictureSource:
    """Those called ``builtin:`` and this name.

    Raises:
        SelftaughtError: if there are none.
    """
    if name not in BUILTIN_PICTURES:
        do = suggestion(name, BUILTIN_PICTURES) or "there are: " + ", ".join(
            f"{BUILTIN}{known}" for known in BUILTIN_PICTURES
        )
        raise SelftaughtError(f"there are no built-in pictures called {name!r}", do=do)
    return BUILTIN_PICTURES[name]()


def _digits() -> PictureSource:
    from sklearn.datasets import load_digits

    found = load_digits()
    pictures = (found.images * (255 / 16)).round().astype(np.uint8)
    labels = [str(digit) for digit in found.target]
    items = partial(array_items, pictures, labels, f"{BUILTIN}digits")
    return PictureSource(f"{len(pictures):,} handwritten digits of 8 x 8, labelled", "digits", items)


def _glyphs() -> PictureSource:
    """The glyphs of the fonts that come with matplotlib; the first word of a glyph's Unicode name is its label."""
    import matplotlib
    from matplotlib.ft2font import FT2Font

    fonts = sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVu*.ttf"))

    def items() -> Iterator[PictureItem]:
        for font in fonts:
            for code in sorted(FT2Font(str(font)).get_charmap()):
                name = unicodedata.name(chr(code), "")
                if name and unicodedata.category(chr(code))[0] in "LNS":
                    drawn = partial(_draw_glyph, font, chr(code))
                    yield PictureItem(f"{font.name}/U+{code:04X}", WHOLE_FILE, name.split()[0], drawn, lambda: (32, 32))

    said = f"the glyphs of {len(fonts)} fonts, labelled with the first word of their Unicode names"
    return PictureSource(said, fingerprint(fonts), items)


def _draw_glyph(font: Path, character: str, size: int) -> np.ndarray:
    """Black on white, in the middle."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (size, size), 255)
    ImageDraw.Draw(image).text((size / 2, size / 2), character, fill=0, font=_font(font, size), anchor="mm")
    return np.ascontiguousarray(np.broadcast_to(np.asarray(image), (3, size, size)))


@lru_cache(maxsize=32)
def _font(font: Path, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(font), round(0.7 * size))


BUILTIN_PICTURES: dict[str, Callable[[], PictureSource]] = {"digits": _digits, "glyphs": _glyphs}
