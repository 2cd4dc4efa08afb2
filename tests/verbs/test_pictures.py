"""Pictures through the verbs: pretrained, resumed, judged, and loaded by transformers."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch
import transformers
from PIL import Image
from safetensors.numpy import load_file
from transformers import AutoImageProcessor, AutoModel

from selftaught.pictures.classifying import PictureClassifier
from selftaught.pictures.model import PictureModel
from selftaught.pictures.ranking import CANDIDATES

from .conftest import Call

TRAIN = ("--steps", "3", "--batch", "8", "--set", "data.resolution=16")


@pytest.fixture
def shapes(here: Path) -> Path:
    """Disks and bars of any colour, in a folder each."""
    drawn, folder = np.random.default_rng(0), here / "shapes"
    across, down = np.meshgrid(np.arange(16), np.arange(16))
    for number in range(60):
        x, y = drawn.integers(4, 12, 2)
        masks = {"disk": (across - x) ** 2 + (down - y) ** 2 < 9, "bar": abs(across - x) < 1}
        for name, mask in masks.items():
            colour = drawn.integers(60, 256, 3)
            picture = np.where(mask[..., None], colour, drawn.integers(0, 40, 3)).astype(np.uint8)
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("objective", "size"),
    [("simclr", "conv-tiny"), ("vicreg", "vit-tiny"), ("rotation", "conv-tiny"), ("mae", "vit-tiny")],
)
def test_a_run_loads_in_transformers_with_the_same_numbers(shapes: Path, call: Call, objective: str, size: str) -> None:
    said = call("pretrain", "shapes", "--objective", objective, "--size", size, *TRAIN, "--out", "seen", "--json")
    assert said.code == 0, said.err
    assert said.report["rows"]["kept"] == 120
    assert {"knn", "probe", "rank", "deviation"} <= said.report["features"].keys()
    file = next((shapes / "disk").iterdir())
    processor, theirs = AutoImageProcessor.from_pretrained("seen/model"), AutoModel.from_pretrained("seen/model").eval()
    ours = PictureModel.load("seen")
    with torch.no_grad():
        states = theirs(**processor(Image.open(file), return_tensors="pt")).last_hidden_state
    states = states if objective in ("vicreg", "mae") else states.flatten(2).transpose(1, 2)
    assert np.abs(ours.features(ours.read([file]))[0] - states.mean(1)[0].numpy()).max() < 1e-4


def test_pictures_are_met_with_simclr_and_the_plan_is_told(shapes: Path, call: Call) -> None:
    said = call("pretrain", "shapes", *TRAIN, "--dry-run", "--out", "seen", "--json")
    assert said.code == 0, said.err
    assert said.report["objective"] == "simclr"
    assert "2 subfolders, taken for labels" in said.err
    assert "120 in = 120 kept + 0 quarantined" in said.err


def test_a_resumed_run_ends_as_if_never_stopped(shapes: Path, call: Call) -> None:
    exact = ("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--set", "train.save_seconds=0")
    for name in ("one", "two"):
        assert call(*exact, "--out", name).code == 0
    places = [sorted(Path(name, "checkpoints").iterdir()) for name in ("one", "two")]
    weights = load_file(places[0][-1] / "learner.safetensors")
    shutil.rmtree(places[1][-1])
    for file in ("report.json", "model/model.safetensors"):
        Path("two", file).unlink()
    again = call(*exact, "--out", "two")
    assert "resuming at step" in again.err
    resumed = load_file(places[1][-1] / "learner.safetensors")
    assert all(np.array_equal(weights[name], resumed[name]) for name in weights)


def test_a_verdict_sets_features_beside_raw_pixels(shapes: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    said = call("verdict", "seen", "shapes", "--budgets", "4,all", "--seeds", "2", "--json")
    assert said.code == 0, said.err
    methods = {one["method"] for one in said.report["curve"]}
    assert not any("fine-tuned" in method for method in methods)
    assert {"raw pixels probe", "raw pixels kNN", "pretrained probe", "pretrained kNN", "untrained probe"} <= methods
    assert said.report["overlap_rows"] == 24  # it was pretrained on these very pictures, and says so
    assert Path("seen/verdict.png").stat().st_size > 0
    rows = json.loads(Path("seen/verdict_rows.json").read_text("utf-8"))
    assert [len(draw) for draw in rows["4"]] == [8, 8]


def test_every_picture_has_its_vector_and_a_broken_one_is_named(shapes: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    (shapes / "disk" / "broken.png").write_bytes(b"no picture")
    said = call("embed", "seen", "shapes", "--out", "vectors.parquet", "--json")
    assert said.code == 0, said.err
    assert said.report["rows"]["kept"] == 120
    assert said.report["rows"]["quarantined"][0]["file"] == "shapes/disk/broken.png"
    table = pq.read_table("vectors.parquet")
    assert table.column_names == ["file", "line", "label", "vector"]
    model, place = PictureModel.load("seen"), table["file"].to_pylist().index("shapes/bar/7.png")
    wanted = model.features(model.read([shapes / "bar" / "7.png"]))[0]
    assert np.array(table["vector"][place].as_py()) == pytest.approx(wanted, abs=1e-2)  # the verb may read in bfloat16
    assert table["label"][place].as_py() == "bar"
    found = call("search", "seen", "shapes/disk/3.png", "--top", "1", "--json").report  # of what it was trained on
    assert found["found"][0]["file"] == "shapes/disk/3.png"
    assert found["found"][0]["caption"] == "disk"


def test_mistakes_are_told(shapes: Path, here: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    shutil.copytree(shapes / "disk", here / "flat")
    for command, says in (
        (["pretrain", "shapes", "--objective", "mae", "--size", "conv-tiny", "--out", "x"], "patch by patch"),
        (
            ["pretrain", "shapes", "--objective", "simclr", "--size", "tiny", "--out", "x"],
            "no size 'tiny' for pictures",
        ),
        (["pretrain", "notes", "--objective", "mlm", "--size", "vit-tiny", "--out", "x"], "vit-tiny reads pictures"),
        (["pretrain", "notes", "--objective", "simclr", "--out", "x"], "there are no pictures"),
        (["pretrain", "shapes", "--objective", "simclr+mlm", "--out", "x"], "pictures, and mlm from text"),
        (["verdict", "seen", "flat"], "these pictures have no labels"),
        (["verdict", "seen", "shapes", "--task", "tag"], "--task tag is for text"),
        (["finetune", "seen", "flat", "--out", "x"], "these pictures have no labels"),
        (["finetune", "seen", "shapes", "--task", "tag", "--out", "x"], "tag is a task of text"),
        (["finetune", "seen", "shapes", "--text", "a", "--out", "x"], "--text is for text"),
        (["predict", "seen", "shapes"], "has not been taught any classes"),
        (["evaluate", "seen", "shapes", "--suite", "blimp"], "--suite is for text"),
    ):
        said = call(*command)
        assert said.code == 1, (command, said.err)
        assert says in said.err, (command, said.err)


def test_check_counts_sizes_labels_copies_and_what_is_in_both(shapes: Path, here: Path, call: Call) -> None:
    shutil.copy(shapes / "bar" / "3.png", shapes / "bar" / "again.png")
    (shapes / "disk" / "broken.png").write_bytes(b"no picture")
    drawn = np.random.default_rng(1)
    for name in ("new", "newer"):
        (here / "test" / name).mkdir(parents=True)
        Image.fromarray(drawn.integers(0, 256, (40, 30, 3), np.uint8)).save(here / "test" / name / "a.png")
    shutil.copy(shapes / "bar" / "5.png", here / "test" / "new" / "b.png")
    said = call("check", "shapes", "--labels", "test", "--json")
    assert said.code == 0, said.err
    found = said.report
    assert (found["rows"], found["kept"], found["copies"]) == (122, 121, 1)
    assert found["quarantined"][0]["file"] == "shapes/disk/broken.png"
    assert found["classes"] == {"bar": 61, "disk": 60}
    assert found["sizes"]["median"] == [16, 16]
    assert found["labels"]["sizes"]["most"] == [30, 40]
    assert found["labels"]["also_in_data"] == 1
    assert any("few" in sentence for sentence in found["advice"])
    assert "2 classes of 60 to 61 pictures" in call("check", "shapes").out
    assert call("check", "builtin:digits", "--json").report["near_copies"] == 0  # too small to tell


@pytest.mark.parametrize("size", ["conv-tiny", "vit-tiny"])
def test_a_run_goes_on_from_another(shapes: Path, call: Call, size: str) -> None:
    """With a rate of nearly nothing it ends where it began, whatever the objective."""
    assert call("pretrain", "shapes", "--size", size, *TRAIN, "--out", "seen").code == 0
    asked = ("--objective", "rotation", "--init", "seen", "--steps", "2", "--batch", "8", "--set", "train.rate=1e-12")
    said = call("pretrain", "shapes", *asked, "--out", "more")
    assert said.code == 0, said.err
    assert "as seen" in said.err
    one, two = (load_file(Path(run) / "model" / "model.safetensors") for run in ("seen", "more"))
    assert all(np.allclose(one[n], two[n], atol=1e-6) for n in one if "running" not in n and "num_batches" not in n)
    refused = call("pretrain", "shapes", *asked, "--set", "data.resolution=32", "--out", "other")
    assert refused.code == 1
    assert "reads pictures of 16 pixels" in refused.err
    if size == "conv-tiny":
        masked = call("pretrain", "shapes", "--objective", "mae", "--init", "seen", "--out", "other")
        assert "patch by patch, which this network does not" in masked.err


def test_features_that_collapse_are_told_of_and_others_are_not(here: Path, call: Call) -> None:
    """VICReg without what keeps views apart makes all pictures one; with it, it does not."""
    asked = (
        "pretrain",
        "builtin:digits",
        "--objective",
        "vicreg",
        "--size",
        "vit-tiny",
        "--steps",
        "60",
        "--batch",
        "32",
    )
    asked += ("--set", "data.resolution=16", "--json")
    without = ("--set", "objective.options.variance=0", "--set", "objective.options.covariance=0")
    said = call(*asked, *without, "--out", "all-one")
    assert any("collapse" in sentence for sentence in said.report["notes"])
    assert "collapse" in said.err
    assert not any("collapse" in sentence for sentence in call(*asked, "--out", "healthy").report["notes"])


def test_finetuning_teaches_classes_that_predict_and_evaluate_then_tell(shapes: Path, here: Path, call: Call) -> None:
    """Disks and bars are told apart after some steps, by all verbs alike, and by a run that was resumed."""
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    (here / "test").mkdir()
    for name in ("disk", "bar"):
        (here / "test" / name).mkdir()
        for number in range(50, 60):
            shutil.move(shapes / name / f"{number}.png", here / "test" / name / f"{number}.png")
    asked = ("finetune", "seen", "shapes", "--test", "test", "--steps", "60", "--out", "taught")
    said = call(*asked, "--set", "train.precision=fp32", "--set", "train.save_seconds=0", "--json")
    assert said.code == 0, said.err
    assert said.report["classes"] == {"bar": 50, "disk": 50}
    assert said.report["test"]["accuracy"] > 0.9
    measured = call("evaluate", "taught", "test", "--json").report
    assert measured["measures"]["accuracy"] == pytest.approx(said.report["test"]["accuracy"], abs=0.06)  # in bfloat16
    assert measured["classes"]["disk"]["rows"] == 10
    (here / "test" / "bar" / "broken.png").write_bytes(b"no picture")
    told = call("predict", "taught", "test", "test/disk/50.png", "--json").report
    right = [one["label"] == Path(one["file"]).parent.name for one in told["predictions"]]
    assert len(right) == 21
    assert np.mean(right) > 0.9
    assert "broken.png" in told["notes"][0]
    lines = call("predict", "taught", "test/disk/50.png").out.split("\t")
    assert (lines[0], lines[2].strip()) == ("disk", "test/disk/50.png")
    refused = call("verdict", "taught", "shapes")
    assert "has been fine-tuned on labels" in refused.err
    weights = load_file("taught/model/model.safetensors")
    shutil.rmtree(sorted(Path("taught/checkpoints").iterdir())[-1])
    Path("taught/report.json").unlink()
    again = call(*asked, "--set", "train.precision=fp32", "--set", "train.save_seconds=0")
    assert "resuming at step" in again.err
    resumed = load_file("taught/model/model.safetensors")
    assert all(np.array_equal(weights[name], resumed[name]) for name in weights)


def test_a_picture_may_have_several_labels_or_none(shapes: Path, here: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    rows = ["path,label"] + [f'shapes/disk/{n}.png,"[""round"", ""filled""]"' for n in range(40)]
    rows += [f'shapes/bar/{n}.png,"[""long""]"' for n in range(40)] + ["shapes/bar/50.png,"]
    (here / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    said = call("finetune", "seen", "labels.csv", "--steps", "60", "--out", "taught", "--json")
    assert said.code == 0, said.err
    assert said.report["classes"] == {"round": 40, "filled": 40, "long": 40}
    assert said.report["unlabelled"] == 1
    (one, other) = call("predict", "taught", "shapes/disk/50.png", "shapes/bar/50.png", "--json").report["predictions"]
    assert (sorted(one["labels"]), other["labels"]) == (["filled", "round"], ["long"])


def test_what_was_not_mirrored_in_pretraining_is_not_mirrored_in_finetuning(shapes: Path, call: Call) -> None:
    never = ("--set", "objective.options.flip=0")
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, *never, "--out", "seen").code == 0
    for more, flip in (((), 0.0), (("--set", "objective.options.flip=0.5"), 0.5)):
        assert call("finetune", "seen", "shapes", "--steps", "1", *more, "--out", f"taught{flip}").code == 0
        classifier = PictureClassifier.load(f"taught{flip}")
        assert classifier is not None
        assert classifier.task.flip == flip


def test_from_scratch_nothing_of_the_run_is_left(shapes: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    asked = ("finetune", "seen", "shapes", "--steps", "1", "--set", "train.rate=1e-12")
    for name, more in (("from", ()), ("scratch", ("--scratch",))):
        assert call(*asked, *more, "--out", name).code == 0
    seen, kept, drawn = (load_file(Path(run, "model/model.safetensors")) for run in ("seen", "from", "scratch"))
    weights = [name for name in seen if seen[name].ndim == 4]
    assert all(np.allclose(seen[name], kept[f"regnet.{name}"], atol=1e-6) for name in weights)
    assert not any(np.allclose(seen[name], drawn[f"regnet.{name}"], atol=1e-3) for name in weights)


@pytest.mark.parametrize("several", [False, True])
def test_a_finetuned_network_of_convolutions_answers_the_same_in_a_pipeline(
    shapes: Path, here: Path, call: Call, several: bool
) -> None:
    assert call("pretrain", "shapes", "--size", "conv-tiny", *TRAIN, "--out", "seen").code == 0
    options = ("--set", f"objective.options.several={several}", "--set", "train.precision=fp32")
    assert call("finetune", "seen", "shapes", "--steps", "20", *options, "--out", "taught").code == 0
    assert not Path("taught/heads.safetensors").exists()
    classifier = PictureClassifier.load("taught/model")  # the folder alone has all of it
    assert classifier is not None
    files = [str(shapes / name / "1.png") for name in ("disk", "bar")]
    ask = transformers.pipeline("image-classification", "taught/model", device="cpu", top_k=None)
    theirs = [{one["label"]: one["score"] for one in said} for said in ask(files)]
    ours = classifier.answers(classifier.model.read(map(Path, files)))
    assert [said["probabilities"] for said in ours] == [pytest.approx(said, abs=1e-5) for said in theirs]


def test_rotation_names_the_pictures_that_look_the_same_from_several_sides(here: Path, call: Call) -> None:
    """Half of them are arrows, half rings and crosses of any place in the middle: the latter are named."""
    drawn, folder = np.random.default_rng(0), here / "signs"
    folder.mkdir()
    across, down = np.meshgrid(np.arange(16) - 7.5, np.arange(16) - 7.5)
    for number in range(150):
        size, colour = drawn.uniform(3, 7), drawn.integers(90, 256, 3)
        ring = abs(np.hypot(across, down) - size) < drawn.uniform(0.8, 2.5)
        arrow = (abs(across) < size * (down + size) / 12) & (abs(down) < size)
        for name, mask in (("same", ring), ("arrow", arrow)):
            Image.fromarray(np.where(mask[..., None], colour, 0).astype(np.uint8)).save(folder / f"{name}-{number}.png")
    asked = ("--objective", "rotation", "--size", "conv-tiny", "--steps", "100", "--batch", "64", "--out", "seen")
    options = ("--set", "data.resolution=16", "--set", "objective.options.jitter=0")
    said = call("pretrain", "signs", *asked, *options, "--json")
    assert said.code == 0, said.err
    named = [json.loads(line) for line in Path("seen/doubtful.jsonl").read_text("utf-8").splitlines()]
    assert said.report["doubtful"] == {"asked": 300, "pictures": len(named), "file": "doubtful.jsonl"}
    alike = ["same-" in one["file"] for one in named]
    assert sum(alike) >= 0.9 * 150  # found
    assert np.mean(alike) > 0.9  # and hardly any others
    assert all(one["certainty"] <= 0.5 for one in named)


def test_a_run_leaves_pages_to_look_at(shapes: Path, call: Call) -> None:
    shown = call("pretrain", "shapes", "--objective", "mae", *TRAIN, "--preview", "--out", "seen", "--json")
    assert shown.report == {"verb": "pretrain", "preview": "seen/views.png"}
    assert not Path("seen/model").exists()
    with Image.open("seen/views.png") as page:
        assert page.size == (4 * 68 - 4, 8 * 68 - 4)  # eight pictures, each as it is and three times asked about
    said = call("pretrain", "shapes", "--objective", "mae", *TRAIN, "--out", "seen", "--json")
    assert said.code == 0, said.err
    report = Path("seen/report.md").read_text("utf-8")
    for page in ("views.png", "rebuilt/step-000000003.png", "neighbours.png", "map.png"):
        assert f"]({page})" in report
        with Image.open(Path("seen", page)) as picture:
            assert picture.getextrema() != ((255, 255),) * 3
    assert "is text" in call("pretrain", "notes", "--objective", "mlm", "--preview", "--out", "x").err


def test_objectives_are_ranked_by_a_probe(shapes: Path, call: Call) -> None:
    said = call("check", "shapes", "--pretext", "--for", "1s", "--json")
    assert said.code == 0, said.err
    tried = said.report["pretext"]
    assert {one["objective"] for one in tried} == set(CANDIDATES)
    probes = [one["probe"] for one in tried]
    assert probes == sorted(probes, reverse=True)
    assert all(one["pictures_per_second"] > 0 and one["untrained"]["probe"] > 0 for one in tried)
    assert "is text" in call("check", "notes", "--pretext").err


def test_an_onnx_file_gives_the_same_numbers_from_the_bytes_of_a_picture(shapes: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "vit-tiny", *TRAIN, "--out", "seen").code == 0
    assert call("finetune", "seen", "shapes", "--steps", "2", "--out", "taught").code == 0
    said = call("export", "taught", "--json")
    assert said.code == 0, said.err
    assert said.report["outputs"] == ["pooled", "patches", "probabilities"]
    assert said.report["largest_difference"] < 1e-4
    session = onnxruntime.InferenceSession("taught/model.onnx", providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["classes"]) == ["bar", "disk"]
    picture = np.asarray(Image.open("shapes/disk/5.png").convert("RGB")).transpose(2, 0, 1)[None]
    pooled, patches, shares = session.run(None, {"pixels": picture})
    model, taught = PictureModel.load("taught"), PictureClassifier.load("taught")
    assert taught is not None
    assert np.abs(pooled[0] - model.features(picture)[0]).max() < 1e-4
    assert patches.shape == (1, 16, 128)
    (answer,) = taught.answers(picture)
    assert shares[0] == pytest.approx([*answer["probabilities"].values()], abs=1e-4)
    assert call("export", "seen", "--out", "deep/eyes.onnx", "--json").report["outputs"] == ["pooled", "patches"]
    assert "only networks over pictures" in call("export", "run").err


def test_a_student_learns_its_teachers_features_and_the_table_says_what_it_keeps(shapes: Path, call: Call) -> None:
    assert call("pretrain", "shapes", "--size", "conv-small", *TRAIN, "--out", "seen").code == 0
    asked = ("distill", "seen", "shapes", "--labels", "shapes", "--steps", "30", "--batch", "32", "--out", "small")
    said = call(*asked, "--json")
    assert said.code == 0, said.err
    teacher, student, alone = said.report["models"]
    assert [one["model"] for one in said.report["models"]] == ["teacher", "student", "student without a teacher"]
    assert student["parameters"] == alone["parameters"] < teacher["parameters"]
    assert len(student["scores"]) == 5
    assert teacher["one_ms"] > 0
    learned = json.loads(Path("small/report.json").read_text("utf-8"))["pretrain"]
    assert learned["objective"] == "simreg"
    assert learned["held_out"]["loss"] < 0.9  # of the variance; who says the mean has 1
    assert json.loads(Path("small/alone/report.json").read_text("utf-8"))["pretrain"]["objective"] == "simclr"
    tensors = load_file(sorted(Path("small/checkpoints").iterdir())[-1] / "learner.safetensors")
    assert not any("teacher" in name for name in tensors)
    measured = call("evaluate", "small", "shapes", "--json")
    assert measured.code == 0, measured.err
    assert measured.report["measures"]["loss"] < 0.9
    assert "is finished" in call(*asked).err
    assert "of pictures there is no task stage" in call(*asked[:3], "--task-labels", "shapes").err
    assert "learns from a teacher" in call("pretrain", "shapes", "--objective", "simreg", "--out", "x").err


SMALL = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
OTHERS = {
    "resnet": transformers.ResNetConfig(embedding_size=8, layer_type="basic", **SMALL),
    "convnext": transformers.ConvNextConfig(**SMALL),
    "convnextv2": transformers.ConvNextV2Config(**SMALL),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_convolutions_of_others_are_gone_on_from(shapes: Path, here: Path, call: Call, kind: str) -> None:
    """And what comes out is loaded by transformers again, with the same numbers."""
    AutoModel.from_config(OTHERS[kind]).save_pretrained(here / "theirs")
    processor = transformers.ViTImageProcessor(
        size={"height": 64, "width": 64}, image_mean=[0.4] * 3, image_std=[0.2] * 3, do_convert_rgb=True
    )
    processor.save_pretrained(here / "theirs")
    said = call("pretrain", "shapes", "--init", "theirs", "--steps", "2", "--batch", "8", "--out", "seen", "--json")
    assert said.code == 0, said.err
    assert said.report["resolution"] == 64
    file = next((shapes / "disk").iterdir())
    processor, theirs = AutoImageProcessor.from_pretrained("seen/model"), AutoModel.from_pretrained("seen/model").eval()
    with torch.no_grad():
        states = theirs(**processor(Image.open(file), return_tensors="pt")).last_hidden_state
    ours = PictureModel.load("seen")
    assert np.abs(ours.features(ours.read([file]))[0] - states.mean((2, 3))[0].numpy()).max() < 1e-4
    one, two = load_file("theirs/model.safetensors"), load_file("seen/model/model.safetensors")
    assert one.keys() == two.keys()
