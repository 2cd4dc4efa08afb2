"""Tagging: the classes that tags make, long sentences, decoding, and that entities are learned."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from selftaught.backbones.hf import TextBackbone
from selftaught.data.examples import Columns
from selftaught.data.tagged_text import TaggedText, join
from selftaught.data.tokenise import TextTokenizer, train_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.learner import answers, finetune_quickly
from selftaught.loop import Learner
from selftaught.metrics.tag_baselines import ALL_OUTSIDE, WORD_TAGS
from selftaught.objective import Spec
from selftaught.tasks.tag import Tag

CLASSES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def tagged(*words: str, line: int = 1) -> TaggedText:
    """Words with their tags: "Ulm/B-LOC", "is"."""
    pairs = [word.partition("/") for word in words]
    text, places = join(word for word, _, _ in pairs)
    return TaggedText(text, places, tuple(tag or "O" for _, _, tag in pairs), "a.conll", line)


ROWS = [
    tagged("Anna/B-PER", "Smith/I-PER", "left", "Ulm/B-LOC", line=1),
    tagged("Ulm/B-LOC", "is", "old", line=6),
    tagged("Bob/B-PER", "left", line=10),
]


def test_the_tags_decide_the_classes() -> None:
    assert Tag.of(ROWS) == Tag(CLASSES, characters=False)
    assert Tag.of(ROWS[1:2]).classes == ("O", "B-LOC", "I-LOC")
    assert Tag.of([tagged("so", "what")]).classes == ("O",)
    assert Tag.of(ROWS).facts(ROWS) == {"entities": {"PER": 2, "LOC": 2}}
    assert Tag.of(ROWS[1:2]).unknown(ROWS) == ["PER"]


def words_of(task: Tag, text: str, tokenizer: TextTokenizer) -> list[str]:
    batch = task.encode(task.asked([text]), tokenizer, 64, labelled=False)
    (answer,) = task.predict(torch.zeros(*batch["input_ids"].shape, len(task.classes)), nn.Identity(), batch)
    return list(answer["tokens"])


def test_where_every_character_is_a_word_plain_texts_are_cut_so(tokenizer: TextTokenizer) -> None:
    of_characters = Tag.of([tagged("在", "北/B-LOC", "京/I-LOC", "A", "1")])
    assert words_of(of_characters, "北京 A1", tokenizer) == ["北", "京", "A", "1"]
    assert words_of(Tag.of(ROWS), "北京 A1", tokenizer) == ["北", "京", "A1"]


def test_the_first_token_of_a_word_carries_its_tag(tokenizer: TextTokenizer) -> None:
    row = tagged("wandered/B-PER", "fox/I-PER", ",")
    batch = Tag.of([row]).encode([row], tokenizer, 64, labelled=True)
    first, second, third = map(len, tokenizer.encode(["wandered", "fox", ","]))
    rest = [-100]
    assert batch["tag"].tolist() == [
        [*rest, 1, *rest * (first - 1), 2, *rest * (second - 1), 0, *rest * (third - 1), *rest]
    ]
    assert Tag.of([row]).pretext(batch, Spec(), None)["n"] == 3  # type: ignore[arg-type] nothing is drawn


def said(task: Tag, example: TaggedText, shares: list[list[float]], tokenizer: TextTokenizer, longest: int = 64) -> Any:
    """The answer where the network gives the words these shares of the classes, and other tokens all to the last."""
    batch = task.encode([example], tokenizer, longest, labelled=False)
    logits = torch.zeros(*batch["input_ids"].shape, len(task.classes))
    logits[..., -1] = 9.0
    for number, row in enumerate(shares):
        logits[batch["word"] == number] = torch.tensor(row).log()
    (answer,) = task.predict(logits, nn.Identity(), batch)
    return answer


def test_only_tags_that_fit_together_are_said(tokenizer: TextTokenizer) -> None:
    task = Tag(("O", "B-x", "I-x"), characters=False)
    unsure = [[0.5, 0.1, 0.4], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]
    answer = said(task, tagged("wandered", "fox", "."), unsure, tokenizer)
    assert answer == {
        "entities": [{"type": "x", "text": "wandered fox", "start": 0, "end": 12}],
        "tokens": ["wandered", "fox", "."],
        "tags": ["B-x", "I-x", "O"],
    }
    assert task.shown(answer) == ["x: wandered fox", "wandered/B-x fox/I-x ."]
    assert task.shown(said(task, tagged("fox"), [[0.8, 0.1, 0.1]], tokenizer)) == ["-", "fox"]


def test_a_word_of_no_token_may_stand_within_an_entity_and_begins_none(tokenizer: TextTokenizer) -> None:
    task = Tag(("O", "B-x", "I-x"), characters=False)
    within = said(task, tagged("fox", "\u200b", "fox"), [[0.1, 0.8, 0.1], [1.0] * 3, [0.02, 0.08, 0.9]], tokenizer)
    assert within["tags"] == ["B-x", "I-x", "I-x"]
    assert said(task, tagged("\u200b"), [], tokenizer)["tags"] == ["O"]


def test_a_long_sentence_is_one_answer_over_several_rows(tokenizer: TextTokenizer) -> None:
    """An entity goes on where the next row begins."""
    task, words = Tag(("O", "B-x", "I-x"), characters=False), ["fox", "heron", "otter"] * 7
    shares = [[0.1, 0.8, 0.1], *[[0.1, 0.1, 0.8]] * 20]
    assert len(task.encode([tagged(*words)], tokenizer, 12, labelled=False)["input_ids"]) > 2
    answer = said(task, tagged(*words), shares, tokenizer, longest=12)
    assert answer["tags"] == ["B-x"] + ["I-x"] * 20
    assert answer["entities"] == [{"type": "x", "text": " ".join(words), "start": 0, "end": len(" ".join(words))}]


def test_every_word_of_a_long_sentence_is_a_target(tokenizer: TextTokenizer) -> None:
    words = ["fox/B-x", "heron/I-x", "otter"] * 7
    task = Tag.of([tagged(*words)])
    batch = task.encode([tagged(*words)], tokenizer, 12, labelled=True)
    targets = batch["tag"][batch["tag"] != -100]
    assert [task.classes[i] for i in targets] == ["B-x", "I-x", "O"] * 7


def test_the_baselines_are_the_words_own_tags_and_none() -> None:
    test = [tagged("Anna/B-PER", "Brown/I-PER", "is", "old")]
    found = Tag.of(ROWS).baselines(ROWS, test, seed=0)
    assert found[WORD_TAGS] == [{"tags": ["B-PER", "O", "O", "O"]}]
    assert found[ALL_OUTSIDE] == [{"tags": ["O"] * 4}]
    assert Tag.of(ROWS).measure(test, found[WORD_TAGS]) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert Tag.of(ROWS).by_class(ROWS, [{"tags": list(row.tags)} for row in ROWS])["PER"]["f1"] == 1.0


def test_a_second_text_and_a_decoder_are_refused(
    tokenizer: TextTokenizer, small_decoder: Callable[[TextTokenizer], TextBackbone]
) -> None:
    with pytest.raises(SelftaughtError, match="tag reads one text"):
        Tag.read("a.conll", Columns(second="reply"))
    with pytest.raises(SelftaughtError, match="has to tag a word before it has read what follows"):
        Learner({"text": small_decoder(tokenizer)}, Tag(CLASSES, characters=False), Spec())


@pytest.mark.parametrize("chinese", [False, True])
def test_entities_are_learned(chinese: bool, small_network: Callable[[TextTokenizer], TextBackbone]) -> None:
    """The word before an entity decides its type, so that words alone tell too little."""
    if chinese:
        rows = [
            tagged(*word, f"{a}/B-{kind}", f"{b}/I-{kind}")
            for a, b in ("北京", "天津", "上海", "广州")
            for kind, word in (("LOC", "在"), ("ORG", "问"))
        ]
    else:
        rows = [
            tagged(word, f"{name}/B-{kind}", f"Bank/I-{kind}", ".")
            for name in ("Ulm", "Rhine", "Elbe")
            for kind, word in (("LOC", "at"), ("ORG", "ask"))
        ]
    texts = [row.text for row in rows]
    made = train_tokenizer(texts, "wordpiece", 80, set("".join(texts)))
    torch.manual_seed(0)
    task = Tag.of(rows)
    learner = finetune_quickly(small_network(made), made, task, rows, seed=0, rate=4e-3, precision="fp32")
    assert task.measure(rows, answers(learner, made, rows))["f1"] > 0.95
    assert task.measure(rows, task.baselines(rows, rows, 0)[WORD_TAGS])["f1"] < 0.6
