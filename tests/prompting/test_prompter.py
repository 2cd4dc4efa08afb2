"""Prompting: what stands in a context, and how its answers are weighed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from selftaught.backbones.heads import CausalLMHead, MaskedLMHead, save_model
from selftaught.backbones.hf import TextBackbone
from selftaught.data.examples import LabelledText
from selftaught.data.template import Template
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.prompting.prompter import OVER_CONTEXT, PER_TOKEN, TOTAL, Context, Prompter
from selftaught.prompting.scoring import Prompt, open_scorer

NewBackbone = Callable[[TextTokenizer], TextBackbone]
TEMPLATE = Template.of("{text} is {label}.\n")
WORDS = {"f": "fox", "h": "heron", "u": "unbelievably wandered"}
SHOWN = [LabelledText(f"number {i}", "fhu"[i % 3], "a.csv", i) for i in range(9)]


@pytest.fixture(scope="module")
def pretrained(
    tmp_path_factory: pytest.TempPathFactory, small_decoder: NewBackbone, bytelevel: TextTokenizer
) -> Pretrained:
    torch.manual_seed(0)
    folder, backbone = tmp_path_factory.mktemp("prompting"), small_decoder(bytelevel)
    save_model(folder, backbone, CausalLMHead.of(backbone))
    bytelevel.save(folder, backbone.longest_row)
    return open_pretrained(folder)


@pytest.fixture(scope="module")
def prompter(pretrained: Pretrained) -> Prompter:
    return Prompter(pretrained, TEMPLATE, WORDS, SHOWN, seed=0)


def read(pretrained: Pretrained, context: Context) -> str:
    text: str = pretrained.tokenizer.backend.decode(list(context.tokens))
    return text


def test_examples_stand_before_the_question_as_the_template_has_them(
    prompter: Prompter, pretrained: Pretrained
) -> None:
    (question,) = prompter.questions(["it"])
    context = prompter.context(question, 2, draw=0, row=0)
    *lines, last = read(pretrained, context).split("\n")
    assert last == "it is"
    assert len(lines) == context.examples == 2
    written = {f"{e.text} is {WORDS[e.label]}." for e in SHOWN}
    assert len(set(lines) & written) == 2


def test_the_examples_of_fewer_shots_are_the_nearest_of_more(prompter: Prompter, pretrained: Pretrained) -> None:
    (question,) = prompter.questions(["it"])
    one, two, three = (read(pretrained, prompter.context(question, shots, 1, 7)) for shots in (1, 2, 3))
    assert three.endswith(two)
    assert two.endswith(one)
    assert len(one) < len(two) < len(three)


def test_each_row_and_draw_has_examples_of_its_own_and_the_same_again(prompter: Prompter) -> None:
    (question,) = prompter.questions(["it"])
    drawn = {(draw, row): prompter.context(question, 3, draw, row).tokens for draw in range(4) for row in range(4)}
    assert len(set(drawn.values())) > 10
    assert prompter.context(question, 3, 2, 1).tokens == drawn[2, 1]


def test_whole_examples_are_left_out_where_they_do_not_fit(prompter: Prompter, pretrained: Pretrained) -> None:
    (question,) = prompter.questions(["it"])
    context = prompter.context(question, 9, draw=0, row=0)
    assert 0 < context.examples < 9
    assert read(pretrained, context).count("\n") == context.examples
    longest = max(map(len, open_scorer(pretrained).encode([TEMPLATE.answer(word) for word in WORDS.values()])))
    assert len(context.tokens) + 1 + longest <= prompter.longest_row == 64
    fuller = prompter.context(question, context.examples + 1, draw=0, row=0)
    assert fuller == context


def test_a_question_that_leaves_no_room_does_not_fit(prompter: Prompter) -> None:
    short, long = prompter.questions(["it", "zebra " * 20])
    assert prompter.fits(short)
    assert not prompter.fits(long)


def test_three_ways_to_weigh_answers_of_different_lengths(prompter: Prompter, pretrained: Pretrained) -> None:
    questions = prompter.questions(["it", "The grey heron"])
    found = prompter.likelihoods([Context(question, 0) for question in questions])
    scorer = open_scorer(pretrained)
    answers = tuple(scorer.encode([TEMPLATE.answer(word) for word in WORDS.values()]))
    announced = scorer.encode([" is"])[0]
    assert TEMPLATE.answer_context == " is"
    alone = scorer.score([Prompt((*scorer.opening, *announced), answers)])[0]
    for row, question in enumerate(questions):
        total = scorer.score([Prompt((*scorer.opening, *question), answers)])[0]
        assert found[TOTAL][row] == pytest.approx(total, rel=1e-5)
        assert found[PER_TOKEN][row] == pytest.approx(total / np.array([len(a) for a in answers]), rel=1e-5)
        assert found[OVER_CONTEXT][row] == pytest.approx(total - alone, abs=1e-4)


def test_an_encoder_cannot_be_prompted(tmp_path: Path, small_network: NewBackbone, tokenizer: TextTokenizer) -> None:
    backbone = small_network(tokenizer)
    save_model(tmp_path, backbone, MaskedLMHead.of(backbone, tokenizer.spec().unigram))
    tokenizer.save(tmp_path, 64)
    with pytest.raises(SelftaughtError, match="cannot be prompted"):
        Prompter(open_pretrained(tmp_path), TEMPLATE, WORDS, SHOWN, seed=0)
