"""Long texts in rows: each row is the question and as much of the text as fits, and every row overlaps the next one."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from selftaught.data.tokenise import TextTokenizer
from selftaught.objective import Batch

OVERLAP = 128  # tokens that two rows share (Devlin et al. 2019); half of what fits, if that is less

Places = list[tuple[int, int]]
"""For each token of a text, where what it stands for begins and ends in it, in characters."""


@dataclass(frozen=True)
class Window:
    """One row.

    Args:
        example: the number of its example.
        ids: the tokens of the row.
        before: how many of them stand before those of the text.
        begin: the place in the text of the first of these.
        places: of these, in characters.
    """

    example: int
    ids: list[int]
    before: int
    begin: int
    places: Places

    def row_places(self, span: tuple[int, int] | None) -> tuple[int, int]:
        """Where the first and the last token of a span of the text stand in the row; 0, 0 if not all of it does."""
        if span is None or span[0] < self.begin or span[1] >= self.begin + len(self.places):
            return 0, 0
        return span[0] - self.begin + self.before, span[1] - self.begin + self.before


def token_span(places: Places, begin: int, end: int) -> tuple[int, int] | None:
    """The first and the last token that hold characters from ``begin`` to ``end``; None if there is none."""
    first = bisect_right(places, begin, key=lambda place: place[1])
    last = bisect_left(places, end, key=lambda place: place[0]) - 1
    return (first, last) if begin < end and first <= last else None


def windows(
    tokenizer: TextTokenizer, questions: Sequence[str], read: Sequence[tuple[list[int], Places]], longest: int
) -> list[Window]:
    """The rows of all examples, in order, each opened, parted and closed as a pair of texts is.

    Every token of a text is in one row at least. A question gets half of a row at most and is cut at its end.

    Args:
        read: the texts, as :meth:`TextTokenizer.encode_with_places` gives them.
        longest: the most tokens of a row.
    """
    opening, between, closing = tokenizer.frame
    space = longest - len(opening) - len(between) - len(closing)
    rows = []
    for example, (question, (ids, places)) in enumerate(zip(tokenizer.encode(questions), read, strict=True)):
        head = opening + question[: space // 2] + between
        room = longest - len(head) - len(closing)
        overlap = min(OVERLAP, room // 2)
        for begin in range(0, max(len(ids) - overlap, 1), room - overlap):
            part = slice(begin, begin + room)
            rows.append(Window(example, head + ids[part] + closing, len(head), begin, places[part]))
    return rows


def as_batch(rows: Sequence[Window], tokenizer: TextTokenizer) -> Batch:
    """``input_ids``, ``attention_mask``, ``token_type_ids`` [R, T], ``example`` [R], and ``places`` int64 [R, T, 2].

    The places are those of the text, in characters, and -1 for every other token.
    """
    batch: Batch = dict(tokenizer.padded([row.ids for row in rows]))
    batch["example"] = torch.tensor([row.example for row in rows])
    batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
    batch["places"] = torch.full((*batch["input_ids"].shape, 2), -1)
    for number, row in enumerate(rows):
        batch["token_type_ids"][number, row.before : len(row.ids)] = 1
        batch["places"][number, row.before : row.before + len(row.places)] = torch.tensor(row.places).view(-1, 2)
    return batch
