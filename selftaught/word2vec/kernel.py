"""The word2vec kernel: skip-gram and CBOW (Mikolov et al. 2013), compiled by numba.

A shallow model is bound by how often rows of its two matrices are fetched, not by arithmetic. So the noise words are
drawn once for some windows and shared by all their words, after Ji et al. 2016 ("Parallelizing Word2Vec in Shared and
Distributed Memory", section 3): a window of six words with five noise words fetches 8 rows, not 72, and what was a dot
product a time is a small matrix product on rows that lie in the nearest cache. Threads update the matrices without
locks (Recht et al. 2011, "Hogwild!"): an update lost is noise. What holds two threads up is that both write the rows
of common words, which then travel between their caches. So each thread has rows of its own for the ``COMMON`` most
frequent words, which it adds to everybody's now and then; and noise words, which are mostly common, are written back
once for ``SHARED`` windows. These have no word in common: windows that overlap and share their noise, too, learn less
well (docs/lab.md).

The loops over the numbers of a vector are written so that the compiler turns them into vector instructions: their
length is a constant of the compiled code, and six outputs are met at a time, each with an accumulator of its own. What
a kernel does not do (:class:`Form`) is a constant, too, and leaves no trace in its code.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from selftaught.word2vec.forms import COMMON, Form

TILE = 6  # outputs met at a time: a target with five noise words, the usual number
SHARED = 4  # windows that have the same noise words; they stand so far apart that they do not overlap
_APART = 1000  # windows after which these are added to everybody's
_ROWS = 4  # inputs added up at a time
_LINE = 16  # numbers of a line of the cache
CLIP = 12.0  # a score beyond it counts as one that far: its gradient is below 1e-5
_STEPS = 4096  # of the table of the logistic function between -CLIP and CLIP; between them it is interpolated
_TABLE = np.append(1 / (1 + np.exp(-np.linspace(-CLIP, CLIP, _STEPS + 1))), 1.0).astype(np.float32)
_SCALE = np.float32(_STEPS / (2 * CLIP))


Kernel = Callable[..., tuple[float, int]]
"""``(ids, bounds, keep, aims, parts, inputs, outputs, own, rate, seed)`` to the summed loss in nats, and over how many
predictions. The arrays are

- ``ids`` int32 [N]: a piece of the corpus; ``bounds`` int64 [S + 1]: where its documents begin, and its end. No window
  reaches over a bound.
- ``keep`` float32 [V]: how likely a word is to be read; the others are dropped before windows are formed.
- ``inputs`` float32 [V, D], or more rows where words have parts; ``outputs`` float32 [V, D]: changed in place.

``own`` is the first of ``COMMON`` rows of both, behind all others, that no other thread uses; 0 if there are none, as
with parts. ``rate`` is the step size and ``seed`` a number that decides all draws.
"""


def _compiled(loop: Any) -> Any:
    """The loop as machine code, kept for later processes where there is a folder to keep it in.

    It is kept by the constants that the loop is closed over and the age of this file, so all it calls stands in this
    file. It must not be closed over functions: each process has others.
    """
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(loop)
    except RuntimeError:  # neither the package nor the user's home can be written
        return numba.njit(**options)(loop)


@intrinsic
def _prefetch(typing: Any, matrix: Any, row: Any, column: Any) -> Any:
    """Have a line of the cache brought near that is soon to be written; nothing waits for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, word = signature.args[0], ir.IntType(32)
        array = context.make_array(kind)(context, builder, arguments[0])
        place = cgutils.get_item_pointer(context, builder, kind, array, list(arguments[1:]))
        place = builder.bitcast(place, ir.IntType(8).as_pointer())
        instruction = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        call = cgutils.get_or_insert_function(builder.module, instruction, "llvm.prefetch.p0i8")
        builder.call(call, [place, word(1), word(3), word(1)])  # to be written; as near as can be; data
        return context.get_dummy_value()

    return types.void(matrix, types.int64, types.int64), generate


@numba.njit(inline="always")
def _approach(matrix: Any, row: Any, dimensions: Any) -> None:
    """Have a row brought near."""
    for column in range(0, dimensions, _LINE):
        _prefetch(matrix, row, column)


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
def _own(word: Any, own: Any) -> Any:
    """The row of a word, for this thread."""
    return word + own if own and word < COMMON else word


@numba.njit(inline="always")
def _word(row: Any, own: Any) -> Any:
    """The word of a row."""
    return row - own if own and row >= own else row


@numba.njit(inline="always")
def _read(ids: Any, keep: Any, own: Any, kept: Any, state: Any) -> Any:
    """The rows of the words that are read into ``kept``; how many they are, and the new state."""
    count = 0
    for i in range(len(ids)):
        state = advance(state)
        if fraction(state) < keep[ids[i]]:
            kept[count] = _own(ids[i], own)
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
def _draw_noise(targets: Any, negatives: Any, aims: Any, own: Any, state: Any) -> Any:
    """The rows of noise words into ``targets`` from the second on; the new state."""
    for k in range(1, negatives + 1):
        state = advance(state)
        word = below(state, len(aims.weights))
        targets[k] = _own(word if fraction(state) < aims.weights[word] else aims.links[word], own)
    return state


@numba.njit(inline="always")
def _fetch(targets: Any, far: Any, before: Any, outputs: Any, negatives: Any) -> None:
    """The noise words' rows into ``far``, where they are changed, and into ``before``, where they stay as they are."""
    for k in range(1, negatives + 1):
        word = targets[k]  # once, outside the loop: the compiler cannot know that far is not targets
        for d in range(far.shape[1]):
            far[k, d] = before[k, d] = outputs[word, d]


@numba.njit(inline="always")
def _approach_noise(
    coming: Any, negatives: Any, aims: Any, own: Any, state: Any, outputs: Any, dimensions: Any
) -> None:
    """Have the rows of the next noise words brought near: each of the windows before them draws once."""
    for _ in range(SHARED):
        state = advance(state)
    _draw_noise(coming, negatives, aims, own, state)
    for k in range(1, negatives + 1):
        _approach(outputs, coming[k], dimensions)


@numba.njit(inline="always")
def _give_back(targets: Any, far: Any, before: Any, outputs: Any, negatives: Any) -> None:
    """What was changed of the noise words' rows; it is added, for another thread may have changed them too."""
    for k in range(1, negatives + 1):
        word = targets[k]
        for d in range(far.shape[1]):
            outputs[word, d] += far[k, d] - before[k, d]


@numba.njit(inline="always")
def _add_own(matrix: Any, own: Any, before: Any) -> None:
    """What was changed of a thread's own rows since ``before``, added to everybody's; it goes on from these."""
    for row in range(before.shape[0]):
        for d in range(before.shape[1]):
            now = matrix[row, d] + (matrix[own + row, d] - before[row, d])
            matrix[row, d] = matrix[own + row, d] = before[row, d] = now


@numba.njit(inline="always")
def _turn_to(row: Any, aims: Any, own: Any, targets: Any, signs: Any) -> Any:
    """The way to the word of a row into ``targets``, as rows, and ``signs``; how long it is."""
    word = _word(row, own)
    begin = aims.ends[word]
    length = aims.ends[word + 1] - begin
    for k in range(length):
        targets[k], signs[k] = _own(aims.links[begin + k], own), aims.weights[begin + k]
    return length


@numba.njit(inline="always")
def _multiply(near: Any, rows: Any, far: Any, width: Any, dimensions: Any, scores: Any) -> None:
    """The score of each of the first rows of ``near`` with each of ``far``, ``TILE`` of them at a time."""
    for row in range(rows):
        for tile in range(0, width, TILE):
            s0 = s1 = s2 = s3 = s4 = s5 = np.float32(0)
            for d in range(dimensions):
                x = near[row, d]
                s0 += x * far[tile, d]
                s1 += x * far[tile + 1, d]
                s2 += x * far[tile + 2, d]
                s3 += x * far[tile + 3, d]
                s4 += x * far[tile + 4, d]
                s5 += x * far[tile + 5, d]
            scores[row, tile], scores[row, tile + 1], scores[row, tile + 2] = s0, s1, s2
            scores[row, tile + 3], scores[row, tile + 4], scores[row, tile + 5] = s3, s4, s5


@numba.njit(inline="always")
def _judge(scores: Any, rows: Any, width: Any, signs: Any, rate: Any) -> Any:
    """Turn scores into what pulls at the rows; the summed loss. A sign of zero is an output that is not asked for."""
    total, product = 0.0, 1.0
    for row in range(rows):
        for tile in range(0, width, TILE):
            for k in range(tile, tile + TILE):
                right = logistic(signs[k] * scores[row, k])
                scores[row, k] = signs[k] * (1 - right) * rate
                if signs[k] != 0:
                    product *= right
            if product < 1e-200:  # the logarithm of a product is dearer than the product
                total -= np.log(product)
                product = 1.0
    return total - np.log(product)


@numba.njit(inline="always")
def _move_outputs(far: Any, pull: Any, near: Any, rows: Any, width: Any, dimensions: Any) -> None:
    """``_ROWS`` inputs pull at each of the outputs at a time; what is left of the last of them is nothing."""
    for row in range(rows, -(-rows // _ROWS) * _ROWS):
        for k in range(width):
            pull[row, k] = 0
    for k in range(width):
        for row in range(0, rows, _ROWS):
            p0, p1, p2, p3 = pull[row, k], pull[row + 1, k], pull[row + 2, k], pull[row + 3, k]
            for d in range(dimensions):
                one = p0 * near[row, d] + p1 * near[row + 1, d]
                two = p2 * near[row + 2, d] + p3 * near[row + 3, d]
                far[k, d] += one + two


@numba.njit(inline="always")
def _move_input(goal: Any, goal_row: Any, pull: Any, row: Any, far: Any, width: Any, dimensions: Any) -> None:
    """What the outputs pull at one row of the inputs, added to ``goal[goal_row]``."""
    for tile in range(0, width, TILE):
        p0, p1, p2 = pull[row, tile], pull[row, tile + 1], pull[row, tile + 2]
        p3, p4, p5 = pull[row, tile + 3], pull[row, tile + 4], pull[row, tile + 5]
        for d in range(dimensions):
            one = p0 * far[tile, d] + p1 * far[tile + 1, d] + p2 * far[tile + 2, d]
            two = p3 * far[tile + 3, d] + p4 * far[tile + 4, d] + p5 * far[tile + 5, d]
            goal[goal_row, d] += one + two


@numba.njit(inline="always")
def _add_rows(word: Any, parts: Any, has_parts: Any, inputs: Any, dimensions: Any, near: Any, row: Any) -> Any:
    """A word's rows into a row of ``near``; how many they are."""
    if not has_parts:
        for d in range(dimensions):
            near[row, d] += inputs[word, d]
        return 1
    for place in range(parts.ends[word], parts.ends[word + 1]):
        part = parts.rows[place]
        for d in range(dimensions):
            near[row, d] += inputs[part, d]
    return parts.ends[word + 1] - parts.ends[word]


@numba.njit(inline="always")
def _approach_word(
    row: Any, aims: Any, tree: Any, parts: Any, has_parts: Any, own: Any, inputs: Any, outputs: Any, dimensions: Any
) -> None:
    """Have all rows of a word brought near."""
    word = _word(row, own)
    if has_parts:
        for place in range(parts.ends[word], parts.ends[word + 1]):
            _approach(inputs, parts.rows[place], dimensions)
    else:
        _approach(inputs, row, dimensions)
    if tree:
        for place in range(aims.ends[word], aims.ends[word + 1]):
            _approach(outputs, _own(aims.links[place], own), dimensions)
    else:
        _approach(outputs, row, dimensions)


@numba.njit(inline="always")
def _divide(near: Any, row: Any, count: Any, dimensions: Any) -> None:
    part = np.float32(1) / np.float32(count)
    for d in range(dimensions):
        near[row, d] *= part


@numba.njit(inline="always")
def _copy_rows(word: Any, parts: Any, has_parts: Any, inputs: Any, dimensions: Any, near: Any, row: Any) -> None:
    """The mean of a word's rows into a row of ``near``."""
    if not has_parts:
        for d in range(dimensions):
            near[row, d] = inputs[word, d]
    else:
        for d in range(dimensions):
            near[row, d] = 0
        _divide(near, row, _add_rows(word, parts, has_parts, inputs, dimensions, near, row), dimensions)


@numba.njit(inline="always")
def _move_rows(word: Any, parts: Any, has_parts: Any, inputs: Any, dimensions: Any, move: Any) -> None:
    """Move each of a word's rows."""
    if not has_parts:
        for d in range(dimensions):
            inputs[word, d] += move[0, d]
    else:
        for place in range(parts.ends[word], parts.ends[word + 1]):
            part = parts.rows[place]
            for d in range(dimensions):
                inputs[part, d] += move[0, d]


@lru_cache(maxsize=8)
def compiled(form: Form) -> Kernel:
    """The kernel of a form.

    As in the authors' own programs, where a vector is a mean each of its rows is moved by the whole gradient of the
    mean, not by its part of it (Irsoy et al. 2021 discuss the difference): that is a larger step for the inputs.
    """
    dimensions, window, negatives, averaged, has_parts = form
    tree, stride, tall = negatives == 0, 2 * window + 1, -(-2 * window // _ROWS) * _ROWS
    ahead = SHARED * stride + window  # words from a window to the last that the next windows reach
    commonest = COMMON  # from another file: so it is one of the constants by which the code is kept

    @_compiled
    def train(  # type: ignore[no-untyped-def]
        ids, bounds, keep, aims, parts, inputs, outputs, own, rate, seed
    ):
        widest = negatives + 1
        for word in range(len(aims.ends) - 1):
            widest = max(widest, aims.ends[word + 1] - aims.ends[word])
        widest = -(-widest // TILE) * TILE
        kept, targets, coming = np.empty(len(ids), np.int32), np.zeros(widest, np.int64), np.zeros(widest, np.int64)
        order, fresh = np.empty(len(ids), np.int64), np.empty(len(ids), np.bool_)
        near, far = np.zeros((tall, dimensions), np.float32), np.zeros((widest, dimensions), np.float32)
        before, pull = np.zeros((widest, dimensions), np.float32), np.zeros((tall, widest), np.float32)
        signs, move = np.zeros(widest, np.float32), np.zeros((1, dimensions), np.float32)
        common = min(commonest, own)
        inputs_before, outputs_before = inputs[:common].copy(), outputs[:common].copy()
        inputs[own : own + common], outputs[own : own + common] = inputs_before, outputs_before
        state, total, predictions, width, apart = np.uint64(seed), 0.0, 0, negatives + 1, 0
        for segment in range(len(bounds) - 1):
            count, state = _read(ids[bounds[segment] : bounds[segment + 1]], keep, own, kept, state)
            _arrange(count, stride, order, fresh)
            for turn in range(count):
                middle = order[turn]
                if fresh[turn] and not tree:
                    _give_back(targets, far, before, outputs, negatives * (turn > 0))
                    state = _draw_noise(targets, negatives, aims, own, state)
                    _fetch(targets, far, before, outputs, negatives)
                    _approach_noise(coming, negatives, aims, own, state, outputs, dimensions)
                if turn + ahead < count:
                    _approach_word(kept[turn + ahead], aims, tree, parts, has_parts, own, inputs, outputs, dimensions)
                apart += 1
                if common and apart == _APART:
                    _add_own(inputs, own, inputs_before)
                    _add_own(outputs, own, outputs_before)
                    apart = 0
                state = advance(state)
                reach = 1 + below(state, window)
                first, last = max(0, middle - reach), min(count, middle + reach + 1)
                rows = last - first - 1
                if rows <= 0:
                    continue
                if tree:
                    width = _turn_to(kept[middle], aims, own, targets, signs)
                else:
                    targets[0], signs[0] = kept[middle], 1
                    for k in range(1, width):  # the word itself is no noise
                        signs[k] = 0 if targets[k] == targets[0] else -1
                full = -(-width // TILE) * TILE
                for k in range(width, full):
                    signs[k] = 0
                for k in range(width if tree else 1):
                    word = targets[k]
                    for d in range(dimensions):
                        far[k, d] = outputs[word, d]
                if averaged:
                    rows, found = 1, 0
                    for d in range(dimensions):
                        near[0, d] = 0
                    for place in range(first, last):
                        if place != middle:
                            found += _add_rows(kept[place], parts, has_parts, inputs, dimensions, near, 0)
                    _divide(near, 0, found, dimensions)
                else:
                    row = 0
                    for place in range(first, last):
                        if place != middle:
                            _copy_rows(kept[place], parts, has_parts, inputs, dimensions, near, row)
                            row += 1
                _multiply(near, rows, far, full, dimensions, pull)
                total += _judge(pull, rows, full, signs, rate)
                predictions += rows
                row = 0
                if averaged:
                    for d in range(dimensions):
                        move[0, d] = 0
                    _move_input(move, 0, pull, 0, far, full, dimensions)
                for place in range(first, last):
                    if place == middle:
                        continue
                    if averaged:
                        _move_rows(kept[place], parts, has_parts, inputs, dimensions, move)
                    elif has_parts:
                        for d in range(dimensions):
                            move[0, d] = 0
                        _move_input(move, 0, pull, row, far, full, dimensions)
                        _move_rows(kept[place], parts, has_parts, inputs, dimensions, move)
                    else:
                        _move_input(inputs, kept[place], pull, row, far, full, dimensions)
                    row += 1
                if averaged:
                    for k in range(width):
                        by = pull[0, k]
                        for d in range(dimensions):
                            far[k, d] += by * near[0, d]
                else:
                    _move_outputs(far, pull, near, rows, width, dimensions)
                for k in range(width if tree else 1):
                    word = targets[k]
                    for d in range(dimensions):
                        outputs[word, d] = far[k, d]
            if not tree:
                _give_back(targets, far, before, outputs, negatives * (count > 0))
        _add_own(inputs, own, inputs_before)
        _add_own(outputs, own, outputs_before)
        return total, predictions

    return train
