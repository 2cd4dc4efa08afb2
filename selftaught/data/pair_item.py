"""Pictures with what is written about them, before they are decoded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from selftaught.data.picture_item import PictureItem, PictureSource


@dataclass(frozen=True)
class PairItem(PictureItem):
    """A picture that is not decoded yet, and its texts.

    Args:
        texts: one caption or several; empty only where ``load`` refuses.
        empty: how many of its places for captions hold nothing.
        group: pictures of one group stay together when some are held out; "" for one that is its own.
    """

    texts: tuple[str, ...] = ()
    empty: int = 0
    group: str = ""


@dataclass(frozen=True)
class PairSource(PictureSource):
    """Where pictures with words come from; of ``items`` several may be of one picture.

    Args:
        frames: where there are clips for pictures, how many frames ``load`` gives of each: uint8 [F, 3, S, S].
    """

    items: Callable[[], Iterator[PairItem]]
    frames: int | None = None
