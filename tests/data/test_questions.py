"""What a question and its answers are made of, in all the ways that files give them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.questions import Question, answered, given_answers, questions_in_twos, unanswered
from selftaught.errors import SelftaughtError

CONTEXT = "The red fox met a red hen."
ASKED = Question("Who met the hen?", CONTEXT, (), 0, 0, "a.json", 3)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("fox", [("fox", None)]),
        (["fox", "red fox"], [("fox", None), ("red fox", None)]),
        ([{"text": "fox", "answer_start": 8}], [("fox", 8)]),
        ({"text": ["fox", "hen"], "answer_start": [8, 22]}, [("fox", 8), ("hen", 22)]),
        ({"text": "fox", "answer_start": 8}, [("fox", 8)]),
        ({"text": ["fox"]}, [("fox", None)]),
        ('{"text": ["fox"], "answer_start": [8]}', [("fox", 8)]),
        ('["fox"]', [("fox", None)]),
        ("[sic] fox", [("[sic] fox", None)]),
        ([], []),
        ({"text": [], "answer_start": []}, []),
        (None, "has no answers"),
        (7, "has 7 in the place of answers"),
        ({"text": ["fox", "hen"], "answer_start": [8]}, "has 2 answers and 1 places for them"),
    ],
)
def test_answers_in_all_their_habits(value: Any, found: Any) -> None:
    assert given_answers(value) == found


def test_the_place_may_have_a_column_of_its_own() -> None:
    assert given_answers("fox", 8) == [("fox", 8)]
    assert given_answers(["fox"], 8) == [("fox", 8)]


@pytest.mark.parametrize(
    ("answers", "span", "right"),
    [
        ([{"text": "red", "answer_start": 18}], (18, 21), ("red",)),
        ("red", (4, 7), ("red",)),  # looked up: the first place
        ([{"text": " fox ", "answer_start": 7}], (8, 11), (" fox ",)),  # the space is not learned
        ([{"text": "fox", "answer_start": 9}, {"text": "hen", "answer_start": 22}], (22, 25), ("fox", "hen")),
        ([{"text": "8.0", "answer_start": -1}, {"text": "fox", "answer_start": 8}], (8, 11), ("8.0", "fox")),
        (["fox", "fox"], (8, 11), ("fox",)),
        ([{"text": "red", "answer_start": "18"}], (18, 21), ("red",)),
    ],
)
def test_the_first_answer_in_its_place_is_learned_and_all_count(
    answers: Any, span: tuple[int, int], right: tuple[str, ...]
) -> None:
    found = answered(ASKED, answers)
    assert isinstance(found, Question)
    assert ((found.begin, found.end), found.answers) == (span, right)
    assert (found.question, found.context, found.line) == (ASKED.question, CONTEXT, 3)


@pytest.mark.parametrize(
    ("answers", "more", "why"),
    [
        ([{"text": "fox", "answer_start": 9}], {}, "'fox' does not stand at character 9 of its context, but at 8"),
        ([{"text": "cat", "answer_start": 9}], {}, "'cat' does not stand at character 9 of its context, nor anywhere"),
        ([{"text": "fox", "answer_start": -18}], {}, "does not stand at character -18"),
        ("cat", {}, "the answer 'cat' is not in its context"),
        ([{"text": "fox", "answer_start": "x"}], {}, "begins at 'x', which is no whole number"),
        ([{"text": "fox", "answer_start": 8.5}], {}, "begins at 8.5"),
        ([{"text": "fox", "answer_start": True}], {}, "begins at True"),
        ([{"text": ""}], {}, "'answers' is empty"),
        ([{"text": 5}], {}, "holds a number"),
        ([{"answer_start": 8}], {}, "has no value in column 'answers'"),
        ("fox", {"impossible": True}, "is marked impossible and has an answer"),
        ([], {"impossible": False}, "has no answer and is not marked impossible"),
    ],
)
def test_why_answers_are_none(answers: Any, more: dict[str, Any], why: str) -> None:
    found = answered(ASKED, answers, **more)
    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize("impossible", [True, None])
def test_no_answer_is_an_answer(impossible: Any) -> None:
    assert answered(ASKED, [], impossible=impossible) == ASKED


@pytest.mark.parametrize(
    ("question", "context", "why"),
    [("", CONTEXT, "'question' is empty"), ("Who?", None, "no value in column 'context'"), (7, CONTEXT, "a number")],
)
def test_both_texts_are_needed(question: Any, context: Any, why: str) -> None:
    found = unanswered(question, context, "a.json", 1)
    assert isinstance(found, str)
    assert why in found


@given(st.text(min_size=1), st.data())
def test_every_passage_of_a_context_is_found_where_it_stands(context: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(context) - 1))
    text = context[begin : data.draw(st.integers(begin + 1, len(context)))]
    asked = Question("?", context, (), 0, 0, "", 0)
    found = answered(asked, [{"text": text, "answer_start": begin}])
    if isinstance(found, str):
        assert not text.strip() or "\0" in text
    else:
        assert found.context[found.begin : found.end] == text.strip()
        assert begin <= found.begin < found.end <= begin + len(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["text", "answer_start", "x"]), inner),
)


@given(anything)
def test_whatever_a_file_holds_it_is_answers_or_a_reason(value: Any) -> None:
    found = answered(ASKED, value)
    assert found if isinstance(found, str) else found.begin <= found.end


def test_texts_on_the_command_line_are_questions_and_contexts_in_turn() -> None:
    assert [one.inputs for one in questions_in_twos(["a?", "A.", "b?", "B."])] == [
        {"question": "a?", "context": "A."},
        {"question": "b?", "context": "B."},
    ]
    with pytest.raises(SelftaughtError, match="3 texts are no questions with a context each"):
        questions_in_twos(["a?", "A.", "b?"])
