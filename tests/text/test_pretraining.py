"""From a folder of text to a model that others can load."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForMaskedLM, AutoTokenizer

from selftaught.backbones.heads import MaskedLMHead
from selftaught.errors import SelftaughtError
from selftaught.pretrained import open_pretrained
from selftaught.verbs.pretrain import pretrain


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    place = tmp_path_factory.mktemp("pretraining")
    (place / "text").mkdir()
    for i in range(30):
        (place / "text" / f"{i}.md").write_text("\n".join(f"{text} {i}" for text in texts), encoding="utf-8")
    rows = [f"{text},{'fox' if 'fox' in text else 'other'}" for text in texts]
    (place / "labels.csv").write_text("\n".join(["text,label", *(row.replace(", ", " ") for row in rows)]), "utf-8")
    return place


def small(folder: Path, out: str, **more: Any) -> dict[str, Any]:
    settings = ["train.length=16", "train.precision=fp32", *more.pop("set_", [])]
    given = {"steps": 60, "batch": 8, "size": None if "init" in more else "tiny", "set_": settings, **more}
    return pretrain(str(folder / "text"), out=folder / out, **given)


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    return small(folder, "run", labels=str(folder / "labels.csv"))


def test_it_learns_more_than_which_tokens_are_common(report: dict[str, Any]) -> None:
    held_out = report["held_out"]
    assert held_out["below_unigram"] > 0.5
    assert held_out["loss"] < held_out["unigram_loss"] < held_out["chance_loss"]
    assert (report["steps"], report["tokens"]) == (60, 60 * 8 * 16)


def test_the_model_folder_gives_the_same_logits_in_transformers(folder: Path, report: dict[str, Any]) -> None:
    ours = open_pretrained(folder / "run")
    assert ours.unigram is not None
    head = MaskedLMHead.of(ours.backbone, ours.unigram).eval()
    their_model = AutoModelForMaskedLM.from_pretrained(folder / "run" / "model").eval()
    their_tokenizer = AutoTokenizer.from_pretrained(folder / "run" / "model")
    text = "The red [MASK] wandered over the mountain, unbelievably quietly."
    batch = ours.tokenizer.cloze(text, longest=64)
    theirs = their_tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    assert torch.equal(batch["input_ids"][:, 1:-1], theirs)
    with torch.no_grad():
        assert torch.allclose(head(ours.backbone.eval()(batch)), their_model(**batch).logits, atol=1e-5)


def test_the_folder_holds_what_was_promised(folder: Path, report: dict[str, Any]) -> None:
    run = folder / "run"
    for name in ("recipe.yaml", "model/config.json", "heads.safetensors", "metrics.jsonl", "report.json", "report.md"):
        assert (run / name).is_file()
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((run / "report.json").read_text(encoding="utf-8"))["pretrain"] == report
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all("loss" in line for line in lines)
    assert any("held_out_loss" in line for line in lines)
    assert all(0 <= line["probe"] <= 1 for line in lines if "probe" in line)
    assert any("probe" in line for line in lines)


def test_the_model_card_quotes_no_training_text(folder: Path, report: dict[str, Any], texts: list[str]) -> None:
    card = (folder / "run" / "README.md").read_text(encoding="utf-8").lower()
    said = set(zip(*(re.findall(r"\w+", card)[k:] for k in range(3)), strict=False))
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        assert not said & set(zip(*(words[k:] for k in range(3)), strict=False))
    assert "AutoModelForMaskedLM".lower() in card


def test_a_run_is_gone_on_from(folder: Path, report: dict[str, Any]) -> None:
    """With its tokenizer and its weights: the first steps are better than a new run's."""
    further = small(folder, "further", init=folder / "run", steps=4)
    fresh = small(folder, "fresh", steps=4)
    assert further["vocabulary"] == report["vocabulary"]
    assert further["held_out"]["loss"] < fresh["held_out"]["loss"] - 0.3


def test_whole_words_in_chinese(folder: Path) -> None:
    (folder / "zh.txt").write_text("任何公民享有宪法和法律规定的权利，同时必须履行义务。\n" * 300, encoding="utf-8")
    settings = ["objective.options.whole_words=true", "train.length=16", "train.precision=fp32"]
    done = pretrain(str(folder / "zh.txt"), out=folder / "zh", steps=5, batch=4, size="tiny", set_=settings)
    assert done["steps"] == 5
    assert "language | Chinese" in (folder / "zh" / "README.md").read_text(encoding="utf-8")


def test_a_corpus_of_a_few_lines_still_trains(folder: Path) -> None:
    (folder / "note.txt").write_text("The fox wandered over the mountain.\n" * 8, encoding="utf-8")
    done = pretrain(str(folder / "note.txt"), out=folder / "note", steps=2, batch=2, size="tiny")
    assert done["steps"] == 2


def test_a_budget_in_time_ends_in_time(folder: Path) -> None:
    done = small(folder, "timed", steps=None, for_="2s")
    assert 2.0 <= done["seconds"] < 6.0


def test_threads_share_a_step_and_the_recipe_says_how_many(folder: Path) -> None:
    """As many as there are, if there is work for them; on one thread the same recipe gives the same bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        small(folder, "two", steps=2, set_=["train.length=64"])
    finally:
        torch.set_num_threads(before)
    recipe = folder / "two" / "recipe.yaml"
    assert yaml.safe_load(recipe.read_text(encoding="utf-8"))["train"]["threads"] == 2
    pretrain(str(folder / "text"), recipe=recipe, out=folder / "again")
    weights = [(folder / run / "model" / "model.safetensors").read_bytes() for run in ("two", "again")]
    assert weights[0] == weights[1]


def test_rows_that_threads_cannot_share(folder: Path) -> None:
    with pytest.raises(SelftaughtError, match="8 rows are no multiple of 3"):
        small(folder, "three", steps=2, set_=["train.threads=3"])
    with pytest.raises(SelftaughtError, match="cannot be parted"):
        small(folder, "pairs", steps=2, objective="simcse", set_=["train.threads=2"])
