"""Where sentences begin: the cases that a reader would point at, and what holds for any text."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.pretext.sentences import CONTEXT, sentence_starts, split_sentences

MARKED = [  # a bar where a sentence begins
    "It rained. |We stayed in. |Nobody minded!",
    "Mr. Darcy met Mrs. Bennet and Dr. Grant at St. James. |She left.",
    "J. R. R. Tolkien wrote it. |So did C. S. Lewis.",
    "He moved to the U.S. Army base, e.g. Fort Knox, i.e. Kentucky. |Then he left.",
    "It was 2 p.m. on Sunday. |It was 3 p.m. |We ate.",
    "Pi is 3.14159 and e is 2.718. |See fig. 3 and no. 7 on pp. 12. |No. |He would not.",
    "He said (in a whisper.) |She left.",
    '"Come in." |"Why should I?" she asked. |"Because it rains!" |He laughed.',
    "“Is it you?” he asked. |“It is.” |‘Good.’ |Then silence.",
    "Wait... what is it? |Well… |Nothing came.",
    "_The End._ |**Bold.** |Plain.",
    "What?! |Really!!! |Yes.",
    "It was I. |Then he went. |Vitamin C. and all that.",
    "1. First things first.\n|2. Then the second.\n|IV. And the fourth.",
    "# A Heading\n\n|The text begins. |It goes on.\n\n   |Another paragraph",
    "the film is good . |it 's funny . |mr. smith liked it , e.g. the end .",
    "play some jazz\n|add this to my list\n|what is the weather in Paris",
    "他来了。|她走了！|谁知道？|天晓得；|也许吧……|没有人。",
    "陈留王曰：“天子何在？”|珪言：“不知何往。|寻觅不得。”|贡遂去。",
    "（他笑了。）|《红楼梦》真好看！》|她说：「好。」|完",
    "版本3.14发布了。|比例是2.5:1，对吧？|Yes. |好的!|真的?|是。",
    "第一回\n|话说天下大势。|分久必合。\n\n|第二回",
    "我……|我不知道。|他说：“这……”|然后走了。",  # as it mostly is, though not here
]


@pytest.mark.parametrize("marked", MARKED)
def test_sentences_begin_where_a_reader_says(marked: str) -> None:
    expected = marked.split("|")
    assert split_sentences("".join(expected)) == expected


WRAPPED = """\
It is a truth universally acknowledged, that a single man in
possession of a good fortune, must be in want of a wife. However
little known the feelings or views of such a man may be on his
first entering a neighbourhood, this truth is so well fixed in
the minds of the surrounding families, that he is considered as
the rightful property of some one or other of their daughters.

"My dear Mr. Bennet," said his lady to him one day, "have you
heard that Netherfield Park is let at last?"
"""


def test_lines_broken_to_a_width_go_on() -> None:
    found = split_sentences(WRAPPED)
    assert [sentence.split()[0] for sentence in found] == ["It", "However", '"My']
    assert "".join(found) == WRAPPED


def test_chinese_lines_broken_to_a_width_go_on() -> None:
    text = "话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，楚、汉分争，又并入于汉。" * 4
    lines = [text[i : i + 18] for i in range(0, len(text), 18)]
    assert len(split_sentences("\n".join(lines))) == len(split_sentences(text)) == 12


def test_lines_that_end_where_they_end_are_sentences(texts: list[str]) -> None:
    lines = [text[: 20 + 3 * i % 17] for i, text in enumerate(texts)]
    assert len(split_sentences("\n".join(lines))) == len(lines)


ALPHABET = " \n\t.!?…\"'”’()a1B王他。！？；」》3No-_I\u3000\x0b\x85\u2028,"
PIECES = st.text(alphabet=ALPHABET, max_size=60) | st.text()
# Whether there are capitals, and how wide lines are, a piece may not know of the whole.
PARAGRAPHS = st.text(alphabet=ALPHABET.replace("\n", "").lower(), max_size=60).map(lambda text: text + "\n\n")


@given(PIECES)
def test_the_sentences_joined_are_the_text(text: str) -> None:
    found = split_sentences(text)
    assert "".join(found) == text
    assert all(found)
    assert not any(sentence[0].isspace() for sentence in found[1:])


@given(st.lists(PARAGRAPHS, min_size=1, max_size=4))
def test_a_document_in_pieces_has_the_sentences_of_the_whole(pieces: list[str]) -> None:
    found, before = [], ""
    for begin, piece in zip(accumulate(map(len, pieces), initial=0), pieces, strict=False):
        found += [begin + start for start in sentence_starts(piece, before)]
        before = (before + piece)[-CONTEXT:]
    assert found == sentence_starts("".join(pieces))


def test_a_piece_that_goes_on_with_a_sentence_begins_none() -> None:
    assert sentence_starts("and so it went on. Then", before="He said that it was ") == [19]
    assert sentence_starts("Then he left. So", before="It ended.\n") == [0, 14]
    assert sentence_starts("Darcy left. So", before="It was Mr. ") == [12]
    assert sentence_starts("", before="") == []
