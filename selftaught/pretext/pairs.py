"""Two segments as one row."""

import torch
from torch import Tensor

from selftaught.objective import Batch, TextSpec


def join_segments(input_ids: Tensor, attention_mask: Tensor, spec: TextSpec) -> Batch:
    """``[CLS] first [SEP] second [SEP]`` (Devlin et al. 2019, figure 2).

    Args:
        input_ids: the two segments, int64 [B, 2, S].
        attention_mask: bool [B, 2, S], false on padding, which stands at the end.

    Returns:
        ``input_ids``, ``attention_mask`` and ``token_type_ids`` (1 from the second segment on), [B, S + 3].
    """
    assert spec.cls_id is not None, "a pair needs a tokenizer with a token that opens a text"
    assert spec.sep_id is not None, "a pair needs a tokenizer with a token that closes a text"
    size = input_ids.shape[2]
    first, second = attention_mask.sum(2).unsqueeze(2).unbind(1)  # [B, 1] each
    place = torch.arange(size + 3, device=input_ids.device)
    end = first + second + 2
    within = torch.where(place < first + 2, place - 1, size + place - first - 2)
    row = input_ids.flatten(1).gather(1, within.clamp(0, 2 * size - 1))
    row = torch.where((place == first + 1) | (place == end), spec.sep_id, row)
    row = torch.where(place == 0, spec.cls_id, torch.where(place > end, spec.pad_id, row))
    mask = place <= end
    return {
        "input_ids": row,
        "attention_mask": mask,
        "token_type_ids": ((place > first + 1) & mask).long(),
    }
