"""Labels that spread along a graph: by hand, and where they should help."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from selftaught.metrics.logistic import fit_logistic, row_weights
from selftaught.metrics.spreading import Spreader, TextViews, neighbour_graph, spread_labels


def test_a_graph_of_two_pairs_by_hand() -> None:
    """Of four points each has three neighbours; those at right angles weigh nothing."""
    points = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    graph = neighbour_graph(points).toarray()
    expected = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=np.float32)
    assert np.allclose(graph, expected)


def test_edges_are_divided_by_the_roots_of_both_totals() -> None:
    angle = np.cos(np.pi / 6)
    points = np.array([[1.0, 0.0], [angle, 0.5], [0.5, angle]])
    near, far = angle**3, 0.5**3  # cosines of 30 and of 60 degrees, to the third power
    totals = np.array([near + far, 2 * near, near + far])
    graph = neighbour_graph(points).toarray()
    assert graph[0, 1] == pytest.approx(near / np.sqrt(totals[0] * totals[1]), rel=1e-5)
    assert graph[0, 2] == pytest.approx(far / np.sqrt(totals[0] * totals[2]), rel=1e-5)
    assert np.allclose(graph, graph.T)


def test_labels_reach_their_own_side_and_nothing_beyond_it() -> None:
    chain = np.zeros((7, 7), np.float32)
    for a, b in ((0, 1), (1, 2), (3, 4), (4, 5)):  # two chains, and a text that nobody is like
        chain[a, b] = chain[b, a] = 0.7
    shares = spread_labels(csr_matrix(chain), np.array([0, 5]), np.array([0, 1]), 2)
    assert shares[0].tolist() == [1, 0]
    assert shares[5].tolist() == [0, 1]
    assert shares[1:3, 0] == pytest.approx(1.0)
    assert shares[3:5, 1] == pytest.approx(1.0)
    assert shares[6].tolist() == [0, 0]


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_what_arrives_are_shares_or_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = neighbour_graph(rng.normal(size=(40, 5)))
    rows = rng.permutation(40)[:6]
    shares = spread_labels(graph, rows, np.array([0, 1, 2, 0, 1, 2]), 3)
    totals = shares.sum(axis=1)
    assert (np.isclose(totals, 1, atol=1e-4) | (totals == 0)).all()
    assert (shares >= 0).all()


def test_a_row_counts_within_its_class_by_its_certainty() -> None:
    weights = row_weights(np.array([0, 0, 1]), np.array([3.0, 1.0, 0.5]))
    assert weights.tolist() == pytest.approx([1.125, 0.375, 1.5])
    assert row_weights(np.array([0, 0, 1])).tolist() == pytest.approx([0.75, 0.75, 1.5])


def test_a_certain_row_outweighs_an_uncertain_one_that_says_otherwise() -> None:
    features = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], np.float32)
    codes = np.array([0, 1, 1, 0])
    weight, bias = fit_logistic(features, codes, 0, certainty=np.array([3.0, 0.2, 3.0, 0.2]), strength=10.0)
    assert (features @ weight + bias).argmax(axis=1).tolist() == [0, 0, 1, 1]


def documents(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts of two subjects, each of which names few of its subject's words."""
    rng = np.random.default_rng(seed)
    words = {"sea": [f"sea{i}" for i in range(80)], "sky": [f"sky{i}" for i in range(80)]}
    names = ["sea" if i % 2 else "sky" for i in range(count)]
    return [" ".join(rng.choice(words[name], 5)) for name in names], names


@pytest.mark.parametrize("with_features", [False, True])
def test_few_labels_say_more_with_texts_that_have_none(with_features: bool) -> None:
    texts, names = documents(400, 0)
    asked, truth = documents(200, 1)
    side = np.array([[name == "sea", name == "sky"] for name in [*names, *truth]], dtype=float)
    features = side + np.random.default_rng(2).normal(0, 0.3, size=(600, 2)) if with_features else None
    rows = [0, 1]
    alone = Spreader.of(TextViews.of([texts[i] for i in rows] * 2, asked, chinese=False), None)
    spread = Spreader.of(TextViews.of(texts, asked, chinese=False), features)

    def score(said: list[str]) -> float:
        return float(np.mean(np.array(said) == truth))

    few = score(alone.answers(rows, [names[i] for i in rows]))
    many = score(spread.answers(rows, [names[i] for i in rows]))
    assert few < 0.75
    assert many > 0.9


def test_with_every_label_given_nothing_is_left_to_spread() -> None:
    texts, names = documents(60, 0)
    asked, truth = documents(40, 1)
    said = Spreader.of(TextViews.of(texts, asked, chinese=False), None).answers(range(60), names)
    assert np.mean(np.array(said) == truth) > 0.9
