"""The tables that training reads from: noise, the tree, and the rows that words are made of."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.word2vec.ngrams import ngrams_of, parts_of
from selftaught.word2vec.options import CBOW, SkipGram
from selftaught.word2vec.tables import Tables, huffman, noise
from selftaught.word2vec.vocabulary import Vocabulary

COUNTS = st.lists(st.integers(1, 10_000), min_size=2, max_size=60).map(lambda some: sorted(some, reverse=True))


def vocabulary(counts: list[int]) -> Vocabulary:
    return Vocabulary(tuple(f"w{i}" for i in range(len(counts))), np.array(counts, np.int64))


def ways(words: Vocabulary) -> list[tuple[tuple[int, float], ...]]:
    """Each word's turns from the root on."""
    aims = huffman(words)
    pairs = [*zip(aims.links.tolist(), aims.weights.tolist(), strict=True)]
    return [tuple(pairs[first:last][::-1]) for first, last in zip(aims.ends, aims.ends[1:], strict=False)]


def test_noise_is_drawn_by_the_frequency_to_the_three_quarters() -> None:
    """What the table gives each word, added up exactly."""
    words = vocabulary([*range(400, 0, -10)])
    share, other, _ = noise(words)
    given_to = share / len(words)
    np.add.at(given_to, other, (1 - share) / len(words))
    assert given_to == pytest.approx(words.counts**0.75 / (words.counts**0.75).sum(), abs=1e-6)


def test_common_words_are_kept_as_word2vec_keeps_them() -> None:
    words = Vocabulary(("the", "a", "fox"), np.array([900, 90, 10]))
    assert words.keep(0.01) == pytest.approx([(0.01 / 0.9) ** 0.5 + 0.01 / 0.9, (0.01 / 0.09) ** 0.5 + 0.01 / 0.09, 1])
    assert (words.keep(0) == 1).all()


@given(COUNTS)
def test_every_word_has_a_way_of_its_own_and_all_ways_are_taken(counts: list[int]) -> None:
    """What each place says is a probability, so that those of all words add up to one, whatever the vectors are."""
    words = vocabulary(counts)
    scores = np.random.default_rng(0).normal(size=len(words) - 1)
    products = [math.prod(1 / (1 + math.exp(-sign * scores[place])) for place, sign in way) for way in ways(words)]
    assert sum(products) == pytest.approx(1)


@given(COUNTS)
def test_the_tree_is_as_short_as_a_code_can_be(counts: list[int]) -> None:
    """Huffman's code is within one question of the entropy, and common words are not further than rare ones."""
    words = vocabulary(counts)
    lengths = np.array([len(way) for way in ways(words)])
    entropy = -(words.shares * np.log2(words.shares)).sum()
    assert entropy - 1e-9 <= words.shares @ lengths < entropy + 1
    assert all(a <= b for (a, m), (b, n) in zip(zip(lengths, counts), zip(lengths[1:], counts[1:])) if m > n)  # noqa: B905


def test_the_chance_line_is_that_of_even_odds() -> None:
    words = vocabulary([8, 4, 2, 2])  # ways of 1, 2, 3 and 3 places
    assert Tables.of(SkipGram(negatives=5), words).chance == pytest.approx(6 * math.log(2))
    assert Tables.of(CBOW(negatives=0, sample=0), words).chance == pytest.approx(1.75 * math.log(2))


def test_ngrams_are_those_of_fasttext() -> None:
    """Bojanowski et al. 2017, section 3.2, give this example."""
    assert [*ngrams_of("where", 3, 3)] == ["<wh", "whe", "her", "ere", "re>"]
    assert "<where>" not in ngrams_of("where", 3, 10)
    assert [*ngrams_of("北京", 1, 2)] == ["北", "京", "<北", "北京", "京>"]


@given(st.text("abc", min_size=1, max_size=9), st.integers(1, 4), st.integers(0, 3))
def test_each_ngram_stands_in_the_word_and_none_is_missed(word: str, shortest: int, more: int) -> None:
    marked, longest = f"<{word}>", shortest + more
    wanted = {marked[i:j] for i in range(len(marked)) for j in range(i + shortest, min(i + longest, len(marked)) + 1)}
    assert sorted(ngrams_of(word, shortest, longest)) == sorted(wanted - {marked, "<", ">"})


def test_an_ngram_of_one_word_alone_has_no_row() -> None:
    ngrams, parts = parts_of(("walk", "walks", "elm"), 3, 4)
    assert set(ngrams) == {"<wa", "<wal", "wal", "walk", "alk"}
    assert parts.rows[: parts.ends[1]].tolist()[0] == 0
    assert parts.rows[parts.ends[2] :].tolist() == [2]
    inputs = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    tables = Tables.of(SkipGram(min_n=3, max_n=4), Vocabulary(("walk", "walks", "elm"), np.array([3, 2, 1])))
    own = tables.composed(inputs)
    assert own[2] == pytest.approx(inputs[2])
    assert own[0] == pytest.approx(inputs[[0, 3, 4, 5, 6, 7]].mean(0))
