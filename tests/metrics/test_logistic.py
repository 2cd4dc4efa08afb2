import numpy as np
import pytest
from scipy.sparse import csr_matrix

from selftaught.metrics import logistic
from selftaught.metrics.logistic import assign_folds, fit_logistic


def clouds(rows: int, columns: int, classes: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    codes = np.arange(rows) % classes
    features = rng.normal(size=(classes, columns))[codes] + spread * rng.normal(size=(rows, columns))
    return (features / columns**0.5).astype(np.float32), codes


@pytest.mark.parametrize(("rows", "columns"), [(60, 8), (30, 100)])
def test_finds_the_minimum_that_scikit_learn_finds(rows: int, columns: int) -> None:
    from sklearn.linear_model import LogisticRegression

    features, codes = clouds(rows, columns, 3)
    codes[codes == 2] = np.arange(len(codes[codes == 2])) % 5 // 4 * 2  # imbalanced
    weight, bias = fit_logistic(features, codes, seed=0)
    reached = []
    for strength in logistic.GRID:  # whichever C was chosen, it is one of these
        peer = LogisticRegression(C=strength, class_weight="balanced", tol=1e-8, max_iter=10_000)
        peer.fit(features, codes)
        expected, got = features @ peer.coef_.T + peer.intercept_, features @ weight + bias
        error = (got - got.mean(axis=1, keepdims=True)) - (expected - expected.mean(axis=1, keepdims=True))
        reached.append(np.abs(error).max() / np.abs(expected).max())
    assert min(reached) < 0.03


def test_sparse_and_dense_give_the_same_classifier() -> None:
    features, codes = clouds(40, 200, 4)
    features[np.abs(features) < 0.05] = 0
    dense, _ = fit_logistic(features, codes, seed=1)
    sparse, _ = fit_logistic(csr_matrix(features), codes, seed=1)
    assert sparse == pytest.approx(dense, abs=1e-2)


def test_noise_is_regularised_more_than_signal() -> None:
    features, codes = clouds(80, 50, 2, spread=0.1)
    shuffled = np.random.default_rng(1).permutation(codes)
    assert np.abs(fit_logistic(features, codes, 0)[0]).sum() > np.abs(fit_logistic(features, shuffled, 0)[0]).sum()


def test_folds_are_stratified_and_never_hold_out_the_only_row_of_a_class() -> None:
    codes = np.array([0] * 8 + [1] * 8 + [2] * 2 + [3])
    fold = assign_folds(codes, seed=0)
    assert fold[-1] == -1
    assert fold[16] != fold[17]
    for held_out in range(logistic.FOLDS):
        assert np.bincount(codes[fold == held_out], minlength=4)[:2].tolist() == [2, 2]
        assert set(codes[fold != held_out]) == {0, 1, 2, 3}


def test_many_rows_are_sampled_by_class_for_the_choice_of_c() -> None:
    codes = np.arange(20_000) % 100 // 99  # one row in a hundred is of class 1
    fold = assign_folds(codes, seed=0)
    chosen = fold > -2
    assert chosen.sum() == pytest.approx(logistic.SELECTION_ROWS, rel=0.02)
    assert codes[chosen].mean() == pytest.approx(0.01, rel=0.1)
