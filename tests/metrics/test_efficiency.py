import json

import pytest

from selftaught.metrics.efficiency import Point, labels_saved, verdict_sentence

OURS, TFIDF, MAJORITY, UNTRAINED = (
    "the pretrained probe",
    "TF-IDF",
    "the majority class",
    "the untrained network",
)
BUDGETS = {8: 16, 32: 64, 128: 256, None: 1024}


def curve(seeds: int = 5, **means: list[float]) -> list[Point]:
    """Points of each method whose scores spread by ±0.01 about its means, not in step with other methods."""
    names = {"ours": OURS, "tfidf": TFIDF, "majority": MAJORITY, "untrained": UNTRAINED}
    points = []
    for turn, (method, values) in enumerate(means.items()):
        spread = [0.005 * ((seed * (turn + 2)) % 5 - 2) for seed in range(seeds)]
        for (per_class, total), mean in zip(BUDGETS.items(), values, strict=False):
            scores = tuple(mean + s - sum(spread) / seeds for s in spread)
            points.append(Point(per_class, total, names[method], "accuracy", scores))
    return points


def judge(points: list[Point]) -> tuple[bool, str]:
    return verdict_sentence(points, OURS, [TFIDF, MAJORITY], UNTRAINED)


def test_point_as_json_and_no_limits_for_one_seed() -> None:
    point = Point(8, 16, TFIDF, "accuracy", (0.5, 0.7))
    assert point.to_json() == {
        "labels_per_class": 8,
        "total_labels": 16,
        "method": TFIDF,
        "metric": "accuracy",
        "mean": pytest.approx(0.6),
        "low": pytest.approx(0.6 - 12.7062047 * 0.1),
        "high": pytest.approx(0.6 + 12.7062047 * 0.1),
        "seeds": 2,
    }
    lone = Point(None, 16, TFIDF, "accuracy", (0.5,)).to_json()
    assert json.loads(json.dumps(lone, allow_nan=False))["low"] is None


def test_budgets_are_named_after_what_is_counted() -> None:
    assert Point(8, 16, TFIDF, "accuracy", (0.5,)).setting == "8 labels per class (16 in all, 1 seeds)"
    assert Point(8, 8, TFIDF, "spearman", (0.5,), "examples").setting == "8 examples (8 in all, 1 seeds)"
    assert Point(None, 90, TFIDF, "spearman", (0.5,), "examples").budget == "all labels"


class TestLabelsSaved:
    def test_interpolates_on_the_logarithm_of_labels(self) -> None:
        points = curve(ours=[0.7], tfidf=[0.5, 0.6, 0.8])
        saved = labels_saved(points, OURS, [TFIDF])  # 0.7 lies midway between 64 and 256 labels: at 128
        assert (saved.labels, saved.at.labels_per_class, saved.at_least) == (128 - 16, 8, False)

    def test_the_baseline_that_needs_fewest_counts(self) -> None:
        points = curve(ours=[0.7], tfidf=[0.5, 0.6, 0.8], majority=[0.5, 0.7, 0.7])
        assert labels_saved(points, OURS, [TFIDF, MAJORITY]).labels == 64 - 16

    def test_never_reached_is_a_lower_bound(self) -> None:
        saved = labels_saved(curve(ours=[0.9], tfidf=[0.5, 0.6, 0.7, 0.8]), OURS, [TFIDF])
        assert (saved.labels, saved.at_least) == (1024 - 16, True)

    def test_a_curve_that_falls_keeps_its_best(self) -> None:
        points = curve(ours=[0.65], tfidf=[0.5, 0.6, 0.4, 0.7])
        # from 0.6 at 64 to 0.7 at 1024 labels; the dip is skipped: 64 * 16 ** 0.5
        assert labels_saved(points, OURS, [TFIDF]).labels == 256 - 16

    def test_never_better_saves_nothing(self) -> None:
        saved = labels_saved(curve(ours=[0.5, 0.6, 0.7], tfidf=[0.5, 0.65, 0.8]), OURS, [TFIDF])
        assert (saved.labels, saved.at_least) == (0, False)

    def test_a_baseline_that_was_better_with_fewer_labels_leaves_nothing_to_save(self) -> None:
        points = curve(ours=[0.5, 0.6], tfidf=[0.65, 0.55, 0.55])
        assert labels_saved(points, OURS, [TFIDF]).labels == 0

    def test_the_first_budget_that_saves_is_named(self) -> None:
        saved = labels_saved(curve(ours=[0.4, 0.8], tfidf=[0.5, 0.6, 0.8]), OURS, [TFIDF])
        assert (saved.labels, saved.at.labels_per_class) == (256 - 64, 32)

    def test_without_a_baseline_there_is_no_answer(self) -> None:
        with pytest.raises(ValueError, match="TF-IDF"):
            labels_saved(curve(ours=[0.4]), OURS, [TFIDF])


class TestSentence:
    def test_helped(self) -> None:
        helped, sentence = judge(curve(ours=[0.7, 0.75], tfidf=[0.5, 0.6], majority=[0.4, 0.4], untrained=[0.6, 0.65]))
        assert helped
        assert sentence.startswith("It helped: with 8 labels per class (16 in all, 5 seeds), the pretrained probe")
        assert "accuracy 0.700, 0.200 (95 % interval " in sentence
        assert "the best baseline, TF-IDF" in sentence
        assert "it saves at least 48 labels" in sentence
        assert sentence.count(".") == sentence.count("0.") + 1  # one sentence

    def test_helped_with_few_labels_but_behind_with_all(self) -> None:
        helped, sentence = judge(
            curve(
                ours=[0.7, 0.75, 0.8, 0.82],
                tfidf=[0.5, 0.6, 0.7, 0.9],
                majority=[0.4] * 4,
                untrained=[0.6] * 4,
            )
        )
        assert helped
        assert "with all labels, TF-IDF is 0.080 ahead" in sentence

    def test_better_than_untrained_but_loses_to_tfidf(self) -> None:
        helped, sentence = judge(curve(ours=[0.6, 0.7], tfidf=[0.7, 0.8], majority=[0.4, 0.4], untrained=[0.5, 0.6]))
        assert not helped
        assert sentence.startswith("It did not help: ")
        assert "pretraining lifts the pretrained probe 0.100" in sentence
        assert "loses by 0.100" in sentence
        assert "to TF-IDF, which needs no pretraining" in sentence

    def test_no_better_than_the_same_network_untrained(self) -> None:
        helped, sentence = judge(curve(ours=[0.7, 0.8], tfidf=[0.5, 0.6], majority=[0.4, 0.4], untrained=[0.7, 0.8]))
        assert not helped
        assert "above TF-IDF, but it is not clearly better (" in sentence
        assert sentence.endswith("than the untrained network.")

    def test_no_difference_anywhere(self) -> None:
        helped, sentence = judge(curve(ours=[0.6, 0.7], tfidf=[0.6, 0.7], majority=[0.4, 0.4], untrained=[0.6, 0.7]))
        assert not helped
        assert sentence.startswith("It did not help: at its best, with ")

    def test_fewer_than_five_seeds_never_make_a_claim(self) -> None:
        helped, sentence = judge(
            curve(seeds=4, ours=[0.9, 0.9], tfidf=[0.5, 0.5], majority=[0.4, 0.4], untrained=[0.5, 0.5])
        )
        assert not helped
        assert sentence.startswith("Whether it helped cannot be said: 4 seeds are fewer than the 5")

    def test_a_budget_of_all_labels_makes_no_claim(self) -> None:
        same = {OURS: 0.9, TFIDF: 0.5, MAJORITY: 0.4, UNTRAINED: 0.5}
        points = [
            Point(budget, 100, name, "accuracy", (score,) * 5)
            for name, score in same.items()
            for budget in (128, None)  # no class has 128 rows
        ]
        helped, sentence = judge(points)
        assert not helped
        assert "every budget takes all the labels" in sentence

    def test_one_of_many_budgets_must_survive_the_correction(self) -> None:
        gain = (0.001, 0.004, 0.008, 0.012, 0.015)  # paired t test: p = 0.036
        others = [
            Point(budget, 2 * budget, name, "accuracy", (0.5,) * 5)
            for budget in (8, 32, 128)
            for name in (TFIDF, MAJORITY, UNTRAINED)
        ]
        one = [Point(8, 16, OURS, "accuracy", tuple(0.5 + g for g in gain))]
        rest = [Point(budget, 2 * budget, OURS, "accuracy", (0.5,) * 5) for budget in (32, 128)]
        assert judge(one + [point for point in others if point.labels_per_class == 8])[0]
        assert not judge(one + rest + others)[0]

    def test_metrics_are_not_mixed_and_no_point_may_lack(self) -> None:
        points = curve(ours=[0.6], tfidf=[0.6], majority=[0.4], untrained=[0.6])
        with pytest.raises(ValueError, match="one metric"):
            judge([*points, Point(8, 16, OURS, "macro_f1", (0.5,) * 5)])
        with pytest.raises(ValueError, match="no point of 'TF-IDF'"):
            judge([point for point in points if point.method != TFIDF])
