"""A fine-tuned model gives the same answers in the pipelines of transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, pipeline

from selftaught.answering import task_learner
from selftaught.backbones.hf import TextBackbone, backbone_from_config, save_model
from selftaught.data.examples import LabelledText
from selftaught.data.tagged_text import TaggedText
from selftaught.data.text_pairs import LabelledPair, Scored
from selftaught.data.tokenise import TextTokenizer
from selftaught.finetuning import answers
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.pretrained import open_pretrained
from selftaught.task import Task
from selftaught.tasks.classify import Classify
from selftaught.tasks.pair import Pair
from selftaught.tasks.regress import Regress
from selftaught.tasks.tag import Tag

FIRST, SECOND = "The red fox wandered over the mountain.", "A heron watched, unbelievably quietly."


@pytest.fixture(params=["modernbert", "bert"])
def backbone(
    request: pytest.FixtureRequest, tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> TextBackbone:
    torch.manual_seed(3)
    if request.param == "modernbert":
        return small_network(tokenizer)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    return backbone_from_config(BertConfig(vocab_size=tokenizer.vocab_size, max_position_embeddings=64, **shape))


def both(task: Task[Any], example: Any, backbone: TextBackbone, tokenizer: TextTokenizer, folder: Path) -> Any:
    """Our answer, and what the pipeline says to the same texts."""
    ours = answered_and_saved(task, example, backbone, tokenizer, folder)
    texts = list(example.inputs.values())
    asked = texts[0] if len(texts) == 1 else {"text": texts[0], "text_pair": texts[1]}
    theirs = pipeline("text-classification", str(folder), device="cpu", top_k=None)([asked])[0]
    return ours, {one["label"]: one["score"] for one in theirs}


def answered_and_saved(
    task: Task[Any], example: Any, backbone: TextBackbone, tokenizer: TextTokenizer, folder: Path
) -> Any:
    """Our answer; the model is then in the folder."""
    learner = Learner({"text": backbone}, task, Spec())
    with torch.no_grad():
        for parameter in learner.heads.parameters():
            parameter.add_(torch.randn_like(parameter))  # far from the initial weights, where all answers are alike
    (ours,) = answers(learner, tokenizer, [example])
    save_model(folder, backbone, learner.heads)
    tokenizer.save(folder, backbone.longest_row, token_types=backbone.has_token_types)
    return ours


def test_classes(backbone: TextBackbone, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    example = LabelledText(FIRST, "", "", 0)
    ours, theirs = both(Classify(("near", "far", "away")), example, backbone, tokenizer, tmp_path)
    assert theirs == pytest.approx(ours["probabilities"], abs=1e-5)


def test_several_labels(backbone: TextBackbone, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    example = LabelledText(FIRST, "", "", 0)
    ours, theirs = both(Classify(("near", "far", "away"), several=True), example, backbone, tokenizer, tmp_path)
    assert theirs == pytest.approx(ours["probabilities"], abs=1e-5)


def test_pairs(backbone: TextBackbone, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    example = LabelledPair(FIRST, SECOND, "", "", 0)
    ours, theirs = both(Pair(("same", "other")), example, backbone, tokenizer, tmp_path)
    assert theirs == pytest.approx(ours["probabilities"], abs=1e-5)


def test_scores_in_standard_deviations(backbone: TextBackbone, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    example = Scored((FIRST, SECOND), 0.0, "", 0)
    ours, theirs = both(Regress(mean=2.5, deviation=1.5, texts=2), example, backbone, tokenizer, tmp_path)
    assert ours["score"] == pytest.approx(2.5 + 1.5 * theirs["score"], abs=1e-4)


def test_tags_of_words(backbone: TextBackbone, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    """Each token has the same scores; where any tag may follow any other, the entities are the same too."""
    task, example = Tag(("O", "B-near", "B-far"), characters=False), TaggedText(FIRST, (), (), "", 0)
    ours = answered_and_saved(task, example, backbone, tokenizer, tmp_path)
    tagger = pipeline("token-classification", str(tmp_path), device="cpu", ignore_labels=["O"])
    found = tagger(FIRST, aggregation_strategy="first")
    assert ours["entities"]
    assert [(one["entity_group"], one["start"], one["end"]) for one in found] == [
        (one["type"], one["start"], one["end"]) for one in ours["entities"]
    ]
    again = open_pretrained(tmp_path)
    learner = task_learner(again, task)
    batch = task.encode([example], again.tokenizer, 64, labelled=False)
    with torch.no_grad():
        shares, best = learner.heads(learner.features(batch))[0].softmax(-1).max(-1)
    said = pipeline("token-classification", str(tmp_path), device="cpu", ignore_labels=[])(FIRST)
    assert [one["index"] for one in said] == list(range(1, len(best) - 1))
    assert [one["entity"] for one in said] == [task.classes[i] for i in best[1:-1]]
    assert [one["score"] for one in said] == pytest.approx(shares[1:-1].tolist(), abs=1e-5)
