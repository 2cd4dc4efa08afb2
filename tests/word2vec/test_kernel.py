"""The kernel against the definitions of its forms in float64, on the very samples that it draws."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.word2vec import kernel
from selftaught.word2vec.forms import COMMON, Aims, Form, Parts
from selftaught.word2vec.kernel import CLIP, SHARED, compiled
from selftaught.word2vec.tables import huffman, noise
from selftaught.word2vec.vocabulary import Vocabulary

WORDS, DIMENSIONS, WINDOW = 40, 12, 4
MASK = (1 << 64) - 1
SKIPGRAM = Form(DIMENSIONS, WINDOW, 5, averaged=False, parts=False)


def vocabulary() -> Vocabulary:
    return Vocabulary(tuple(f"w{i}" for i in range(WORDS)), np.arange(400, 400 - 10 * WORDS, -10))


class Draws:
    """The kernel's random numbers, written again from their definitions."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def next(self) -> int:
        self.state ^= (self.state << 13) & MASK
        self.state ^= self.state >> 7
        self.state ^= (self.state << 17) & MASK
        return self.state


def windows(ids: np.ndarray, bounds: np.ndarray, keep: np.ndarray, aims: Aims, negatives: int, seed: int) -> Iterator:
    """Each word that is read, with the words around it, its noise, and whether that is new."""
    draws, (share, other, _), stride = Draws(seed), aims, 2 * WINDOW + 1
    for first, last in pairwise(bounds):
        kept = [word for word in ids[first:last] if (draws.next() & 0xFFFFFF) / 2**24 < keep[word]]
        for begin in range(0, len(kept), SHARED * stride):
            for offset in range(begin, min(begin + stride, len(kept))):
                drawn = []
                for _ in range(negatives):
                    state = draws.next()
                    word = (state >> 32) * len(share) >> 32
                    drawn.append(int(word if (state & 0xFFFFFF) / 2**24 < share[word] else other[word]))
                new = True
                for middle in range(offset, min(begin + SHARED * stride, len(kept)), stride):
                    reach = 1 + ((draws.next() >> 32) * WINDOW >> 32)
                    around = kept[max(0, middle - reach) : middle] + kept[middle + 1 : middle + reach + 1]
                    if around:
                        yield kept[middle], around, drawn, new
                        new = False


class Noise:
    """The rows of the noise words, which are changed apart and given back when others are drawn."""

    def __init__(self, outputs: np.ndarray) -> None:
        self.outputs, self.drawn = outputs, []
        self.rows = self.before = np.zeros((0, DIMENSIONS))

    def take(self, drawn: list[int]) -> None:
        np.add.at(self.outputs, self.drawn, self.rows - self.before)
        self.drawn, self.rows, self.before = drawn, self.outputs[drawn].copy(), self.outputs[drawn].copy()


def step(near: np.ndarray, far: np.ndarray, signs: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss of vectors that must score with the signs' signs, and what pulls at each output; zero is not asked."""
    right = 1 / (1 + np.exp(-signs * (near @ far.T)))
    return float(-np.log(np.where(signs == 0, 1, right)).sum()), signs * (1 - right)


def reference(form: Form, ids, bounds, keep, aims, parts, inputs, outputs, rate, seed):  # type: ignore[no-untyped-def]
    """Window after window, as the definitions of the papers have it; float64."""
    total, count, shared = 0.0, 0, Noise(outputs)

    def rows_of(word: int) -> list[int]:
        return parts.rows[parts.ends[word] : parts.ends[word + 1]].tolist() if form.parts else [word]

    for target, around, drawn, new in windows(ids, bounds, keep, aims, form.negatives, seed):
        if form.negatives:
            if new:
                shared.take(drawn)
            signs = np.array([1.0, *[0.0 if word == target else -1.0 for word in drawn]])
            far = np.vstack([outputs[target], shared.rows])
        else:
            way = slice(aims.ends[target], aims.ends[target + 1])
            signs, far = aims.weights[way].astype(float), outputs[aims.links[way]].copy()
        groups = [[row for word in around for row in rows_of(word)]] if form.averaged else [*map(rows_of, around)]
        near = np.array([inputs[group].mean(0) for group in groups])
        loss, pull = step(near, far, signs)
        total, count = total + loss, count + len(groups)
        for group, move in zip(groups, rate * pull @ far, strict=True):
            np.add.at(inputs, group, move)
        far += rate * pull.T @ near
        if form.negatives:
            outputs[target], shared.rows = far[0], far[1:]
        else:
            outputs[aims.links[way]] = far
    shared.take([])
    return total, count


def parts_for_test() -> Parts:
    """Two or three rows for a word: its own, and some that others have, too."""
    rows = [[word, WORDS + word % 3, *([WORDS + 3 + word % 7] if word % 2 else [])] for word in range(WORDS)]
    return Parts(np.array([row for some in rows for row in some], np.int32), np.cumsum([0, *map(len, rows)]))


FORMS = [(5, False, False), (8, False, False), (5, True, False), (1, True, False)]
FORMS += [(0, False, False), (0, True, True), (5, False, True), (5, True, True)]


@pytest.mark.parametrize(("negatives", "averaged", "parts"), FORMS)
def test_loss_and_vectors_are_those_of_the_definition(negatives: int, averaged: bool, parts: bool) -> None:
    """In float64, on the same samples, to 1e-4: over 600 words, with several documents and words that are dropped."""
    drawn, words, form = np.random.default_rng(0), vocabulary(), Form(DIMENSIONS, WINDOW, negatives, averaged, parts)
    ids = drawn.integers(0, WORDS, 600).astype(np.int32)
    bounds = np.array([0, 1, 200, 205, 600])
    arrays = (
        words.keep(1e-2),
        noise(words) if negatives else huffman(words),
        parts_for_test() if parts else Parts.none(),
    )
    start = (drawn.normal(size=(2, WORDS + 10, DIMENSIONS)) / 2).astype(np.float32)  # no score beyond CLIP
    ours, theirs = start.copy(), start.astype(np.float64)
    loss, count = compiled(form)(ids, bounds, *arrays, ours[0], ours[1], 0, np.float32(0.05), np.uint64(12345))
    wanted, wanted_count = reference(form, ids, bounds, *arrays, theirs[0], theirs[1], 0.05, 12345)
    assert count == wanted_count > 200
    assert loss == pytest.approx(wanted, rel=1e-4)
    assert np.abs(ours - theirs).max() < 1e-4
    assert np.abs(ours - start).max() > 0.01


@pytest.mark.parametrize("negatives", [5, 0])
def test_rows_of_a_threads_own_change_nothing_but_who_waits_for_whom(negatives: int) -> None:
    """One thread learns the same with them, but for rounding: they are everybody's as soon as they are added."""
    words = Vocabulary(tuple(f"w{i}" for i in range(2 * COMMON)), np.arange(20 * COMMON, 0, -10))
    ids = np.random.default_rng(0).integers(0, len(words), 5000).astype(np.int32)
    start = (np.random.default_rng(1).normal(size=(2, len(words) + 2 * COMMON, DIMENSIONS)) / 4).astype(np.float32)
    alone, apart, aims = start.copy(), start.copy(), noise(words) if negatives else huffman(words)
    second = len(words) + COMMON
    for matrices, own in ((alone, 0), (apart, second)):
        arrays = (words.keep(0), aims, Parts.none(), *matrices)
        run = compiled(SKIPGRAM._replace(negatives=negatives))
        run(ids, np.array([0, 5000]), *arrays, own, np.float32(0.05), np.uint64(7))
    assert np.abs(alone[:, : len(words)] - apart[:, : len(words)]).max() < 1e-3
    assert np.array_equal(apart[:, len(words) : second], start[:, len(words) : second])  # another thread's


def test_a_rate_of_zero_changes_nothing() -> None:
    words = vocabulary()
    ids = np.random.default_rng(0).integers(0, WORDS, 100).astype(np.int32)
    both = np.random.default_rng(1).normal(size=(2, WORDS, DIMENSIONS)).astype(np.float32)
    before = both.copy()
    arrays, run = (words.keep(0), noise(words), Parts.none(), both[0], both[1]), compiled(SKIPGRAM)
    first = run(ids, np.array([0, 100]), *arrays, 0, np.float32(0), np.uint64(7))
    assert np.array_equal(both, before)
    assert run(ids, np.array([0, 100]), *arrays, 0, np.float32(0), np.uint64(7)) == first


def test_the_machine_code_is_kept() -> None:
    """Who comes later, with no more than the form in common, does not wait for the compiler again."""
    words, both = vocabulary(), np.zeros((2, WORDS, DIMENSIONS), np.float32)
    arrays = (words.keep(0), noise(words), Parts.none(), both[0], both[1])
    for _ in range(2):
        compiled.cache_clear()
        run = compiled(SKIPGRAM)
        run(np.array([3, 4], np.int32), np.array([0, 2]), *arrays, 0, np.float32(0), np.uint64(1))
    assert sum(run.stats.cache_hits.values()) == 1


def test_nothing_to_train_on_is_no_loss() -> None:
    words, both = vocabulary(), np.zeros((2, WORDS, DIMENSIONS), np.float32)
    run = compiled(SKIPGRAM._replace(averaged=True))
    for ids, bounds in (([], [0]), ([], [0, 0]), ([3], [0, 1]), ([3, 4], [0, 1, 2])):
        arrays = (words.keep(0), noise(words), Parts.none(), both[0], both[1])
        given = np.array(ids, np.int32), np.array(bounds, np.int64)
        assert run(*given, *arrays, 0, np.float32(0.1), np.uint64(1)) == (0.0, 0)


@given(st.floats(-2 * CLIP, 2 * CLIP))
@settings(max_examples=200, deadline=None)
def test_the_table_is_the_logistic_function(score: float) -> None:
    wanted = 1 / (1 + np.exp(-np.clip(score, -CLIP, CLIP)))
    assert float(kernel.logistic(np.float32(score))) == pytest.approx(wanted, rel=2e-5)
