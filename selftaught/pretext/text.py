"""Hiding tokens: which positions are asked about, and what stands in their place."""

import torch
from torch import Tensor

from selftaught.objective import TextSpec
from selftaught.randomness import Randomness


def words_of(starts: Tensor) -> Tensor:
    """Number the words of each row: int64 [B, T], counting from 0, given where words start, bool [B, T]."""
    numbers = starts.long().cumsum(1)
    return numbers - numbers[:, :1]


def choose_tokens(maskable: Tensor, count: int, rng: Randomness) -> tuple[Tensor, Tensor]:
    """Choose ``count`` positions of each row, uniformly among the maskable ones.

    Args:
        maskable: bool [B, T].

    Returns:
        positions, int64 [B, count], and whether each is a real choice, bool [B, count]: false where a row has
        fewer maskable tokens than ``count``, so that the shape stays the same from batch to batch.
    """
    score = rng.uniform("which tokens", maskable.shape[1]).masked_fill(~maskable, -1.0)
    best = score.topk(count, dim=1)
    return best.indices, best.values >= 0


def choose_words(maskable: Tensor, words: Tensor, count: int, rng: Randomness) -> tuple[Tensor, Tensor]:
    """Choose whole words until ``count`` tokens of each row are taken; the last word may be cut to fit.

    A row's words are taken in random order, each with all its tokens (whole-word masking, Devlin et al.,
    release of May 2019; Cui et al. 2021 for Chinese). Cutting only the last keeps the count fixed.

    Args:
        maskable: bool [B, T].
        words: the number of each token's word within its row, int64 [B, T].

    Returns:
        as :func:`choose_tokens`.
    """
    length = maskable.shape[1]
    score = rng.uniform("which words", length).gather(1, words)  # [B, T], equal within a word
    order = torch.arange(length, device=score.device) * 1e-9  # ties within a word: left to right
    best = (score.double() - order).masked_fill(~maskable, -1.0).topk(count, dim=1)
    return best.indices, best.values >= 0


def replace_tokens(input_ids: Tensor, positions: Tensor, chosen: Tensor, spec: TextSpec, rng: Randomness) -> Tensor:
    """Put the mask token in 80 % of the chosen positions, a random token in 10 %, and leave 10 % as they are.

    Devlin et al. 2019, section 3.1. The random token is any token of the vocabulary that is not special.

    Args:
        input_ids: int64 [B, T], not changed.
        positions, chosen: from :func:`choose_tokens`, [B, K].
    """
    fate = rng.uniform("fate", positions.shape[1])
    ordinary = (~spec.special).nonzero().squeeze(1)
    random_ids = ordinary[rng.integers("stand-in", len(ordinary), positions.shape[1])]
    original = input_ids.gather(1, positions)
    assert spec.mask_id is not None, "masking needs a tokenizer with a mask token"
    hidden = torch.where(fate < 0.8, spec.mask_id, torch.where(fate < 0.9, random_ids, original))
    return input_ids.scatter(1, positions, torch.where(chosen, hidden, original))


@torch.no_grad()
def draw_tokens(logits: Tensor, drawable: Tensor, uniform: Tensor) -> Tensor:
    """Sample a token for each row of logits, by the inverse of its cumulative distribution.

    Given its uniform number, a row's token does not depend on the other rows, as those of ``torch.multinomial`` do.

    Args:
        logits: float32 [N, V].
        drawable: bool [V], the tokens that may come out; the others' shares go to these.
        uniform: one number in [0, 1) for each row, [N].

    Returns:
        token ids, int64 [N].
    """
    edges = logits.masked_fill(~drawable, -torch.inf).softmax(1).cumsum(1)
    whole = edges[:, -1:]
    below = whole.nextafter(torch.zeros_like(whole))  # rounding must not reach the end, where no token is left
    return torch.searchsorted(edges, torch.minimum(uniform[:, None] * whole, below), right=True).squeeze(1)


def delete_tokens(
    input_ids: Tensor, present: Tensor, deletable: Tensor, rate: float, pad_id: int, rng: Randomness
) -> tuple[Tensor, Tensor]:
    """Delete ``round(rate * n)`` of the ``n`` deletable tokens of each row, but never all of them, and close the gaps.

    Wang et al. 2021 (TSDAE), section 3.

    Args:
        input_ids: int64 [B, T], not changed.
        present: bool [B, T], false on padding.
        deletable: bool [B, T], where there is a token that may go.

    Returns:
        what is left, int64 [B, K] with K <= T, and where it is no padding, bool [B, K].
    """
    count = deletable.sum(1)
    going = torch.minimum((count * rate).round().long(), count - 1)  # negative where there is nothing to delete
    score = rng.uniform("which tokens go", input_ids.shape[1]).masked_fill(~deletable, 2.0)
    turn = score.argsort(dim=1, stable=True).argsort(dim=1)
    left = present & (turn >= going[:, None])
    width = max(int(left.sum(1).max()), 1)
    places = (~left).long().argsort(dim=1, stable=True)[:, :width]
    left = left.gather(1, places)
    return input_ids.gather(1, places).masked_fill(~left, pad_id), left
