"""A user's mistakes: each is told, at once, in words that say what to do; none is passed over in silence."""

import json
import shlex
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import Call

BUCKET = ("--label", "bucket (final)")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("pretrain notes --out new --for=", "'' is not a duration"),
        ("pretrain notes --out new --steps 2 --seed=-1", "train.seed"),
        ("pretrain notes --out new --epochs inf", "train.epochs"),
        ("pretrain notes --out labels.csv --steps 2", "there is a file of this name"),
        (
            "pretrain notes --out new --steps 2 --recipe mine/recipe.yaml",
            "this is a recipe of finetune, not of pretrain",
        ),
        (
            "pretrain notes --out new --steps 2 --set objective.options.whole_words=maybe",
            "whole_words cannot be 'maybe'",
        ),
        ("pretrain notes --out new --steps 2 --set objective.options.rate=lots", "rate cannot be 'lots'"),
        ("finetune run labels.csv --out new --steps 2 --set objective.options.smothing=1", "did you mean smoothing?"),
        ("finetune run labels.csv --out new --steps 2 --set objective.options.smoothing=1.5", "smoothing is a share"),
        ("finetune run labels.csv --out new --steps 2 --set objective.options.classes=[a,b]", "cannot be set"),
        (
            "finetune run labels.csv --out new --steps 2 --recipe run/recipe.yaml",
            "a recipe of pretrain, not of finetune",
        ),
        ("finetune run labels.csv --out new --steps 2 --seed=-1", "train.seed"),
        ("verdict run labels.csv --seed=-1", "--seed must be 0 or more"),
        ("verdict mine labels.csv", "give the run it began from, run"),
        ("predict mine notes.txt", "there is no file 'notes.txt'"),
        ("predict mine ''", "one of the inputs is empty"),
        ("predict run [MASK] --top 0", "--top must be at least 1"),
        ("embed run labels.csv --out notes", "this is a folder"),
        ("embed run labels.csv --out labels.csv/vectors.parquet", "the vectors cannot be written"),
    ],
)
def test_it_is_told(arguments: str, said: str, here: Path, call: Call) -> None:
    heard = call(*shlex.split(arguments))
    assert heard.code == 1
    assert said in heard.err
    assert heard.out == ""
    assert not (here / "new").exists(), "a command that could not begin leaves nothing behind"


def test_a_wrong_label_file_is_told_before_the_long_reading_and_does_not_bind_the_run(here: Path, call: Call) -> None:
    command = ["pretrain", "notes", "--out", "new", "--steps", "2", "--size", "tiny"]
    heard = call(*command, "--labels", "labls.csv")
    assert heard.code == 1
    assert "did you mean 'labels.csv'?" in heard.err
    assert "rows  " not in heard.err
    assert call(*command, "--labels", "labels.csv").code == 0


def test_the_place_of_a_report_is_tried_before_the_work(here: Path, call: Call) -> None:
    heard = call("verdict", "run", "labels.csv", "--out", "labels.csv")
    assert heard.code == 1
    assert "there is a file of this name" in heard.err
    assert "baselines" not in heard.err


def test_a_path_written_otherwise_is_the_same_run(here: Path, call: Call) -> None:
    for path in ("notes/", "./notes"):
        heard = call("pretrain", path, "--steps", "4", "--out", "run", "--json")
        assert heard.code == 0
        assert "finished" in heard.err
    assert call("finetune", "./run/", "labels.csv", *BUCKET, "--steps", "4", "--out", "mine").code == 0


def test_data_that_changed_does_not_change_a_run_that_has_begun(here: Path, call: Call) -> None:
    (here / "run" / "report.json").unlink()  # as if it had been killed at its end
    (here / "notes" / "new.md").write_text("Words that were not there: zebra, quagga, okapi.\n" * 50, encoding="utf-8")
    before = (here / "run" / "tokens" / "tokenizer.json").read_bytes()
    heard = call("pretrain", "notes", "--steps", "4", "--out", "run", "--json")
    assert heard.code == 1
    assert "restore the data, or choose another --out for what it has become" in heard.err
    assert (here / "run" / "tokens" / "tokenizer.json").read_bytes() == before
    shutil.rmtree(here / "notes")  # what is gone has not become another
    again = call("pretrain", "notes", "--steps", "4", "--out", "run")
    assert again.code == 0, again.err
    assert "when this run began" in again.err


def test_a_dry_run_names_no_file_that_it_does_not_write(here: Path, call: Call) -> None:
    heard = call("pretrain", "notes", "--steps", "2", "--dry-run", "--out", "new", "--json")
    assert heard.report["steps"] == 2
    assert "recipe.yaml" not in heard.err
    assert not (here / "new" / "recipe.yaml").exists()


@pytest.mark.parametrize("text", ["verb: pretrain\ntrain: {rat: 3}\n", "train: {steps: two}\n", "", "- 1\n"])
def test_a_recipe_spoiled_by_hand_is_named(text: str, here: Path, call: Call) -> None:
    (here / "run" / "recipe.yaml").write_text(text, encoding="utf-8")
    for command in (["verdict", "run", "labels.csv"], ["pretrain", "notes", "--steps", "4", "--out", "run"]):
        heard = call(*command)
        assert heard.code == 1
        assert "run/recipe.yaml" in heard.err


def test_a_report_spoiled_by_hand_is_written_anew(here: Path, call: Call) -> None:
    (here / "run" / "report.json").write_text("[1]", encoding="utf-8")
    assert call("evaluate", "run", "labels.csv").code == 0
    assert json.loads((here / "run" / "report.json").read_text("utf-8")).keys() == {"evaluate"}


def test_a_moved_run_says_where_it_is_now(here: Path, call: Call) -> None:
    shutil.move("run", "elsewhere")
    assert call("pretrain", "notes", "--steps", "4", "--out", "elsewhere", "--json").report["run"] == "elsewhere"


def test_the_label_column_that_was_guessed_is_not_the_only_one(here: Path, call: Call) -> None:
    heard = call("check", "notes", "--labels", "labels.csv")
    assert "label in column 'rater' (a guess; name it with --label if it is 'bucket (final)')" in heard.out
    named = call("check", "notes", "--labels", "labels.csv", *BUCKET, "--text", "Q7 free comment")
    assert named.code == 0
    assert "a guess" not in named.out


def test_new_classes_are_new_weights(here: Path, call: Call) -> None:
    heard = call("finetune", "mine", "labels.csv", "--label", "rater", "--steps", "2", "--out", "new")
    assert "new weights: classifier.bias, classifier.weight" in heard.err
    again = call("finetune", "mine", "labels.csv", *BUCKET, "--steps", "2", "--out", "again")
    assert "new weights: none" in again.err


def test_an_option_of_the_task_has_an_effect(here: Path, call: Call) -> None:
    def first_loss(out: str, *more: str) -> float:
        assert call("finetune", "run", "labels.csv", *BUCKET, "--steps", "1", "--out", out, *more).code == 0
        return json.loads((here / out / "metrics.jsonl").read_text("utf-8").splitlines()[0])["loss"]

    assert first_loss("plain") != first_loss("smooth", "--set", "objective.options.smoothing=0.5")


def test_predict_reads_files_and_folders_and_answers_a_line_each(here: Path, call: Call) -> None:
    (here / "texts.jsonl").write_text('{"text": "a fox\\n\\tran"}\n{"text": "an otter"}\n', encoding="utf-8")
    lines = call("predict", "mine", "texts.jsonl", "a heron").out.splitlines()
    assert [line.split("\t")[2] for line in lines] == ["a fox ran", "an otter", "a heron"]
    assert len(call("predict", "mine", "notes", "--json").report["predictions"]) > 20
    assert call("predict", "run", "the [MASK]", "--top", "100000").code == 0


def test_what_is_not_read_of_long_texts_is_told(here: Path, call: Call) -> None:
    notes = call("predict", "mine", "otter " * 1000, "short", "--json").report["notes"]
    assert notes == ["1 of 2 texts are longer than the 256 tokens that are read of each"]


def test_evaluating_on_the_training_data_says_so(here: Path, call: Call) -> None:
    trained_on = "the model was trained on this data: on other data it will do worse"
    assert trained_on in call("evaluate", "run", "notes/", "--json").report["notes"]
    assert trained_on in call("evaluate", "mine", "labels.csv", *BUCKET, "--json").report["notes"]
    assert trained_on not in call("evaluate", "run", "labels.csv", "--json").report["notes"]


def test_text_that_the_model_cannot_read_is_no_measure(here: Path, call: Call) -> None:
    (here / "zh.txt").write_text("酒店很好，服务也不错。\n" * 20, encoding="utf-8")
    report = call("evaluate", "run", "zh.txt", "--json").report
    assert report["measures"]["unknown_tokens"] > 0.5
    assert "are unknown to the model" in report["notes"][0]


def test_a_file_without_text_gives_no_vectors(here: Path, call: Call) -> None:
    (here / "empty.txt").write_text("\n", encoding="utf-8")
    assert call("embed", "run", "empty.txt", "--out", "vectors.parquet").code == 1
    assert not list(here.glob("vectors*"))
    assert call("embed", "run", "labels.csv", "--out", "vectors.parquet").code == 0
    assert pq.read_table("vectors.parquet").num_rows == 108


def test_a_long_line_is_one_row_and_repeats_nothing(here: Path, call: Call) -> None:
    (here / "long.txt").write_text("a" * 3_000_000, encoding="utf-8")
    report = call("check", "long.txt", "--json").report
    assert (report["rows"], report["duplicates"]) == (1, 0)


def test_few_test_rows_are_told(here: Path, call: Call) -> None:
    report = call("verdict", "run", "labels.csv", *BUCKET, "--seeds", "2", "--budgets", "4", "--json").report
    assert any("test rows are few" in note for note in report["notes"])


def test_overlap_is_looked_for_in_all_that_the_model_was_trained_on(here: Path, call: Call, texts: list[str]) -> None:
    (here / "more.txt").write_text("Nothing of the kind is said here.\n" * 200, encoding="utf-8")
    small = ["--steps", "2", "--set", "train.length=16"]
    assert call("pretrain", "more.txt", "--init", "run", "--out", "second", *small).code == 0
    rows = [f'"{text} It was number {i % 3}.",{"ab"[i % 2]}' for i, text in enumerate(texts)]
    (here / "seen.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    judged = ["verdict", "second", "seen.csv", "--seeds", "1", "--budgets", "2", "--json"]
    report = call(*judged).report
    assert report["overlap_rows"] == 11  # every test row: 0.3 of 36
    shutil.rmtree("notes")
    report = call(*judged).report
    assert report["overlap_rows"] == 0
    assert "overlap with what notes holds or was trained on is unknown" in report["notes"]


def test_one_rare_label_does_not_take_the_rows_to_stop_by(here: Path, call: Call, texts: list[str]) -> None:
    rows = [f'"{text} {i}",{"ab"[i % 2]}' for i, text in enumerate(texts * 7)]
    (here / "rare.csv").write_text("\n".join(["text,label", *rows, "a text seen once,rare"]), encoding="utf-8")
    plan = call("finetune", "run", "rare.csv", "--dry-run", "--json", "--out", "new").report
    assert (plan["train_rows"], plan["stop_rows"]) == (215, 38)


def test_a_batch_that_no_memory_holds_is_refused_before_it_is_tried(here: Path, call: Call) -> None:
    heard = call("pretrain", "notes", "--steps", "2", "--size", "medium", "--batch", "20000", "--out", "new")
    assert heard.code == 1
    assert "GB of memory" in heard.err
