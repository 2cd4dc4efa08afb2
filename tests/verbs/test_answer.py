"""Questions through the verbs, in English and Chinese, and the mistakes one makes."""

import json
from pathlib import Path

import pytest
import torch

from selftaught.backbones.heads import QuestionAnsweringHead, save_model
from selftaught.backbones.hf import load_backbone
from selftaught.data.tokenise import load_tokenizer

from .conftest import Call

CONTEXT = "The red fox wandered over the mountain. The heron watched under the bridge."
SHORT = ["--task", "answer", "--steps", "2", "--set", "train.precision=fp32"]


def squad(path: Path, question: str, context: str, answer: str, rows: int = 6) -> None:
    qas = [
        {"id": f"q{i}", "question": question, "answers": [{"text": answer, "answer_start": context.index(answer)}]}
        for i in range(rows)
    ]
    qas[2]["answers"] = [{"text": answer, "answer_start": 0}]
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": qas}]}]}), encoding="utf-8")


@pytest.mark.parametrize(
    ("question", "context", "answer"),
    [("Where was the fox?", CONTEXT, "over the mountain"), ("谁写了书？", "那本书是曹雪芹在北京写的。", "曹雪芹")],
)
def test_squad_from_file_to_answer(question: str, context: str, answer: str, here: Path, call: Call) -> None:
    squad(here / "a.json", question, context, answer)
    taught = call("finetune", "run", "a.json", *SHORT, "--out", "taught")
    assert taught.code == 0, taught.err
    assert "6 rows: 5 kept, 1 quarantined" in taught.err
    assert "a.json:1: question q2 (data[0].paragraphs[0].qas[2]): the answer" in taught.err
    assert f"answers     mean characters {len(answer)}, most {len(answer)}" in taught.err
    measured = call("evaluate", "taught", "a.json")
    assert [line.split()[0] for line in measured.out.splitlines()[-3:-1]] == ["f1", "exact-match"]
    (said,) = call("predict", "taught", question, context, "--json").report["predictions"]
    assert said["answer"] == context[said["start"] : said["end"]]
    assert 0 < len(said["answer"]) <= len(answer)
    told = call("predict", "taught", question, context).out.rstrip("\n").split("\t")
    score = f"{said['score']:.3f}"
    assert told == [said["answer"], score, str(said["start"]), str(said["end"]), question, context]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("predict taught Who?", "1 texts are no questions with a context each"),
        ("finetune run labels.csv --task answer --out new", "no text column is found"),
        ("finetune run broken.json --task answer --out new", "broken.json:1"),
        ("finetune run a.json --task answer --text ask --out new", "this file has no columns"),
        ("finetune run none.json --task answer --out new", "there are no labelled rows (1 row: 0 kept, 1 quarantined"),
        ("verdict taught a.json --task answer", "this model has been fine-tuned"),
    ],
)
def test_mistakes_about_questions_are_told(arguments: str, said: str, here: Path, call: Call) -> None:
    squad(here / "a.json", "Where was the fox?", CONTEXT, "over the mountain")
    squad(here / "none.json", "", CONTEXT, "The", rows=3)
    content = json.loads((here / "none.json").read_text(encoding="utf-8"))
    del content["data"][0]["paragraphs"][0]["qas"][1:]
    (here / "none.json").write_text(json.dumps(content), encoding="utf-8")
    (here / "broken.json").write_text('{"data": [{"paragraphs": ', encoding="utf-8")
    if "taught" in arguments:
        assert call("finetune", "run", "a.json", *SHORT, "--out", "taught").code == 0
    heard = call(*arguments.split())
    assert heard.code == 1
    assert said in heard.err
    assert heard.out == ""


def test_a_checkpoint_of_others_answers_every_question(here: Path, call: Call) -> None:
    """It says in its configuration what it is for, and nothing else is needed."""
    backbone = load_backbone(here / "run" / "model")
    torch.manual_seed(0)
    save_model(here / "theirs", backbone, QuestionAnsweringHead.of(backbone))
    load_tokenizer(here / "run" / "model").save(here / "theirs", backbone.longest_row)
    (said,) = call("predict", "theirs", "Where was the fox?", CONTEXT, "--json").report["predictions"]
    assert said["answer"] in CONTEXT
    assert said["answer"]


def test_a_text_without_the_answer(here: Path, call: Call) -> None:
    """A model that was taught nothing but that says so, and a blank field stands for nothing."""
    row = {"question": "Why was the fox?", "context": CONTEXT, "answers": []}
    (here / "a.jsonl").write_text((json.dumps(row) + "\n") * 8, encoding="utf-8")
    steps = ["--task", "answer", "--steps", "12", "--set", "train.precision=fp32"]
    assert call("finetune", "run", "a.jsonl", *steps, "--out", "taught").code == 0
    (said,) = call("predict", "taught", "Why was the fox?", CONTEXT, "--json").report["predictions"]
    assert (said["answer"], said["start"], said["end"]) == ("", None, None)
    assert call("predict", "taught", "Why was the fox?", CONTEXT).out.startswith("-\t")
    judged = call("verdict", "run", "a.jsonl", "--task", "answer", "--seeds", "1", "--budgets", "2")
    assert judged.code == 1
    assert "too few to set any aside" in judged.err
