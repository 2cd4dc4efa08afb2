"""A language model that is shown pictures, from the command line: captions, questions, examples in the context."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM

from ..films import COLOURS, film, moving_square
from ..tasks.samples import FILES
from .conftest import Call
from .test_tasks import shown_pictures

TOWERS = ["--init", "eyes", "--set", "model.text_init=decoder"]
EXACT = ["--set", "train.precision=fp32"]


@pytest.fixture
def towers(here: Path, call: Call) -> None:
    """The runs ``eyes`` and ``decoder``; ``pairs.csv`` with twelve pictures, and ``questions.json`` about them."""
    small = ["--size", "tiny", "--steps", "4", "--set", "train.length=16"]
    assert call("pretrain", "notes", "--objective", "causal_lm", "--out", "decoder", *small).code == 0
    shown_pictures(here, call)
    pictures = sorted((FILES / "vqa_pictures").glob("*.png"))
    rows = [f"{file},a {' '.join(file.stem.split('_'))}" for file in pictures]
    (here / "pairs.csv").write_text("image,caption\n" + "\n".join([*rows, "gone.png,nothing"]), encoding="utf-8")
    asked = [{"image": str(f), "question": "what shape is it?", "answer": f.stem.split("_")[1]} for f in pictures]
    (here / "asked.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")


def test_captions_from_two_towers_to_questions(towers: None, here: Path, call: Call) -> None:
    caption = ["pretrain", "pairs.csv", "--objective", "caption", *EXACT]
    taught = call(*caption, *TOWERS, "--steps", "3", "--batch", "4", "--out", "captions", "--json")
    assert taught.code == 0, taught.err
    report = taught.report
    assert report["rows"]["kept"] == 8
    assert report["rows"]["quarantined"][0]["line"] == 10
    for name in ("decoder", "eyes"):
        assert name in report["towers"]
    files = {file.name for file in (here / "captions").iterdir()}
    assert files >= {"model", "checkpoints", "README.md", "report.md", "curve.png"}

    frozen = AutoModelForCausalLM.from_pretrained(here / "decoder" / "model").state_dict()
    kept = AutoModelForCausalLM.from_pretrained(here / "captions" / "model").state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in frozen.items())
    eyes, seen = (load_file(here / name / "model.safetensors") for name in ("eyes/model", "captions/model/pictures"))
    assert all(torch.equal(seen[name], weight) for name, weight in eyes.items())
    AutoModel.from_pretrained(here / "captions" / "model" / "pictures")
    (last,) = sorted((here / "captions" / "checkpoints").iterdir())[-1:]
    assert all(".gated." in name or ".resampler." in name for name in load_file(last / "learner.safetensors"))

    picture = str(FILES / "vqa_pictures" / "red_circle.png")
    said = call("predict", "captions", picture, str(FILES / "vqa_pictures"), "--top", "2", "--json")
    assert said.code == 0, said.err
    assert len(said.report["predictions"]) == 9
    assert len(said.report["predictions"][0]["captions"]) == 2
    assert len(call("predict", "captions", picture).out.splitlines()) == 1
    drawn = ["generate", "captions", "--picture", picture, "--prompt", "a", "--tokens", "5", "--samples", "2", "--json"]
    told = call(*drawn).report["continuations"]
    assert [one["seed"] for one in told] == [0, 1]
    assert all(one["text"].startswith("a") for one in told)
    assert call(*drawn).report["continuations"] == told
    assert "reads text alone" in call("generate", "decoder", "--picture", picture).err

    measured = call("evaluate", "captions", "pairs.csv", "--json")
    assert measured.code == 0, measured.err
    assert {"loss", "without_pictures", "with_another_picture", "chrf", "bleu"} <= measured.report["measures"].keys()
    shots = ["--shots", "0,2", "--rows", "4", "--draws", "2", "--json"]
    few = call("evaluate", "captions", "asked.jsonl", *shots)
    assert few.code == 0, few.err
    assert [(one["shots"], one["method"]) for one in few.report["scores"]] == [
        (k, f"with {how}") for k in (0, 2) for how in ("its picture", "black pictures")
    ]
    assert "cannot be drawn" in call("evaluate", "captions", "asked.jsonl", "--shots", "9", "--rows", "4").err

    more = call(
        *caption, "--init", "captions", "--steps", "2", "--set", "objective.options.together=2", "--out", "more"
    )
    assert more.code == 0, more.err
    answered = call("finetune", "captions", "asked.jsonl", "--task", "vqa", "--steps", "2", *EXACT, "--out", "answers")
    assert answered.code == 0, answered.err
    assert call("predict", "answers", picture, "what is it?", "is it red?").code == 0
    control = ["--set", "objective.options.without=picture"]
    direct = call(
        *("finetune", "eyes", "asked.jsonl", "--task", "vqa", "--set", "model.text_init=decoder"),
        *("--steps", "2", *control, "--out", "blind", "--json"),
    )
    assert direct.code == 0, direct.err


def test_a_tower_that_is_missing_or_of_another_kind(towers: None, call: Call) -> None:
    for given, message in (
        (["--init", "eyes"], "has no language model beside it"),
        (["--init", "decoder"], "has not been given a network over pictures"),
        ([], "needs a trained network over pictures and a language model"),
        (["--init", "eyes", "--set", "model.text_init=run"], "reads from both sides"),
        (["--init", "run", "--set", "model.text_init=decoder"], "no network over pictures here"),
    ):
        said = call("pretrain", "pairs.csv", "--objective", "caption", *given, "--steps", "1", "--out", "new")
        assert said.code == 1
        assert message in said.err
        assert "Traceback" not in said.err
    refused = call("finetune", "decoder", "asked.jsonl", "--task", "vqa", "--out", "new")
    assert refused.code == 1
    assert "reads text alone" in refused.err
    alone = call("finetune", "eyes", "asked.jsonl", "--task", "vqa", "--out", "new")
    assert "has no language model beside it" in alone.err
    fused = call("pretrain", "pairs.csv", "--objective", "caption+mlm", *TOWERS, "--out", "new")
    assert "alone" in fused.err


def test_captions_of_clips(towers: None, here: Path, call: Call) -> None:
    rows = []
    for number, colour in enumerate(COLOURS * 3):
        across = number % 2
        film(
            here / "films" / f"{number}.mkv", moving_square(10 + number, across=across, down=1 - across, colour=colour)
        )
        rows.append(f"films/{number}.mkv,a square moves {'across' if across else 'down'}")
    (here / "clips.csv").write_text("\n".join(["clip,caption", *rows, "films/gone.mkv,nothing"]), encoding="utf-8")
    asked = ["pretrain", "clips.csv", "--objective", "caption", *TOWERS, *EXACT, "--set", "train.seed=1"]
    taught = call(*asked, "--steps", "3", "--batch", "4", "--out", "captions", "--json")
    assert taught.code == 0, taught.err
    assert "which are clips: 8 frames of each" in taught.err
    assert (taught.report["rows"]["kept"], taught.report["rows"]["quarantined_rows"]) == (12, 1)
    assert "films/gone.mkv" in taught.report["rows"]["quarantined"][0]["why"]
    said = call("predict", "captions", "films/0.mkv", "--json")
    assert said.code == 0, said.err
    assert len(said.report["predictions"]) == 1
    measured = call("evaluate", "captions", "clips.csv", "--json")
    assert measured.code == 0, measured.err
    assert measured.report["measures"]["without_pictures"] > 0
    refused = call("pretrain", "clips.csv", "--objective", "clip", "--out", "pairs")
    assert refused.code == 1
    assert "no column names pictures" in refused.err
