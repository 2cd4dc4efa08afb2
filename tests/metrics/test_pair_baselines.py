"""Baselines on pairs: what the two texts share, and what only one of them has."""

import numpy as np
import pytest

from selftaught.metrics.baselines import tfidf
from selftaught.metrics.pair_baselines import cosine_scores, pair_features, pair_logistic, ridge_scores
from selftaught.metrics.scores import correlation_scores

WORDS = ["fox", "heron", "otter", "badger", "walks", "swims", "sleeps", "waits", "slowly", "quickly"]


def sentences(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 5, replace=False)) for _ in range(count)]


def test_the_overlap_of_two_texts() -> None:
    rows, asked = pair_features([("a fox", "a fox"), ("a fox", "the heron waits")], [("fox", "fox sleeps")])
    assert rows.shape[0] == 2
    assert asked.shape == (1, rows.shape[1])
    overlap = 2 * rows.toarray()[:, -5:]
    assert overlap[0] == pytest.approx(np.ones(5))
    assert overlap[1, :4] == pytest.approx(np.zeros(4))
    cosine, jaccard, of_first, of_second, length = 2 * asked.toarray()[0, -5:]
    assert 0 < cosine < 1
    assert (of_first, length) == (1.0, pytest.approx(1 / 3))  # "fox" of "fox", "sleeps" and the pair of them
    assert of_second == pytest.approx(jaccard) == pytest.approx(1 / 3)


def test_it_tells_copies_from_strangers() -> None:
    one, other = sentences(60, 1), sentences(60, 2)
    pairs = [(a, a if i % 2 else b) for i, (a, b) in enumerate(zip(one, other, strict=True))]
    labels = ["copy" if i % 2 else "stranger" for i in range(60)]
    said = pair_logistic(pairs[:40], labels[:40], pairs[40:], seed=0)
    assert np.mean([s == t for s, t in zip(said, labels[40:], strict=True)]) > 0.9


def test_the_cosine_has_the_mean_and_the_spread_of_the_scores() -> None:
    one, other = sentences(30, 3), sentences(30, 4)
    pairs = list(zip(one, other, strict=True))
    scores = [float(len(set(a.split()) & set(b.split()))) for a, b in pairs]
    again = cosine_scores(pairs, scores, pairs)
    assert np.mean(again) == pytest.approx(np.mean(scores))
    assert np.std(again) == pytest.approx(np.std(scores), rel=1e-3)
    assert correlation_scores(scores, again)["spearman"] > 0.6


def test_ridge_learns_which_words_raise_a_score() -> None:
    texts = sentences(200, 5)
    scores = [3.0 * ("fox" in text) - 2.0 * ("otter" in text) for text in texts]
    train, asked = tfidf(texts[:150], texts[150:], chinese=False)
    said = ridge_scores(train, scores[:150], asked, seed=0)
    assert correlation_scores(scores[150:], said)["pearson"] > 0.95


def test_a_handful_of_pairs_is_enough_to_run() -> None:
    pairs = [("a fox", "a heron"), ("an otter", "an otter")]
    rows, asked = pair_features(pairs, pairs)
    assert len(ridge_scores(rows, [0.0, 5.0], asked, seed=0)) == 2
    assert len(pair_logistic(pairs, ["x", "y"], pairs, seed=0)) == 2
    assert cosine_scores(pairs[:1], [2.0], pairs) == pytest.approx([2.0, 2.0])
