"""Questions: what is posed, which passage is said, how good it is, and that it can be learned."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from selftaught.backbones.hf import TextBackbone
from selftaught.data.questions import Question
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.learner import answers, finetune_quickly, hold_out_examples
from selftaught.lookup import make_task
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.task import Answer
from selftaught.tasks.answer import AnswerQuestions

from .samples import examples_of

TEXT = "the red fox wandered"


def asked(question: str, context: str, *right: str) -> Question:
    begin = context.index(right[0]) if right else 0
    return Question(question, context, right, begin, begin + len(right[0]) if right else 0, "a.json", 1)


class Said(nn.Module):
    """Heads that say what they are told: logits [R, T, 2] whatever the features are."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.logits


def say(task: AnswerQuestions, tokenizer: TextTokenizer, context: str, wanted: dict[str, Any], **more: Any) -> Answer:
    """The answer where the logits of characters are as ``wanted`` says, by the token that begins or ends with them.

    Args:
        wanted: "start" and "end", a logit for each of some characters; "nothing", that of the first token.
    """
    examples = [asked("fox", context)]
    batch = task.encode(examples, tokenizer, more.get("longest", 64), labelled=False)
    logits = torch.zeros(*batch["input_ids"].shape, 2)
    for end, name in enumerate(("start", "end")):
        for place, logit in wanted[name].items():
            logits[..., end][batch["places"][..., end] == place] = logit
    logits[:, 0] = wanted.get("nothing", 0.0)
    (answer,) = task.predict(None, Said(logits), batch)
    return answer


def test_the_first_and_the_last_token_of_the_answer_are_posed(tokenizer: TextTokenizer) -> None:
    question = asked("Where?", TEXT, "red fox")
    batch = AnswerQuestions.of([question]).encode([question], tokenizer, 64, labelled=True)
    first, last = int(batch["start"][0]), int(batch["end"][0])
    assert batch["places"][0, first, 0] == 4
    assert batch["places"][0, last, 1] == 11
    assert "".join(map(chr, batch["characters"][0])) == TEXT
    assert AnswerQuestions.of([question]).pretext(batch, Spec(), None)["n"] == 1  # type: ignore[arg-type]


def test_a_row_without_the_answer_points_at_the_first_token(tokenizer: TextTokenizer) -> None:
    long = "the heron watched under the bridge " * 3
    examples = [asked("Where?", f"{long}{TEXT}", "red fox"), asked("Who?", TEXT)]
    batch = AnswerQuestions.of(examples).encode(examples, tokenizer, 24, labelled=True)
    rows = batch["example"].tolist()
    assert rows == sorted(rows)
    assert rows.count(0) > 2
    found = [bool(start) for start, row in zip(batch["start"], rows, strict=True) if row == 0]
    assert any(found)
    assert not all(found)
    assert int(batch["start"][rows.index(1) :].abs().sum() + batch["end"][rows.index(1) :].abs().sum()) == 0


def test_the_loss_is_the_mean_of_both_cross_entropies_over_text_and_first_token(tokenizer: TextTokenizer) -> None:
    """With equal logits everywhere, that is the logarithm of how many tokens there are to choose from."""
    question = asked("Where?", TEXT, "red fox")
    task = AnswerQuestions.of([question])
    batch = task.encode([question, question], tokenizer, 64, labelled=True)
    choices = int((batch["places"][0, :, 0] >= 0).sum()) + 1
    loss = task.loss(torch.empty(0), Said(torch.zeros(*batch["input_ids"].shape, 2)), batch)["loss"]
    assert float(loss) == pytest.approx(2 * math.log(choices))


def test_the_best_passage_is_said_with_its_place(tokenizer: TextTokenizer) -> None:
    task = AnswerQuestions(unanswerable=False)
    answer = say(task, tokenizer, TEXT, {"start": {4: 30.0}, "end": {11: 30.0}})
    assert list(answer) == ["answer", "score", "start", "end"]
    assert answer == {"answer": "red fox", "score": pytest.approx(1.0), "start": 4, "end": 11}


def test_an_answer_does_not_end_before_it_begins(tokenizer: TextTokenizer) -> None:
    wanted = {"start": {8: 9.0, 0: 7.0}, "end": {3: 9.0, 20: 1.0}}
    assert say(AnswerQuestions(unanswerable=False), tokenizer, TEXT, wanted)["answer"] == "the"


def test_an_answer_is_no_longer_than_it_may_be(tokenizer: TextTokenizer) -> None:
    wanted = {"start": {0: 9.0, 8: 3.0}, "end": {20: 9.0}}
    assert say(AnswerQuestions(unanswerable=False), tokenizer, TEXT, wanted)["answer"] == TEXT
    assert say(AnswerQuestions(False, longest_answer=13), tokenizer, TEXT, wanted)["answer"] == "fox wandered"


def test_an_answer_does_not_cut_a_word(tokenizer: TextTokenizer) -> None:
    """Of "wandered", which is several tokens, the last alone is likeliest."""
    ((_, places),) = tokenizer.encode_with_places([TEXT])
    inner = next(begin for begin, _ in places if begin > 12)
    answer = say(
        AnswerQuestions(unanswerable=False), tokenizer, TEXT, {"start": {inner: 9.0, 12: 2.0}, "end": {20: 9.0}}
    )
    assert answer["answer"] == "wandered"


def test_without_spaces_an_answer_begins_anywhere() -> None:
    from selftaught.data.tokenise import train_tokenizer

    text = "作者是曹雪芹先生"
    tokenizer = train_tokenizer([text], "wordpiece", 40, set(text))
    answer = say(AnswerQuestions(unanswerable=False), tokenizer, text, {"start": {3: 9.0}, "end": {6: 9.0}})
    assert answer["answer"] == "曹雪芹"


def test_nothing_is_said_where_that_is_likelier_than_any_passage(tokenizer: TextTokenizer) -> None:
    wanted = {"start": {4: 5.0}, "end": {11: 5.0}, "nothing": 5.5}
    task = AnswerQuestions(unanswerable=True)
    assert say(task, tokenizer, TEXT, wanted)["answer"] == ""
    assert say(task, tokenizer, TEXT, wanted)["start"] is None
    assert say(task, tokenizer, TEXT, {**wanted, "nothing": 4.5})["answer"] == "red fox"
    assert say(AnswerQuestions(True, threshold=2.0), tokenizer, TEXT, wanted)["answer"] == "red fox"
    assert say(AnswerQuestions(False), tokenizer, TEXT, {**wanted, "nothing": 50.0})["answer"] == "red fox"


def test_of_several_rows_the_surest_answers(tokenizer: TextTokenizer) -> None:
    """All rows but one say that it is not there, which is no reason to say nothing."""
    text = "the heron watched under the bridge " * 3 + TEXT
    begin = text.index("red fox")
    wanted = {"start": {begin: 9.0}, "end": {begin + 7: 9.0}, "nothing": 6.0}
    answer = say(AnswerQuestions(unanswerable=True), tokenizer, text, wanted, longest=24)
    assert (answer["answer"], answer["start"], answer["end"]) == ("red fox", begin, begin + 7)
    assert say(AnswerQuestions(True), tokenizer, text, {**wanted, "nothing": 19.0}, longest=24)["answer"] == ""


def test_a_text_of_which_no_token_is_left_has_no_answer(tokenizer: TextTokenizer) -> None:
    answer = say(AnswerQuestions(unanswerable=False), tokenizer, "\u200b", {"start": {}, "end": {}})
    assert (answer["answer"], answer["start"], answer["end"]) == ("", None, None)


def test_measures_by_hand_english_and_chinese() -> None:
    examples = [asked("Who?", TEXT, "red fox", "fox"), asked("谁？", "作者是曹雪芹。", "曹雪芹")]
    said = [{"answer": "the red fox"}, {"answer": "曹雪"}]
    measures = AnswerQuestions(unanswerable=False).measure(examples, said)
    assert list(measures) == ["f1", "exact_match"]
    assert measures == {"f1": pytest.approx((1 + 4 / 5) / 2), "exact_match": 0.5}


def test_questions_without_an_answer_are_measured_apart() -> None:
    examples = [asked("Who?", TEXT, "fox"), asked("Why?", TEXT), asked("When?", TEXT)]
    measures = AnswerQuestions(unanswerable=True).measure(examples, [{"answer": text} for text in ("fox", "", "fox")])
    assert measures == {
        "f1": pytest.approx(2 / 3),
        "exact_match": pytest.approx(2 / 3),
        "f1_answerable": 1.0,
        "f1_unanswerable": 0.5,
    }


def test_the_examples_decide_what_an_answer_can_be() -> None:
    some = [asked("Who?", TEXT, "red fox"), asked("Who?", TEXT, "fox")]
    assert AnswerQuestions.of(some) == AnswerQuestions(unanswerable=False, longest_answer=7)
    assert AnswerQuestions.of([*some, asked("Why?", TEXT)]).unanswerable
    assert AnswerQuestions.of([asked("Why?", TEXT)]).longest_answer == 100
    made = make_task("answer", some, {"longest_answer": 50, "threshold": -1.5})
    assert made == AnswerQuestions(False, longest_answer=50, threshold=-1.5)
    assert AnswerQuestions.of(some).facts(some) == {"answers": {"mean characters": 5.0, "most": 7.0}}
    facts = made.facts([*some, asked("Why?", TEXT)])
    assert facts["questions"] == {"with an answer": 2, "without one": 1}


def test_the_baselines_and_that_nothing_is_one_only_where_it_occurs() -> None:
    train, test = [asked("Who?", TEXT, "fox")], [asked("What wandered?", f"Rain fell! Now {TEXT}", "fox")]
    found = AnswerQuestions.of(train).baselines(train, test, seed=0)
    assert found == {
        "sliding window, sentence": [{"answer": f"Now {TEXT}"}],
        "sliding window, words nearest to it": [{"answer": "red fox"}],
    }
    assert AnswerQuestions(True).baselines(train, test, seed=0)["no answer"] == [{"answer": ""}]


def test_questions_about_one_text_are_not_parted() -> None:
    examples = [asked(f"Who {i}?", f"{TEXT} {i % 40}", "fox") for i in range(240)]
    task = AnswerQuestions.of(examples)
    train, stop = hold_out_examples(task, examples, seed=0)
    assert len(stop) == 36
    assert not {examples[i].context for i in train} & {examples[i].context for i in stop}
    few = [asked(f"Who {i}?", TEXT, "fox") for i in range(240)]
    assert len(hold_out_examples(task, few, seed=0)[1]) == 36


def test_a_decoder_is_refused_with_a_reason(
    tokenizer: TextTokenizer, small_decoder: Callable[[TextTokenizer], TextBackbone]
) -> None:
    with pytest.raises(SelftaughtError, match="a decoder cannot point at an answer"):
        Learner({"text": small_decoder(tokenizer)}, AnswerQuestions(False), Spec())


def test_where_the_answer_stands_is_learned(
    tokenizer: TextTokenizer, small_network: Callable[[TextTokenizer], TextBackbone]
) -> None:
    """Also behind so much text that it is several rows, and that a question has no answer."""
    examples = [*examples_of(AnswerQuestions)]
    task = AnswerQuestions.of(examples)
    torch.manual_seed(0)
    backbone = small_network(tokenizer)
    learner = finetune_quickly(backbone, tokenizer, task, examples, seed=1, rate=4e-3, precision="fp32")
    measures = task.measure(examples, answers(learner, tokenizer, examples))
    assert measures["f1"] > 0.9
    assert measures["f1_unanswerable"] == 1
