import numpy as np

from selftaught.metrics.knn import knn_predict


def test_direction_decides_and_length_does_not() -> None:
    train = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert knn_predict(train, ["east", "north"], np.array([[100.0, 1.0], [0.001, 0.01]])) == ["east", "north"]


def test_near_neighbours_outvote_many_far_ones() -> None:
    train = np.array([[1.0, 0.02], *[[0.3, 1.0]] * 5])
    assert knn_predict(train, ["near", *["far"] * 5], np.array([[1.0, 0.0]]), k=6) == ["near"]


def test_only_k_neighbours_vote() -> None:
    train = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.1], [1.0, 0.1]])
    labels = ["one", "three", "three", "three"]
    assert knn_predict(train, labels, np.array([[1.0, 0.0]]), k=1) == ["one"]
    assert knn_predict(train, labels, np.array([[1.0, 0.0]]), k=4) == ["three"]


def test_a_tie_goes_to_the_alphabetically_first_and_zero_vectors_do_no_harm() -> None:
    assert knn_predict(np.eye(2), ["b", "a"], np.array([[1.0, 1.0], [0.0, 0.0]])) == ["a", "a"]
    assert knn_predict(np.eye(2), ["b", "a"], np.zeros((0, 2))) == []
