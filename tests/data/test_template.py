"""Templates: where a question ends and its answer begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.template import CHINESE, ENGLISH, Template
from selftaught.errors import SelftaughtError


def test_a_question_ends_before_the_space_and_the_answer_begins_with_it() -> None:
    template = Template.of("Headline: {text}\nTopic: {label}\n")
    assert template.question("Rain") == "Headline: Rain\nTopic:"
    assert template.answer("weather") == " weather"
    assert template.after == "\n"
    assert template.answer_context == "Topic:"


def test_newlines_and_tabs_as_a_shell_hands_them_on() -> None:
    assert Template.of(r"{text}\n\tTopic: {label}\n") == Template.of("{text}\n\tTopic: {label}\n")


def test_examples_are_kept_apart_where_the_template_does_not_say_how() -> None:
    assert Template.of("{text} => {label}").after == "\n"


def test_braces_in_a_text_are_only_braces() -> None:
    assert Template.of("{text}={label}").question("{label} {0} {text}") == "{label} {0} {text}="


@pytest.mark.parametrize("pattern", [ENGLISH, CHINESE, "{text}{label}\n", "a {text} b  {label} c"])
def test_a_template_says_what_it_was_made_of(pattern: str) -> None:
    assert str(Template.of(pattern)).rstrip("\n") == pattern.rstrip("\n")


@given(st.text(), st.text())
def test_question_answer_and_what_follows_are_the_whole(text: str, word: str) -> None:
    template = Template.of(ENGLISH)
    assert template.question(text) + template.answer(word) + template.after == f"{text}\nAnswer: {word}\n\n"


@pytest.mark.parametrize(
    "wrong", ["", "{text}", "{label}", "{label} {text}", "{text} {text} {label}", "{text} {label} {label}"]
)
def test_a_template_that_lacks_something_is_refused(wrong: str) -> None:
    with pytest.raises(SelftaughtError, match="must hold"):
        Template.of(wrong)
