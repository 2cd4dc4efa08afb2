"""The word2vec kernel: skip-gram and CBOW with negative sampling (Mikolov et al. 2013), compiled by numba.

A shallow model is bound by how often rows of its two matrices are fetched, not by arithmetic. So the noise words are
drawn once for some windows and shared by all their words, after Ji et al. 2016 ("Parallelizing Word2Vec in Shared and
Distributed Memory", section 3): a window of six words with five noise words fetches 8 rows, not 72, and what was a dot
product a time is a small matrix product on rows that lie in the nearest cache. Threads update the matrices without
locks (Recht et al. 2011, "Hogwild!"): an update lost is noise. What holds two threads up is that both write the rows
of common words, which then travel between their caches; noise words, drawn by frequency, are mostly common, and are
written back once for ``SHARED`` windows. These have no word in common: windows that overlap and share their noise too
learn less well (docs/lab.md).

The loops over the numbers of a vector are written so that the compiler turns them into vector instructions: their
length is a constant of the compiled code, and six outputs are met at a time, each with an accumulator of its own.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np

TILE = 6  # outputs met at a time: a target with five noise words, the usual number
SHARED = 4  # windows that have the same noise words; they stand so far apart that they do not overlap
_ROWS = 4  # inputs added up at a time
CLIP = 12.0  # a score beyond it counts as one that far: its gradient is below 1e-5
_STEPS = 4096  # of the table of the logistic function between -CLIP and CLIP; between them it is interpolated
_TABLE = np.append(1 / (1 + np.exp(-np.linspace(-CLIP, CLIP, _STEPS + 1))), 1.0).astype(np.float32)
_SCALE = np.float32(_STEPS / (2 * CLIP))

Kernel = Callable[..., tuple[float, int]]
"""``(ids, bounds, keep, share, other, inputs, outputs, rate, seed)`` to the summed loss in nats, and over how many
predictions. The arrays are

- ``ids`` int32 [N]: a piece of the corpus; ``bounds`` int64 [S + 1]: where its documents begin, and its end. No window
  reaches over a bound.
- ``keep`` float32 [V]: how likely a word is to be read; the others are dropped before windows are formed.
- ``share`` float32 [V], ``other`` int32 [V]: the table that noise words are drawn by (Walker 1977): a word is drawn
  evenly, and kept with its share, or else its other is taken.
- ``inputs``, ``outputs`` float32 [V, D]: changed in place.

``rate`` is the step size and ``seed`` a number that decides all draws.
"""


def _compiled(loop: Any) -> Any:
    """The loop as machine code, kept for later processes where there is a folder to keep it in."""
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(loop)
    except RuntimeError:  # neither the package nor the user's home can be written
        return numba.njit(**options)(loop)


@numba.njit(inline="always")
def advance(state: Any) -> Any:
    """The next state of a random number generator (Marsaglia 2003, "Xorshift RNGs", section 3), uint64."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    return state ^ (state << np.uint64(17))


@numba.njit(inline="always")
def below(state: Any, limit: Any) -> Any:
    """A number below ``limit`` (under 2^32) from the upper half of a state."""
    return np.int64(((state >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))


@numba.njit(inline="always")
def fraction(state: Any) -> Any:
    """A float32 in [0, 1) from the lower 24 bits of a state."""
    return np.float32(state & np.uint64(0xFFFFFF)) * np.float32(2.0**-24)


@numba.njit(inline="always")
def logistic(score: Any) -> Any:
    """The logistic function of a score that is clipped at ``CLIP``; off by less than 1e-5 of itself."""
    place = (min(max(score, np.float32(-CLIP)), np.float32(CLIP)) + np.float32(CLIP)) * _SCALE
    step = np.int64(place)
    return _TABLE[step] + (place - np.float32(step)) * (_TABLE[step + 1] - _TABLE[step])


@numba.njit(inline="always")
def _read(ids: Any, keep: Any, kept: Any, state: Any) -> Any:
    """Copy the words that are read into ``kept``; how many they are, and the new state."""
    count = 0
    for i in range(len(ids)):
        state = advance(state)
        if fraction(state) < keep[ids[i]]:
            kept[count] = ids[i]
            count += 1
    return count, state


@numba.njit(inline="always")
def _arrange(count: Any, stride: Any, order: Any, fresh: Any) -> None:
    """Such an order of windows that ``SHARED`` in a row are ``stride`` apart; true where such a group begins."""
    turn = 0
    for begin in range(0, count, SHARED * stride):
        for offset in range(begin, min(begin + stride, count)):
            for middle in range(offset, min(begin + SHARED * stride, count), stride):
                order[turn], fresh[turn] = middle, middle == offset
                turn += 1


@numba.njit(inline="always")
def _draw_noise(targets: Any, negatives: Any, share: Any, other: Any, state: Any) -> Any:
    """Noise words into ``targets`` from the second on; the new state."""
    for k in range(1, negatives + 1):
        state = advance(state)
        word = below(state, len(share))
        targets[k] = word if fraction(state) < share[word] else other[word]
    return state


@numba.njit(inline="always")
def _fetch(targets: Any, far: Any, before: Any, outputs: Any, negatives: Any) -> None:
    """The noise words' rows into ``far``, where they are changed, and into ``before``, where they stay as they are."""
    for k in range(1, negatives + 1):
        word = targets[k]  # once, outside the loop: the compiler cannot know that far is not targets
        for d in range(far.shape[1]):
            far[k, d] = before[k, d] = outputs[word, d]


@numba.njit(inline="always")
def _give_back(targets: Any, far: Any, before: Any, outputs: Any, negatives: Any) -> None:
    """What was changed of the noise words' rows; it is added, for another thread may have changed them too."""
    for k in range(1, negatives + 1):
        word = targets[k]
        for d in range(far.shape[1]):
            outputs[word, d] += far[k, d] - before[k, d]


@lru_cache(maxsize=8)
def skipgram_kernel(dimensions: int, window: int, negatives: int) -> Kernel:
    """Skip-gram: each word of a window, alone, tells the word in its middle from noise."""
    wide, stride = -(-(negatives + 1) // TILE) * TILE, 2 * window + 1
    tall = -(-2 * window // _ROWS) * _ROWS

    @_compiled
    def train(  # type: ignore[no-untyped-def]
        ids, bounds, keep, share, other, inputs, outputs, rate, seed
    ):
        kept, targets = np.empty(len(ids), np.int32), np.zeros(wide, np.int64)
        order, fresh = np.empty(len(ids), np.int64), np.empty(len(ids), np.bool_)
        near, far = np.zeros((tall, dimensions), np.float32), np.zeros((wide, dimensions), np.float32)
        before, pull = np.zeros((wide, dimensions), np.float32), np.zeros((tall, wide), np.float32)
        state, total, pairs = np.uint64(seed), 0.0, 0
        for segment in range(len(bounds) - 1):
            count, state = _read(ids[bounds[segment] : bounds[segment + 1]], keep, kept, state)
            _arrange(count, stride, order, fresh)
            for turn in range(count):
                middle = order[turn]
                if fresh[turn]:
                    _give_back(targets, far, before, outputs, negatives * (turn > 0))
                    state = _draw_noise(targets, negatives, share, other, state)
                    _fetch(targets, far, before, outputs, negatives)
                state = advance(state)
                reach = 1 + below(state, window)
                first, last = max(0, middle - reach), min(count, middle + reach + 1)
                rows = last - first - 1
                if rows <= 0:
                    continue
                targets[0] = word = kept[middle]
                for d in range(dimensions):
                    far[0, d] = outputs[word, d]
                row = 0
                for place in range(first, last):
                    if place != middle:
                        word = kept[place]
                        for d in range(dimensions):
                            near[row, d] = inputs[word, d]
                        row += 1
                for row in range(rows, -(-rows // _ROWS) * _ROWS):  # what is left of the last tile is nothing
                    for k in range(wide):
                        pull[row, k] = 0
                product = 1.0
                for row in range(rows):
                    for tile in range(0, wide, TILE):
                        s0 = s1 = s2 = s3 = s4 = s5 = np.float32(0)
                        for d in range(dimensions):
                            x = near[row, d]
                            s0 += x * far[tile, d]
                            s1 += x * far[tile + 1, d]
                            s2 += x * far[tile + 2, d]
                            s3 += x * far[tile + 3, d]
                            s4 += x * far[tile + 4, d]
                            s5 += x * far[tile + 5, d]
                        pull[row, tile], pull[row, tile + 1], pull[row, tile + 2] = s0, s1, s2
                        pull[row, tile + 3], pull[row, tile + 4], pull[row, tile + 5] = s3, s4, s5
                for row in range(rows):
                    right = logistic(pull[row, 0])
                    product *= right
                    pull[row, 0] = (1 - right) * rate
                    for k in range(1, negatives + 1):
                        right = logistic(-pull[row, k])
                        if targets[k] == targets[0]:
                            pull[row, k] = 0  # the word itself is no noise
                        else:
                            product *= right
                            pull[row, k] = (right - 1) * rate
                        if product < 1e-200:  # the logarithm of a product is dearer than the product
                            total -= np.log(product)
                            product = 1.0
                total -= np.log(product)
                pairs += rows
                row = 0
                for place in range(first, last):
                    if place == middle:
                        continue
                    word = kept[place]
                    for tile in range(0, wide, TILE):
                        p0, p1, p2 = pull[row, tile], pull[row, tile + 1], pull[row, tile + 2]
                        p3, p4, p5 = pull[row, tile + 3], pull[row, tile + 4], pull[row, tile + 5]
                        for d in range(dimensions):
                            one = p0 * far[tile, d] + p1 * far[tile + 1, d] + p2 * far[tile + 2, d]
                            two = p3 * far[tile + 3, d] + p4 * far[tile + 4, d] + p5 * far[tile + 5, d]
                            inputs[word, d] += one + two
                    row += 1
                for k in range(negatives + 1):
                    for row in range(0, rows, _ROWS):
                        p0, p1, p2, p3 = pull[row, k], pull[row + 1, k], pull[row + 2, k], pull[row + 3, k]
                        for d in range(dimensions):
                            one = p0 * near[row, d] + p1 * near[row + 1, d]
                            two = p2 * near[row + 2, d] + p3 * near[row + 3, d]
                            far[k, d] += one + two
                word = kept[middle]
                for d in range(dimensions):
                    outputs[word, d] = far[0, d]
            _give_back(targets, far, before, outputs, negatives * (count > 0))
        return total, pairs

    return train


@lru_cache(maxsize=8)
def cbow_kernel(dimensions: int, window: int, negatives: int) -> Kernel:
    """CBOW: the mean of a window's words tells the word in its middle from noise.

    As in the authors' own program, each word of the window is moved by the whole gradient of the mean, not by its part
    of it (Irsoy et al. 2021 discuss the difference): that is a larger step for the inputs.
    """
    wide, stride = -(-(negatives + 1) // TILE) * TILE, 2 * window + 1

    @_compiled
    def train(  # type: ignore[no-untyped-def]
        ids, bounds, keep, share, other, inputs, outputs, rate, seed
    ):
        kept, targets = np.empty(len(ids), np.int32), np.zeros(wide, np.int64)
        order, fresh = np.empty(len(ids), np.int64), np.empty(len(ids), np.bool_)
        mean, move = np.zeros(dimensions, np.float32), np.zeros(dimensions, np.float32)
        far, pull = np.zeros((wide, dimensions), np.float32), np.zeros(wide, np.float32)
        before = np.zeros((wide, dimensions), np.float32)
        state, total, predictions = np.uint64(seed), 0.0, 0
        for segment in range(len(bounds) - 1):
            count, state = _read(ids[bounds[segment] : bounds[segment + 1]], keep, kept, state)
            _arrange(count, stride, order, fresh)
            for turn in range(count):
                middle = order[turn]
                if fresh[turn]:
                    _give_back(targets, far, before, outputs, negatives * (turn > 0))
                    state = _draw_noise(targets, negatives, share, other, state)
                    _fetch(targets, far, before, outputs, negatives)
                state = advance(state)
                reach = 1 + below(state, window)
                first, last = max(0, middle - reach), min(count, middle + reach + 1)
                rows = last - first - 1
                if rows <= 0:
                    continue
                targets[0] = word = kept[middle]
                for d in range(dimensions):
                    far[0, d] = outputs[word, d]
                    mean[d] = 0
                for place in range(first, last):
                    if place != middle:
                        word = kept[place]
                        for d in range(dimensions):
                            mean[d] += inputs[word, d]
                part = np.float32(1) / np.float32(rows)
                for tile in range(0, wide, TILE):
                    s0 = s1 = s2 = s3 = s4 = s5 = np.float32(0)
                    for d in range(dimensions):
                        x = mean[d]
                        s0 += x * far[tile, d]
                        s1 += x * far[tile + 1, d]
                        s2 += x * far[tile + 2, d]
                        s3 += x * far[tile + 3, d]
                        s4 += x * far[tile + 4, d]
                        s5 += x * far[tile + 5, d]
                    pull[tile], pull[tile + 1], pull[tile + 2] = s0, s1, s2
                    pull[tile + 3], pull[tile + 4], pull[tile + 5] = s3, s4, s5
                product = 1.0
                right = logistic(part * pull[0])
                product *= right
                pull[0] = (1 - right) * rate
                for k in range(1, wide):
                    right = logistic(-part * pull[k])
                    if k > negatives or targets[k] == targets[0]:
                        pull[k] = 0
                    else:
                        product *= right
                        pull[k] = (right - 1) * rate
                    if product < 1e-200:
                        total -= np.log(product)
                        product = 1.0
                total -= np.log(product)
                predictions += 1
                for d in range(dimensions):
                    move[d] = 0
                for tile in range(0, wide, TILE):
                    p0, p1, p2, p3, p4, p5 = (
                        pull[tile], pull[tile + 1], pull[tile + 2], pull[tile + 3], pull[tile + 4], pull[tile + 5],
                    )  # fmt: skip
                    for d in range(dimensions):
                        one = p0 * far[tile, d] + p1 * far[tile + 1, d] + p2 * far[tile + 2, d]
                        two = p3 * far[tile + 3, d] + p4 * far[tile + 4, d] + p5 * far[tile + 5, d]
                        move[d] += one + two
                for k in range(negatives + 1):
                    by = pull[k] * part
                    for d in range(dimensions):
                        far[k, d] += by * mean[d]
                word = kept[middle]
                for d in range(dimensions):
                    outputs[word, d] = far[0, d]
                for place in range(first, last):
                    if place != middle:
                        word = kept[place]
                        for d in range(dimensions):
                            inputs[word, d] += move[d]
            _give_back(targets, far, before, outputs, negatives * (count > 0))
        return total, predictions

    return train
