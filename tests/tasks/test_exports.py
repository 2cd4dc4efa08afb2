"""A fine-tuned model gives the same answers in the pipelines of transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer, BertConfig, pipeline

from selftaught.backbones.heads import save_model
from selftaught.backbones.hf import TextBackbone, backbone_from_config
from selftaught.data.examples import LabelledText
from selftaught.data.questions import Question
from selftaught.data.tagged_text import TaggedText
from selftaught.data.text_pairs import LabelledPair, Scored
from selftaught.data.tokenise import TextTokenizer
from selftaught.finetuning.answering import task_learner
from selftaught.finetuning.learner import answers
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.pretrained import open_pretrained
from selftaught.task import Task
from selftaught.tasks.answer import AnswerQuestions
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


@pytest.mark.parametrize("sentences", [1, 6])
def test_answers_in_one_row_and_in_several(
    sentences: int, backbone: TextBackbone, tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    """The pipeline for questions is gone from transformers; these are the usual lines in its place.

    Of a row's tokens, those of the text and the first one are looked at; each passage of whole words has the product of
    the probabilities of its first and its last token.
    """
    context = f"{FIRST} {SECOND} " * sentences
    example = Question("Who watched?", context, (), 0, 0, "", 0)
    ours = answered_and_saved(AnswerQuestions(False, longest_answer=40), example, backbone, tokenizer, tmp_path)

    reader, model = AutoTokenizer.from_pretrained(tmp_path), AutoModelForQuestionAnswering.from_pretrained(tmp_path)
    longest = min(384, backbone.longest_row)
    stride = min(128, (longest - len(reader("Who watched?")["input_ids"]) - 1) // 2)
    told = {"return_overflowing_tokens": True, "return_offsets_mapping": True, "return_tensors": "pt", "padding": True}
    cut = {"truncation": "only_second", "max_length": longest, "stride": stride}
    rows = reader(example.question, context, **cut, **told)
    inputs = {name: rows[name] for name in reader.model_input_names}
    with torch.no_grad():
        found = model.eval()(**inputs)
    best: tuple[float, int, int] = (0.0, 0, 0)
    for row, places in enumerate(rows["offset_mapping"].tolist()):
        text = [i for i, part in enumerate(rows.sequence_ids(row)) if part == 1]
        looked_at = [0, *text]
        first, last = (logits[row, looked_at].softmax(0) for logits in (found.start_logits, found.end_logits))
        for i, one in enumerate(text):
            for j, other in enumerate(text[i:], i):
                begin, end = places[one][0], places[other][1]
                whole = not context[begin - 1 : begin + 1].isalpha() or not begin
                whole = whole and not context[end - 1 : end + 1].isalpha()
                if whole and end - begin <= 40:
                    best = max(best, (float(first[i + 1] * last[j + 1]), begin, end))
    assert (len(rows["input_ids"]) > 1) == (sentences > 1)
    score, begin, end = best
    assert (ours["answer"], ours["start"], ours["end"]) == (context[begin:end], begin, end)
    assert ours["score"] == pytest.approx(score, rel=1e-3)
