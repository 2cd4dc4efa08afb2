"""The same entities in every scheme, told apart by their tags alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.tag_schemes import (
    BIOES,
    BIOUL,
    BMES,
    IOB1,
    IOB2,
    SCHEMES,
    Broken,
    Scheme,
    find_scheme,
    from_spans,
    is_tag,
    may_follow,
    spans,
    to_iob2,
)

# Anna Smith | Bob | of Ulm, and a second place right behind the first.
WORDS = ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-LOC", "I-LOC", "I-LOC"]
WRITTEN = {
    IOB2: WORDS,
    IOB1: ["I-PER", "I-PER", "B-PER", "O", "I-LOC", "B-LOC", "I-LOC", "I-LOC"],
    BIOES: ["B-PER", "E-PER", "S-PER", "O", "S-LOC", "B-LOC", "I-LOC", "E-LOC"],
    BIOUL: ["B-PER", "L-PER", "U-PER", "O", "U-LOC", "B-LOC", "I-LOC", "L-LOC"],
    BMES: ["B-PER", "E-PER", "S-PER", "O", "S-LOC", "B-LOC", "M-LOC", "E-LOC"],
}


@pytest.mark.parametrize(("scheme", "tags"), WRITTEN.items(), ids=lambda one: getattr(one, "name", ""))
def test_each_scheme_says_the_same(scheme: Scheme, tags: list[str]) -> None:
    assert list(to_iob2(tags, scheme)) == WORDS
    assert find_scheme([["O"], tags, ["O", "O"]]) == scheme


def test_words_are_entities_of_a_type() -> None:
    assert spans(WORDS) == [("PER", 0, 2), ("PER", 2, 3), ("LOC", 4, 5), ("LOC", 5, 8)]
    assert spans(["O"]) == []


def test_iob1_begins_an_entity_of_another_type_with_i() -> None:
    assert to_iob2(["I-PER", "I-LOC", "O"], IOB1) == ("B-PER", "B-LOC", "O")


def test_tags_without_types_are_spans() -> None:
    assert to_iob2(["B", "M", "E", "S"], BMES) == ("B-span", "I-span", "I-span", "B-span")


@pytest.mark.parametrize(
    ("tags", "scheme", "place", "why"),
    [
        (["O", "I-PER"], IOB2, 1, "'I-PER' goes on with an entity that has not begun"),
        (["B-PER", "I-LOC"], IOB2, 1, "'I-LOC' goes on with an entity that has not begun"),
        (["O", "X-PER"], IOB2, 1, "'X-PER' is neither O nor B, I with a type"),
        (["O", "PER"], IOB2, 1, "'PER' is neither O nor B, I"),
        (["I-PER", "B-LOC"], IOB1, 1, "'B-LOC' parts no two entities"),
        (["B-PER", "O"], BIOES, 1, "'O' follows 'B-PER', whose entity has not ended"),
        (["O", "B-PER"], BIOES, 1, "'B-PER' is the last tag"),
        (["E-PER"], BIOES, 0, "'E-PER' goes on with"),
        (["B-PER", "M-LOC", "E-PER"], BMES, 1, "'M-LOC' follows 'B-PER'"),
    ],
)
def test_broken_tags_are_told_with_their_place(tags: list[str], scheme: Scheme, place: int, why: str) -> None:
    with pytest.raises(Broken, match=why) as caught:
        to_iob2(tags, scheme)
    assert caught.value.place == place


def test_one_slip_does_not_make_another_scheme() -> None:
    sound = [WRITTEN[IOB2]] * 3
    assert find_scheme([*sound, ["O", "I-PER"]]) == IOB2
    assert find_scheme([*sound, ["E-PER"]]) == IOB2
    assert find_scheme([WRITTEN[BMES], ["B-PER", "I-PER", "E-PER"], WRITTEN[BMES]]) == BMES


def test_what_reads_like_a_tag() -> None:
    assert all(map(is_tag, ["O", "B-PER", "I_PER", "M-x"]))
    assert not any(map(is_tag, ["", "o", "PER", "X-PER", "1", "Beach", "B"]))


def test_which_tag_may_follow_which() -> None:
    assert [may_follow("B-PER", tag) for tag in ("O", "B-LOC", "I-PER", "I-LOC")] == [True, True, True, False]
    assert [may_follow("O", tag) for tag in ("O", "B-PER", "I-PER")] == [True, True, False]


entities = st.lists(
    st.tuples(st.sampled_from(["a", "b-c", "d_e"]), st.integers(0, 2), st.integers(1, 4)), max_size=6
)  # type, words before it, words in it


def laid_out(parts: list[tuple[str, int, int]]) -> tuple[list[tuple[str, int, int]], int]:
    found, end = [], 0
    for kind, before, long in parts:
        found.append((kind, end + before, end + before + long))
        end += before + long
    return found, end + 1


def written(found: list[tuple[str, int, int]], words: int, scheme: Scheme) -> list[str]:
    """The entities in a scheme, from its letters alone."""
    tags = ["O"] * words
    ended: dict[int, str] = {end: kind for kind, _, end in found}
    for kind, begin, end in found:
        letters = [scheme.begins] + [scheme.goes_on] * (end - begin - 1)
        if scheme.ends:
            letters[-1] = scheme.ends if end - begin > 1 else scheme.alone
        if scheme.parts and ended.get(begin) != kind:
            letters[0] = scheme.goes_on
        tags[begin:end] = [f"{letter}-{kind}" for letter in letters]
    return tags


@given(parts=entities, scheme=st.sampled_from(SCHEMES))
def test_every_scheme_keeps_every_entity(parts: list[tuple[str, int, int]], scheme: Scheme) -> None:
    found, words = laid_out(parts)
    tags = to_iob2(written(found, words, scheme), scheme)
    assert spans(tags) == found
    assert from_spans(found, words) == tags


@given(parts=st.lists(entities, min_size=1, max_size=4), scheme=st.sampled_from(SCHEMES))
def test_whatever_scheme_is_found_says_the_same(parts: list[list[tuple[str, int, int]]], scheme: Scheme) -> None:
    """Some tags are of several schemes; then they mean the same in all."""
    sentences = [laid_out(some) for some in parts]
    tags = [written(found, words, scheme) for found, words in sentences]
    told = find_scheme(tags)
    assert [spans(to_iob2(some, told)) for some in tags] == [found for found, _ in sentences]


@given(tags=st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b", "E-a", "S-b", "L-a", "U-a", "M-a", "?"])))
def test_tags_are_converted_or_broken_and_what_is_converted_is_sound(tags: list[str]) -> None:
    for scheme in SCHEMES:
        place = broken_at(tags, scheme)
        if place is None:
            found = to_iob2(tags, scheme)
            assert len(found) == len(tags)
            assert all(may_follow(before, tag) for before, tag in pairwise(("O", *found)))
        else:
            assert 0 <= place < len(tags)


def broken_at(tags: list[str], scheme: Scheme) -> int | None:
    try:
        to_iob2(tags, scheme)
    except Broken as broken:
        return broken.place
    return None
