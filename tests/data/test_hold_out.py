"""Rows joined to pieces, each on one side of what is held out; the tokens that come with them."""

import numpy as np

from selftaught.data.hold_out import pieces_of
from selftaught.data.text import Row


def row(text: str, document: int) -> Row:
    return Row(text, "a.txt", 1, document, np.arange(len(text)))


def test_tokens_stay_with_a_row_that_is_a_piece_of_its_own() -> None:
    (first, second) = pieces_of([row("one two", 0), row("three", 1)], {1: 0}, size=100)
    assert (first.text, first.held_out, second.text, second.held_out) == ("one two", False, "three", True)
    assert first.ids is not None
    assert first.ids.tolist() == list(range(7))
    assert second.ids is not None


def test_a_row_that_is_joined_or_cut_must_be_tokenised_anew() -> None:
    (joined,) = pieces_of([row("one ", 0), row("two", 0)], {}, size=100)
    assert (joined.text, joined.ids) == ("one two", None)
    cut = list(pieces_of([row("one two three", 0)], {0: 5}, size=100))
    assert [(piece.text, piece.held_out, piece.ids) for piece in cut] == [
        ("one two ", False, None),
        ("three", True, None),
    ]
