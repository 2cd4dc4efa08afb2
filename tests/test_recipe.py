"""Recipes: typed, repeated from their file, and every mistake with the nearest right word."""

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.errors import SelftaughtError
from selftaught.recipe import Recipe, compose, read_yaml, settled


def test_later_ones_win(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train: {rate: 0.1, batch: 4, seed: 7}\nmodel: {size: tiny}", encoding="utf-8")
    found = compose({"train.batch": 8, "model.size": None}, file=file, settings=["train.batch=16", "train.clip=2"])
    assert (found.train.rate, found.train.batch, found.train.seed) == (0.1, 16, 7)
    assert (found.model.size, found.train.clip) == ("tiny", 2.0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("train.rate=3e-4", 3e-4), ("train.rate=0.01", 0.01), ("train.rate = 1", 1.0), ("train.rate=null", None)],
)
def test_numbers_as_people_write_them(setting: str, value: float | None) -> None:
    assert compose({}, settings=[setting]).train.rate == value


def test_an_objective_s_options_are_free() -> None:
    settings = ["objective.options.rate=0.3", "objective.options.whole_words=true"]
    assert compose({}, settings=settings).objective.options == {"rate": 0.3, "whole_words": True}


@pytest.mark.parametrize(
    ("setting", "said", "do"),
    [
        ("train.rte=1", "no recipe key 'train.rte'", "did you mean train.rate?"),
        ("trian.rate=1", "no recipe key 'trian'", ""),
        ("model.sise=tiny", "no recipe key 'model.sise'", "did you mean model.size?"),
        ("train.rate", "takes key=value", "--set train.rate=3e-4"),
        ("train.rate=fast", "train.rate", ""),
        ("train.steps=0", "train.steps", ""),
        ("train.steps=2.5", "train.steps", ""),
        ("train.precision=fp8", "'fp32' or 'bf16'", ""),
        ("train=3", "train", ""),
        ("data.path.more=1", "data.path", ""),
        ("train.rate=[", "not a YAML value", "quotes"),
        ("=3", "no recipe key ''", "train.rate"),
    ],
)
def test_mistakes_are_named(setting: str, said: str, do: str) -> None:
    with pytest.raises(SelftaughtError) as caught:
        compose({}, settings=[setting])
    assert said in caught.value.what
    assert do in caught.value.do


@given(st.text(max_size=30))
def test_any_setting_is_taken_or_explained(setting: str) -> None:
    with suppress(SelftaughtError):
        compose({}, settings=[setting])


LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghijklmnopqrstuvwxyz"))
"""Two to the power of 26 values, in 400 bytes."""


@pytest.mark.parametrize(
    "text",
    [
        *("", "- 1", "train: [", "train: {rte: 3}", "!!python/object/apply:os.getcwd []", LAUGHS),
        *(
            "objective: {options: {a: &a [1], b: *a}}",
            "train: {steps: " + "9" * 5000 + "}",
            "[" * 3000,
            "x" * (2 << 20),
        ),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SelftaughtError) as caught:
        compose({}, file=file)
    assert caught.value.where == str(file)


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"data: {path: caf\xe9}")
    for name in ("nothing", "latin"):
        with pytest.raises(SelftaughtError, match="cannot be read"):
            compose({}, file=tmp_path / name)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    settings = ["train.rate=3e-4", "data.path=数据/a b", "objective.options.rate=0.3"]
    recipe = compose({"train.steps": 12}, settings=settings)
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml(), encoding="utf-8")
    assert compose({}, file=file) == recipe
    assert read_yaml(file)["data"]["path"] == "数据/a b"


def begun(tmp_path: Path, **train: object) -> Path:
    file = tmp_path / "recipe.yaml"
    given = {"data.path": "text", "train.steps": 10, "train.rate": 0.01, "train.seed": 3}
    file.write_text(compose({**given, **train}).to_yaml(), encoding="utf-8")
    return file


def test_a_run_is_gone_on_with_as_it_was_begun(tmp_path: Path) -> None:
    file = begun(tmp_path)
    again = settled(file, compose({"data.path": "text", "train.steps": 10}))
    assert again is not None
    assert (again.train.rate, again.train.seed) == (0.01, 3)
    assert settled(tmp_path / "elsewhere.yaml", Recipe()) is None


def test_what_contradicts_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(SelftaughtError, match=r"train\.steps = 10, not 20"):
        settled(begun(tmp_path), compose({"data.path": "text", "train.steps": 20}))
    with pytest.raises(SelftaughtError, match=r"data\.path = 'text', not 'other'"):
        settled(begun(tmp_path), compose({"data.path": "other"}))


def test_what_does_not_change_the_outcome_may_be_changed(tmp_path: Path) -> None:
    again = settled(begun(tmp_path), compose({}, settings=["train.save_seconds=5", "train.workers=2"]))
    assert again is not None
    assert (again.train.save_seconds, again.train.workers, again.train.rate) == (5.0, 2, 0.01)


def test_a_step_may_be_put_together_from_smaller_batches(tmp_path: Path) -> None:
    file = begun(tmp_path, **{"train.batch": 16})
    parted = settled(file, compose({"train.batch": 4, "train.accumulate": 4}))
    assert parted is not None
    assert (parted.train.batch, parted.train.accumulate) == (4, 4)
    file.write_text(parted.to_yaml(), encoding="utf-8")
    whole = settled(file, compose({"train.batch": 16}))
    assert whole is not None
    assert (whole.train.batch, whole.train.accumulate) == (16, 1)
    same = settled(file, compose({"train.batch": 4}))  # as it was typed when accumulate was in a recipe file
    assert same is not None
    assert (same.train.batch, same.train.accumulate) == (4, 4)
    with pytest.raises(SelftaughtError, match=r"train\.batch = 4, not 8"):
        settled(file, compose({"train.batch": 8}))


def test_a_run_s_recipe_that_somebody_broke_is_named(tmp_path: Path) -> None:
    file = begun(tmp_path)
    file.write_text(file.read_text(encoding="utf-8").replace("rate:", "rte:"), encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no recipe key") as caught:
        settled(file, Recipe())
    assert caught.value.where == str(file)


@pytest.mark.parametrize(
    ("asked", "steps", "seconds", "batch"),
    [
        ({}, None, 60.0, 16),
        ({"epochs": 2.0}, 12, None, 16),  # 100 samples are 6.25 batches
        ({"epochs": 0.001}, 1, None, 16),
        ({"steps": 5, "batch": 400}, 5, None, 100),  # a batch is no larger than a pass
        ({"seconds": 3.0}, None, 3.0, 16),
    ],
)
def test_what_is_left_open_is_settled(
    asked: dict[str, float], steps: int | None, seconds: float | None, batch: int
) -> None:
    train = Recipe.model_validate({"train": asked}).train
    found = train.settled(samples=100, batch=16, rate=0.1, seconds=60.0, device="cpu", precision="fp32")
    assert (found.steps, found.seconds, found.batch, found.epochs) == (steps, seconds, batch, None)


def test_only_pretraining_can_be_private() -> None:
    """A promise that nothing keeps is worse than none."""
    assert compose({"verb": "pretrain", "privacy.epsilon": 8.0}).privacy.epsilon == 8.0
    with pytest.raises(SelftaughtError, match="finetune cannot be private"):
        compose({"verb": "finetune"}, settings=["privacy.epsilon=8"])


def test_a_private_run_s_budget_of_seconds_became_steps(tmp_path: Path) -> None:
    asked = compose({"train.seconds": 600.0, "privacy.epsilon": 8.0})
    begun = asked.model_copy(update={"train": asked.train.model_copy(update={"steps": 40, "seconds": None})})
    (tmp_path / "recipe.yaml").write_text(begun.to_yaml(), encoding="utf-8")
    resumed = settled(tmp_path / "recipe.yaml", asked)
    assert resumed is not None
    assert (resumed.train.steps, resumed.train.seconds) == (40, None)
