"""Every task runs through finetune, evaluate, predict and verdict on its own standard file, found by itself."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from selftaught.backbones.flamingo import Flamingo
from selftaught.finetuning import learner
from selftaught.flamingo.folder import save_network
from selftaught.pretrained import open_towers
from selftaught.task import Task

from ..tasks.samples import FILES, TASKS, examples_of, file_of, posed_by
from .conftest import Call


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not how well, but whether the tasks are learned."""
    monkeypatch.setattr(learner, "_LEAST_STEPS", 3)


def begun_from(kind: type[Task[Any]], here: Path, call: Call) -> str:
    if kind.architecture == "encoder":
        return "run"
    small = ["--size", "tiny", "--steps", "4", "--set", "train.length=16"]
    assert call("pretrain", "notes", "--objective", "causal_lm", "--out", "decoder", *small).code == 0
    return shown_pictures(here, call) if kind.reads_pictures else "decoder"


def shown_pictures(here: Path, call: Call) -> str:
    """The decoder as one that sees, with nothing learned between the two towers."""
    small = ["--size", "vit-tiny", "--steps", "1", "--batch", "4", "--set", "data.resolution=16"]
    assert call("pretrain", str(FILES / "vqa_pictures"), "--objective", "mae", "--out", "eyes", *small).code == 0
    both = open_towers("eyes", "decoder")
    assert isinstance(both.backbone, Flamingo)
    save_network(here / "seeing", both.backbone, both.backbone.head)
    both.tokenizer.save(here / "seeing", both.backbone.longest_row)
    return "seeing"


def put(kind: type[Task[Any]], here: Path) -> str:
    """The task's file, and the pictures that it names."""
    shutil.copy(file_of(kind), here)
    if kind.reads_pictures:
        shutil.copytree(FILES / "vqa_pictures", here / "vqa_pictures")
    return file_of(kind).name


@pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
def test_check_reads_the_labels_of_every_task(kind: type[Task[Any]], here: Path, call: Call) -> None:
    heard = call("check", "notes", "--labels", str(file_of(kind)), "--task", posed_by(kind).name, "--json")
    assert heard.code == 0, heard.err
    assert heard.report["labels"]["kept"] == len(examples_of(kind))
    for name, values in posed_by(kind).facts(examples_of(kind)).items():
        assert heard.report["labels"][name] == pytest.approx(values)


def test_check_names_the_line_that_a_task_cannot_read(here: Path, call: Call) -> None:
    (here / "bad.conll").write_text("Ada B-PER\nleft O\n\nBo O\nran I-PER\n\nEve B-PER\nsat O\n", encoding="utf-8")
    heard = call("check", "notes", "--labels", "bad.conll", "--task", "tag")
    assert heard.code == 0, heard.err
    assert "3 rows: 2 kept, 1 quarantined" in heard.out
    assert "bad.conll:5: 'I-PER' goes on with an entity that has not begun" in heard.out
    assert "1 of the entities have fewer than 8 labels, such as PER" in heard.out


@pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
def test_the_four_verbs(kind: type[Task[Any]], here: Path, call: Call) -> None:
    task, data = posed_by(kind), put(kind, here)
    run = begun_from(kind, here, call)
    given = ["--task", task.name]
    exact = ["--set", "train.precision=fp32"]
    taught = call("finetune", run, data, *given, "--test", data, "--steps", "3", *exact, "--out", "taught", "--json")
    assert taught.code == 0, taught.err
    assert taught.report["task"] == task.name
    assert taught.report["rows"]["kept"] == len(examples_of(kind))
    card = (here / "taught" / "README.md").read_text("utf-8")
    assert f"pipeline_tag: {task.pipeline}" in card
    assert task.caveat in card

    measured = call("evaluate", "taught", data, "--json")
    assert measured.code == 0, measured.err
    assert measured.report["measures"] == pytest.approx(taught.report["test"])
    assert "the model was trained on this data" in measured.report["notes"][-1]
    assert call("evaluate", "taught", data).code == 0

    first = examples_of(kind)[0]
    said = call("predict", "taught", data, *first.inputs.values(), "--json")
    assert said.code == 0, said.err
    assert len(said.report["predictions"]) == len(examples_of(kind)) + 1
    assert first.inputs.items() <= said.report["predictions"][-1].items()
    assert len(call("predict", "taught", *first.inputs.values()).out.splitlines()) == 1

    again = call("finetune", "taught", data, *given, "--steps", "2", "--out", "again")
    assert again.code == 0, again.err
    assert "new weights: none" in again.err

    judged = call("verdict", run, data, *given, "--seeds", "1", "--budgets", "4", "--finetune", "--json")
    assert judged.code == 0, judged.err
    methods = {point["method"] for point in judged.report["curve"]}
    assert methods >= {"pretrained fine-tuned", "untrained fine-tuned"}
    assert methods >= set(task.baselines(examples_of(kind)[:8], examples_of(kind)[8:], 0))
    assert set(taught.report["test"]) == {point["metric"] for point in judged.report["curve"]}
    refused = call("verdict", "taught", data, *given)
    assert refused.code == 1
    assert "this model has been fine-tuned" in refused.err


@pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
def test_a_damaged_row_is_shown_and_the_rest_is_used(kind: type[Task[Any]], here: Path, call: Call) -> None:
    """Bytes that are no text, in the middle of the file."""
    data = here / put(kind, here)
    lines = data.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    spoiled = [*lines[:middle], lines[middle].rstrip(b"\n") + b"\x00\n", *lines[middle + 1 :]]
    data.write_bytes(b"".join(spoiled))
    run = begun_from(kind, here, call)
    heard = call("finetune", run, data.name, "--task", posed_by(kind).name, "--dry-run", "--out", "new")
    assert heard.code == 0, heard.err
    assert "1 quarantined" in heard.err
    assert f"{data.name}:{middle + 1}: contains NUL bytes" in heard.err


def test_what_is_left_out_of_a_test_file_is_told(here: Path, call: Call) -> None:
    (here / "test.csv").write_text("text,label\na red fox,fox\n,otter\na grey heron,heron\n", encoding="utf-8")
    (here / "train.csv").write_text("text,label\n" + "the fox,fox\none heron,heron\n" * 4, encoding="utf-8")
    said = "test file: 3 rows: 2 kept, 1 quarantined; the first: test.csv:3: column 'text' is empty"
    given = ["--test", "test.csv", "--json"]
    taught = call("finetune", "run", "train.csv", *given, "--steps", "2", "--out", "new")
    assert taught.code == 0, taught.err
    assert said in taught.report["notes"]
    judged = call("verdict", "run", "train.csv", *given, "--seeds", "1", "--budgets", "2", "--out", "judged")
    assert judged.code == 0, judged.err
    assert said in judged.report["notes"]


def test_several_labels_a_text(here: Path, call: Call, texts: list[str]) -> None:
    rows = [f'"{text} {i}",{"|".join(text.split()[1:3])}' for i, text in enumerate(texts)]
    (here / "several.csv").write_text("\n".join(["words,tags", *rows]), encoding="utf-8")
    several = ["--label", "tags", "--set", "objective.options.several=true"]
    taught = call("finetune", "run", "several.csv", *several, "--steps", "3", "--out", "taught", "--json")
    assert taught.code == 0, taught.err
    assert set(taught.report["classes"]) == {"red", "grey", "white", "fox", "heron", "otter", "badger"}
    measured = call("evaluate", "taught", "several.csv", "--label", "tags", "--json").report
    assert set(measured["measures"]) == {"micro_f1", "macro_f1", "exact_match"}
    assert measured["classes"]["red"]["rows"] == 12
    (said,) = call("predict", "taught", "a red fox", "--json").report["predictions"]
    assert said["probabilities"].keys() == measured["classes"].keys()
    assert said["labels"] == sorted(
        (name for name, share in said["probabilities"].items() if share > 0.5), key=lambda n: -said["probabilities"][n]
    )
    judged = call("verdict", "run", "several.csv", *several, "--seeds", "1", "--budgets", "2", "--json").report
    assert judged["metric"] == "micro_f1"
    assert {point["method"] for point in judged["curve"]} == {
        "TF-IDF + logistic regression",
        "TF-IDF + balanced logistic regression",
        "most frequent labels",
        "pretrained fine-tuned",
        "untrained fine-tuned",
    }


def test_where_there_are_no_classes_budgets_are_counted_in_examples(here: Path, call: Call) -> None:
    shutil.copy(next(file_of(kind) for kind in TASKS if kind.__name__ == "Regress"), here / "scores.csv")
    heard = call("verdict", "run", "scores.csv", "--task", "regress", "--seeds", "1", "--budgets", "8,all")
    assert heard.code == 0, heard.err
    assert "examples (in all); mean over seeds" in heard.out
    assert "8 (8)" in heard.out
    assert "with 8 examples (8 in all, 1 seeds), pretrained fine-tuned has spearman" in heard.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("finetune run labels.csv --task pear --out new", "did you mean pair?"),
        ("finetune run labels.csv --second rater --out new", "classify reads one text"),
        ("finetune run labels.csv --task regress --label rater --out new", "no labelled rows"),
        ("verdict run labels.csv --task clasify", "did you mean classify?"),
        ("verdict run labels.csv --set objective.options.smothing=1", "did you mean smoothing?"),
        ("evaluate mine labels.csv --second rater", "classify reads one text"),
        ("evaluate mine labels.csv --label rater", "labels that the model does not know: a, b"),
    ],
)
def test_mistakes_about_tasks_are_told(arguments: str, said: str, here: Path, call: Call) -> None:
    heard = call(*arguments.split())
    assert heard.code == 1
    assert said in heard.err
    assert heard.out == ""
    assert not (here / "new").exists()


def test_from_scratch_nothing_of_the_run_is_left(here: Path, call: Call) -> None:
    """With a rate of nearly nothing a network ends as it began: as the run's, or drawn anew."""
    asked = ("finetune", "run", "labels.csv", "--label", "bucket (final)", "--steps", "1", "--set", "train.rate=1e-12")
    for name, more in (("from", ()), ("scratch", ("--scratch",))):
        assert call(*asked, *more, "--out", name).code == 0
    run, kept, drawn = (load_file(here / name / "model" / "model.safetensors") for name in ("run", "from", "scratch"))
    inside = [name for name in run.keys() & kept.keys() if run[name].ndim == 2 and "embeddings" in name]
    assert inside
    assert all(np.allclose(run[name], kept[name], atol=1e-6) for name in inside)
    assert not any(np.allclose(run[name], drawn[name], atol=1e-3) for name in inside)
