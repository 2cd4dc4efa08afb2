import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.metrics import overlap
from selftaught.metrics.overlap import OverlapFinder

ROW = "The quick brown fox jumps over the lazy dog, twice a day."


def found(rows: list[str], *documents: str) -> list[bool]:
    finder = OverlapFinder(rows)
    for document in documents:
        finder.feed(document)
    return finder.result().tolist()


def test_a_planted_row_is_found_whatever_its_case_spacing_and_punctuation() -> None:
    assert found([ROW], "Once: THE QUICK,  brown\nfox -- jumps over the lazy dog twice a day? Yes.") == [True]


@pytest.mark.parametrize(
    "near_miss",
    [
        "the quick brown fox jumps over the lazy cat twice a day",
        "the quick brown fox jumps over the lazy dog twice a",
        "the quick brown fox jumps over the lazy dog twice a days",
        "the quick brown fox jump sover the lazy dog twice a day",
        "xthe quick brown fox jumps over the lazy dog twice a day",
    ],
)
def test_a_near_miss_is_not_found(near_miss: str) -> None:
    assert found([ROW], near_miss) == [False]


def test_a_row_must_lie_inside_one_document() -> None:
    words = ROW.split()
    assert found([ROW], " ".join(words[:6]), " ".join(words[6:])) == [False]


def test_a_short_row_must_be_a_whole_line() -> None:
    assert found(["Yes!", "thank you"], "oh yes\nthank you very much\n") == [False, False]
    assert found(["Yes!", "thank you"], "first\n  yes.\nlast", "Thank you") == [True, True]


def test_chinese_is_compared_by_character() -> None:
    row = "足球比赛今晚在北京举行"
    assert found([row], "据悉，足球比赛今晚\n在北京 举行，欢迎观看") == [True]
    assert found([row], "据悉，足球比赛今晨在北京举行") == [False]
    assert found(["北京举行比赛"], "今晚在北京举行比赛吗") == [False]  # six characters: as short as three words
    assert found(["北京举行比赛"], "今晚\n北京举行比赛\n") == [True]


def test_full_width_letters_equal_narrow_ones() -> None:
    assert found(["ＡＢＣ 2024 model is now on sale"], "an abc ２０２４ model is now on sale") == [True]


def test_rows_that_share_a_beginning_are_told_apart_and_duplicates_both_found() -> None:
    start = "one two three four five six seven eight nine"
    rows = [f"{start} ten", f"{start} eleven", f"{start} ten", "", "?!"]
    assert found(rows, f"zero {start} ten and so on") == [True, False, True, False, False]


def test_a_row_across_the_seam_of_two_chunks_is_found() -> None:
    filler = "lorem ipsum " * (overlap.CHUNK // 12)
    for shift in range(0, len(ROW), 7):
        assert found([ROW, "never ever to be seen here"], filler[shift:] + ROW + " " + filler) == [
            True,
            False,
        ]


def test_memory_does_not_grow_with_the_stream() -> None:
    finder = OverlapFinder([ROW])
    for _ in range(30):
        finder.feed("word " * 20_000)
    assert sum(map(len, finder._buffer)) <= 2 * overlap.CHUNK
    assert len(finder._tail.letters) < 1000


def test_a_result_may_be_asked_for_between_documents() -> None:
    finder = OverlapFinder([ROW])
    finder.feed("nothing")
    assert not finder.result().any()
    finder.feed(ROW)
    assert finder.result().all()


words = st.lists(st.sampled_from(["ab", "a", "b", "abc", "天", "地"]), min_size=1, max_size=12)


@given(st.lists(words, min_size=1, max_size=4), st.lists(words, min_size=1, max_size=5))
def test_agrees_with_a_plain_search(rows: list[list[str]], lines: list[list[str]]) -> None:
    text = "\n".join(" ".join(line) for line in lines)
    tokens = [word for line in lines for word in line]

    def expected(row: list[str]) -> bool:
        if sum(0.5 if word in "天地" else 1 for word in row) < overlap.SHORT:
            ends = np.cumsum([0, *map(len, lines)]).tolist()
            return any(tokens[a:b] == row for a in ends for b in ends if b > a)
        return any(tokens[i : i + len(row)] == row for i in range(len(tokens)))

    assert found([" ".join(row) for row in rows], text) == [expected(row) for row in rows]


def test_random_sentences_of_a_text_are_all_found_and_only_they() -> None:
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(50)]
    text = [rng.choice(vocabulary) for _ in range(3000)]
    inside = [" ".join(text[i : i + 12]) for i in range(0, 2900, 97)]
    outside = [" ".join(rng.choices(vocabulary, k=12)) for _ in range(30)]
    assert found(inside + outside, " ".join(text)) == [True] * len(inside) + [False] * len(outside)
