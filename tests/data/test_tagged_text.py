"""Texts cut into words, and words made a text."""

from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.tagged_text import cut, join


def words(text: str, *, characters: bool = False) -> list[str]:
    return [text[begin:end] for begin, end in cut(text, characters=characters)]


def test_a_text_is_cut_into_words_signs_and_chinese_characters() -> None:
    assert words("Book 2 seats, don't wait!") == ["Book", "2", "seats", ",", "don", "'", "t", "wait", "!"]
    assert words("我爱iPhone6，北京 café") == ["我", "爱", "iPhone6", "，", "北", "京", "café"]
    assert words("我爱 A1", characters=True) == ["我", "爱", "A", "1"]


def test_spaces_stand_between_words_but_not_between_chinese_ones() -> None:
    assert join(["It", "'s", "here"]) == ("It 's here", ((0, 2), (3, 5), (6, 10)))
    assert join(["我", "爱", "A", "1", "，", "北京"])[0] == "我爱 A 1 ，北京"
    assert join([]) == ("", ())


@given(text=st.text())
def test_no_character_is_lost_but_white_space(text: str) -> None:
    for characters in (False, True):
        assert "".join(words(text, characters=characters)) == "".join(text.split())


@given(given=st.lists(st.text(min_size=1)))
def test_words_stand_where_they_are_said_to_stand(given: list[str]) -> None:
    text, places = join(given)
    assert [text[begin:end] for begin, end in places] == given
    assert len(text) <= sum(map(len, given)) + max(len(given) - 1, 0)
