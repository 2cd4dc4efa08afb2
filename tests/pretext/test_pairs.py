"""Two segments joined to a row, by hand."""

from dataclasses import replace

import torch

from selftaught.objective import Spec
from selftaught.pretext.pairs import join_segments


def test_a_row_of_two_segments_by_hand(spec: Spec) -> None:
    assert spec.text is not None
    text = replace(spec.text, cls_id=1, sep_id=2, pad_id=0)
    ids = torch.tensor([[[11, 12, 13, 99], [21, 99, 99, 99]], [[31, 99, 99, 99], [41, 42, 43, 99]]])
    mask = torch.tensor([[[1, 1, 1, 0], [1, 0, 0, 0]], [[1, 0, 0, 0], [1, 1, 1, 0]]], dtype=torch.bool)
    row = join_segments(ids, mask, text)
    assert row["input_ids"].tolist() == [[1, 11, 12, 13, 2, 21, 2], [1, 31, 2, 41, 42, 43, 2]]
    assert row["token_type_ids"].tolist() == [[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]
    assert row["attention_mask"].all()


def test_what_is_left_of_a_row_is_padding(spec: Spec) -> None:
    assert spec.text is not None
    text = replace(spec.text, cls_id=1, sep_id=2, pad_id=7)
    ids = torch.tensor([[[11, 12, 99, 99], [21, 99, 99, 99]]])
    row = join_segments(ids, ids != 99, text)
    assert row["input_ids"].tolist() == [[1, 11, 12, 2, 21, 2, 7]]
    assert row["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 0]]
    assert row["attention_mask"].tolist() == [[True] * 6 + [False]]
