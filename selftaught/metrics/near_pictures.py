"""Which pictures show what others show: compressed again, of another size, a little cropped, brighter or darker.

Pictures are compared as small grey squares. For each the few that are most like it on a coarse grid are looked at more
closely: one of the two is cropped in many ways, until both correlate as only the same picture does.
"""

from functools import cache

import numpy as np

SIDE = 32  # pixels of a square
TOLD_APART = 16  # pixels a side, from which on likeness says something: all small zeros look alike
_COARSE, _FINE = 8, 16
_CROPPED = (0.0, 0.03, 0.06)  # shares of a side that may be missing at each end
_LOOKED_AT = 8
_ALIKE = 0.96  # of pictures that are not the same, hardly any correlate so (docs/lab.md)
_FLAT = 2.0  # of 255: what differs by less from its mean shows nothing
_BLOCK = 4096


def thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Pictures uint8 [N, 3, S, S] as grey squares uint8 [N, 32, 32]."""
    shrink = _windows(pixels.shape[-1], SIDE, (0.0,))[0]
    grey = (pixels[first : first + 256].mean(1, dtype=np.float32) for first in range(0, len(pixels), 256))
    blocks = [shrink @ some @ shrink.T for some in grey]
    return np.concatenate(blocks or [np.zeros((0, SIDE, SIDE))]).round().astype(np.uint8)


def nearly_among(pictures: np.ndarray, known: np.ndarray) -> np.ndarray:
    """For each picture the place of a known one that it nearly is, or -1: int64 [N].

    Both are squares as :func:`thumbnails` makes them, uint8 [N, 32, 32] and [M, 32, 32]. What is flat is near nothing.
    """
    found = np.full(len(pictures), -1, np.int64)
    shown = np.flatnonzero(pictures.std((1, 2)) >= _FLAT)
    places = _most_alike(pictures[shown], known)
    for row, some in zip(shown, places, strict=True):
        alike = _closely(pictures[row], known[some])
        if len(some) and alike.max() >= _ALIKE:
            found[row] = some[alike.argmax()]
    return found


def _most_alike(pictures: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The places of the few known ones that are most like each picture on a coarse grid, int64 [N, n]."""
    shrink = _windows(SIDE, _COARSE, (0.0,))[0]
    own = _centred(shrink @ pictures.astype(np.float32) @ shrink.T)
    best, places = np.zeros((len(pictures), 0), np.float32), np.zeros((len(pictures), 0), np.int64)
    for first in range(0, len(known), _BLOCK):
        block = known[first : first + _BLOCK]
        cosines = own @ _centred(shrink @ block.astype(np.float32) @ shrink.T).T
        best = np.concatenate([best, cosines], 1)
        places = np.concatenate([places, np.broadcast_to(np.arange(first, first + len(block)), cosines.shape)], 1)
        order = np.argpartition(-best, min(_LOOKED_AT, best.shape[1]) - 1)[:, :_LOOKED_AT]
        best, places = np.take_along_axis(best, order, 1), np.take_along_axis(places, order, 1)
    return places


def _closely(picture: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The greatest correlation of a picture [32, 32] with each other [n, 32, 32], either one cropped or none: [n]."""
    both = np.concatenate([picture[None], others]).astype(np.float32)
    cut = _windows(SIDE, _FINE, _CROPPED)  # [c, 16, 32]
    cropped = _centred(cut[:, None, None] @ both @ cut.transpose(0, 2, 1)[:, None])  # [c, c, 1 + n, 256]
    whole = cropped[0, 0]
    theirs = np.einsum("abnd,d->abn", cropped[:, :, 1:], whole[0]).max((0, 1))
    own = np.einsum("abd,nd->abn", cropped[:, :, 0], whole[1:]).max((0, 1))
    return np.maximum(theirs, own)


def _centred(squares: np.ndarray) -> np.ndarray:
    """Squares [..., s, s] as vectors of length one about their means, [..., s * s]."""
    flat = squares.reshape(*squares.shape[:-2], -1)
    flat = flat - flat.mean(-1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-6)


@cache
def _windows(side: int, out: int, margins: tuple[float, ...]) -> np.ndarray:
    """What brings a row of ``side`` pixels, without a share at either end, to ``out``: [m * m, out, side]."""
    made = []
    for before in margins:
        for behind in margins:
            edges = np.linspace(before * side, side - behind * side, out + 1)
            pixel = np.arange(side)
            covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
            weights = covered.clip(0)
            made.append(weights / weights.sum(1, keepdims=True))
    return np.array(made, np.float32)
