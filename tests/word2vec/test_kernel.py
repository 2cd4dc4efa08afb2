"""The kernel against the definitions of skip-gram and CBOW in float64, on the very samples that it draws."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.word2vec import kernel
from selftaught.word2vec.kernel import CLIP, SHARED, cbow_kernel, skipgram_kernel
from selftaught.word2vec.vocabulary import Vocabulary

WORDS, DIMENSIONS, WINDOW = 40, 12, 4
MASK = (1 << 64) - 1


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


def windows(ids: np.ndarray, bounds: np.ndarray, keep: np.ndarray, noise: tuple, negatives: int, seed: int) -> Iterator:
    """Each word that is read, with the words around it, its noise, and whether that is new."""
    draws, (share, other), stride = Draws(seed), noise, 2 * WINDOW + 1
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


def step(near: np.ndarray, far: np.ndarray, chosen: list[int]) -> tuple[float, np.ndarray]:
    """The loss of a vector that must tell the first of some outputs from the others, and what pulls at each output.

    The first word among the others is no noise.
    """
    scores = far @ near
    signs = np.array([1.0, *[-1.0] * (len(far) - 1)])
    asked = np.array([True, *[word != chosen[0] for word in chosen[1:]]])
    right = 1 / (1 + np.exp(-signs * scores))
    return float(-np.log(right[asked]).sum()), asked * signs * (1 - right)


class Noise:
    """The rows of the noise words, which are changed apart and given back when others are drawn."""

    def __init__(self, outputs: np.ndarray) -> None:
        self.outputs, self.drawn = outputs, []
        self.rows = self.before = np.zeros((0, DIMENSIONS))

    def take(self, drawn: list[int]) -> None:
        np.add.at(self.outputs, self.drawn, self.rows - self.before)
        self.drawn, self.rows, self.before = drawn, self.outputs[drawn].copy(), self.outputs[drawn].copy()


def skipgram(ids, bounds, keep, noise, inputs, outputs, rate, negatives, seed):  # type: ignore[no-untyped-def]
    total, count, shared = 0.0, 0, Noise(outputs)
    for target, around, drawn, new in windows(ids, bounds, keep, noise, negatives, seed):
        if new:
            shared.take(drawn)
        chosen = [target, *drawn]
        far, near = np.vstack([outputs[target], shared.rows]), inputs[around].copy()
        moved = far.copy()
        for row, word in enumerate(around):
            loss, pull = step(near[row], far, chosen)
            total, count = total + loss, count + 1
            inputs[word] += rate * pull @ far
            moved += rate * np.outer(pull, near[row])
        outputs[target], shared.rows = moved[0], moved[1:]
    shared.take([])
    return total, count


def cbow(ids, bounds, keep, noise, inputs, outputs, rate, negatives, seed):  # type: ignore[no-untyped-def]
    total, count, shared = 0.0, 0, Noise(outputs)
    for target, around, drawn, new in windows(ids, bounds, keep, noise, negatives, seed):
        if new:
            shared.take(drawn)
        mean, far = inputs[around].mean(0), np.vstack([outputs[target], shared.rows])
        loss, pull = step(mean, far, [target, *drawn])
        total, count = total + loss, count + 1
        moved = far + rate * np.outer(pull, mean)
        outputs[target], shared.rows = moved[0], moved[1:]
        np.add.at(inputs, around, rate * pull @ far)
    shared.take([])
    return total, count


@pytest.mark.parametrize(("make", "reference"), [(skipgram_kernel, skipgram), (cbow_kernel, cbow)])
@pytest.mark.parametrize("negatives", [1, 5, 8])
def test_loss_and_vectors_are_those_of_the_definition(make, reference, negatives: int) -> None:  # type: ignore[no-untyped-def]
    """In float64, on the same samples, to 1e-4: over 600 words, with several documents and words that are dropped."""
    drawn, words = np.random.default_rng(0), vocabulary()
    ids = drawn.integers(0, WORDS, 600).astype(np.int32)
    bounds = np.array([0, 1, 200, 205, 600])
    keep, noise = words.keep(1e-2), words.noise()
    start = drawn.normal(size=(2, WORDS, DIMENSIONS)) / 2  # no score beyond CLIP, where the kernel cuts
    ours, theirs = start.astype(np.float32), start.astype(np.float32).astype(np.float64)
    loss, count = make(DIMENSIONS, WINDOW, negatives)(
        ids, bounds, keep, *noise, ours[0], ours[1], np.float32(0.05), np.uint64(12345)
    )
    wanted, wanted_count = reference(ids, bounds, keep, noise, theirs[0], theirs[1], 0.05, negatives, 12345)
    assert count == wanted_count > 200
    assert loss == pytest.approx(wanted, rel=1e-4)
    assert np.abs(ours - theirs).max() < 1e-4


def test_a_rate_of_zero_changes_nothing() -> None:
    words = vocabulary()
    ids = np.random.default_rng(0).integers(0, WORDS, 100).astype(np.int32)
    both = np.random.default_rng(1).normal(size=(2, WORDS, DIMENSIONS)).astype(np.float32)
    before = both.copy()
    arrays = (words.keep(0), *words.noise(), both[0], both[1])
    run = skipgram_kernel(DIMENSIONS, WINDOW, 5)
    first = run(ids, np.array([0, 100]), *arrays, np.float32(0), np.uint64(7))
    assert np.array_equal(both, before)
    assert run(ids, np.array([0, 100]), *arrays, np.float32(0), np.uint64(7)) == first


def test_nothing_to_train_on_is_no_loss() -> None:
    words, both = vocabulary(), np.zeros((2, WORDS, DIMENSIONS), np.float32)
    run = cbow_kernel(DIMENSIONS, WINDOW, 5)
    for ids, bounds in (([], [0]), ([], [0, 0]), ([3], [0, 1]), ([3, 4], [0, 1, 2])):
        arrays = (words.keep(0), *words.noise(), both[0], both[1])
        given = np.array(ids, np.int32), np.array(bounds, np.int64)
        assert run(*given, *arrays, np.float32(0.1), np.uint64(1)) == (0.0, 0)


@given(st.floats(-2 * CLIP, 2 * CLIP))
@settings(max_examples=200, deadline=None)
def test_the_table_is_the_logistic_function(score: float) -> None:
    wanted = 1 / (1 + np.exp(-np.clip(score, -CLIP, CLIP)))
    assert float(kernel.logistic(np.float32(score))) == pytest.approx(wanted, rel=2e-5)


def test_noise_is_drawn_by_the_frequency_to_the_three_quarters() -> None:
    """What the table gives each word, added up exactly."""
    words = vocabulary()
    share, other = words.noise()
    given_to = share / len(words)
    np.add.at(given_to, other, (1 - share) / len(words))
    assert given_to == pytest.approx(words.counts**0.75 / (words.counts**0.75).sum(), abs=1e-6)


def test_common_words_are_kept_as_word2vec_keeps_them() -> None:
    words = Vocabulary(("the", "a", "fox"), np.array([900, 90, 10]))
    assert words.keep(0.01) == pytest.approx([(0.01 / 0.9) ** 0.5 + 0.01 / 0.9, (0.01 / 0.09) ** 0.5 + 0.01 / 0.09, 1])
    assert (words.keep(0) == 1).all()
