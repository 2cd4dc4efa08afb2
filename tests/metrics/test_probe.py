import numpy as np
import pytest

from selftaught.errors import SelftaughtError
from selftaught.metrics.probe import Probe, fit_probe
from selftaught.metrics.scores import classification_scores


def clouds(per_class: dict[str, int], columns: int = 16, spread: float = 0.5) -> tuple[np.ndarray, list[str]]:
    centres = np.random.default_rng(7).normal(size=(len(per_class), columns))
    labels = [name for name, count in per_class.items() for _ in range(count)]
    codes = [list(per_class).index(name) for name in labels]
    noise = np.random.default_rng(len(labels)).normal(size=(len(labels), columns))
    return centres[codes] + spread * noise, labels


def test_recovers_classes_that_a_plane_separates() -> None:
    probe = fit_probe(*clouds({"cat": 20, "dog": 20, "鸟": 20}), seed=0)
    features, truth = clouds({"cat": 50, "dog": 50, "鸟": 50})
    assert classification_scores(truth, probe.predict(features))["accuracy"] > 0.98


def test_probabilities_name_their_classes_and_sum_to_one() -> None:
    features, labels = clouds({"b": 10, "a": 10})
    classes, probabilities = fit_probe(features, labels, seed=0).probabilities(features)
    assert classes == ["a", "b"]
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(20))
    assert probabilities[0, 1] > 0.5  # the first row is a b


def test_the_scale_and_offset_of_each_feature_do_not_matter() -> None:
    features, labels = clouds({"a": 15, "b": 15, "c": 15}, spread=2)
    rng = np.random.default_rng(0)
    factor, offset = 10.0 ** rng.uniform(-5, 5, size=16), rng.normal(size=16)
    _, plain = fit_probe(features, labels, seed=0).probabilities(features)
    _, scaled = fit_probe((features + offset) * factor, labels, seed=0).probabilities((features + offset) * factor)
    assert scaled == pytest.approx(plain, abs=1e-2)


def test_constant_features_are_ignored() -> None:
    features, labels = clouds({"a": 10, "b": 10})
    wide = np.hstack([features, np.full((20, 3), 0.1)])
    changed = np.hstack([features, np.full((20, 3), 900.0)])
    probe = fit_probe(wide, labels, seed=0)
    assert probe.predict(changed) == probe.predict(wide)


def test_a_rare_class_is_not_forgotten() -> None:
    probe = fit_probe(*clouds({"common": 300, "rare": 6}, spread=1.0), seed=0)
    features, truth = clouds({"common": 200, "rare": 200}, spread=1.0)
    assert classification_scores(truth, probe.predict(features))["macro_f1"] > 0.9


@pytest.mark.parametrize("per_class", [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 40, "c": 3}, {"a": 5}])
def test_works_however_few_the_labels(per_class: dict[str, int]) -> None:
    features, labels = clouds(per_class, spread=0.1)
    probe = fit_probe(features, labels, seed=0)
    assert probe.predict(features) == labels


def test_the_same_seed_gives_the_same_probe() -> None:
    features, labels = clouds({"a": 10, "b": 10}, spread=3)
    assert np.array_equal(fit_probe(features, labels, 4).weight, fit_probe(features, labels, 4).weight)


def test_round_trip_through_plain_arrays_and_safetensors(tmp_path) -> None:
    from safetensors.numpy import load_file, save_file

    features, labels = clouds({"cat, tame": 10, "狗": 10})
    probe = fit_probe(features, labels, seed=0)
    save_file(probe.to_arrays(), tmp_path / "probe.safetensors")
    loaded = Probe.from_arrays(load_file(tmp_path / "probe.safetensors"))
    assert np.array_equal(loaded.probabilities(features)[1], probe.probabilities(features)[1])
    assert loaded.predict(features) == probe.predict(features)


def test_a_diverged_network_is_named_as_such() -> None:
    with pytest.raises(SelftaughtError, match="NaN"):
        fit_probe(np.array([[np.nan], [1.0]]), ["a", "b"], seed=0)
    with pytest.raises(SelftaughtError, match="no labelled row"):
        fit_probe(np.zeros((0, 4)), [], seed=0)
