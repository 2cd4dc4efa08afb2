"""Which tokens are hidden, and what stands in their place."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selftaught.objective import Spec
from selftaught.pretext.text import choose_tokens, choose_words, delete_tokens, draw_tokens, replace_tokens, words_of
from selftaught.randomness import Randomness


def rng(rows: int, seed: int = 0, epoch: int = 0) -> Randomness:
    return Randomness.of(seed, torch.full((rows,), epoch), torch.arange(rows))


masks = st.integers(1, 24).flatmap(
    lambda length: st.lists(st.lists(st.booleans(), min_size=length, max_size=length), min_size=1, max_size=4)
)


@given(masks=masks, share=st.floats(0, 1), seed=st.integers(0, 99), whole_words=st.booleans(), data=st.data())
def test_as_many_as_asked_for_and_never_a_special_one(
    masks: list[list[bool]], share: float, seed: int, whole_words: bool, data: st.DataObject
) -> None:
    maskable = torch.tensor(masks)
    count = max(1, round(share * maskable.shape[1]))
    if whole_words:
        starts = torch.tensor([data.draw(st.lists(st.booleans(), min_size=len(m), max_size=len(m))) for m in masks])
        positions, chosen = choose_words(maskable, words_of(starts), count, rng(len(masks), seed))
    else:
        positions, chosen = choose_tokens(maskable, count, rng(len(masks), seed))
    assert positions.shape == chosen.shape == (len(masks), count)
    for row, real, may in zip(positions, chosen, maskable, strict=True):
        hidden = row[real].tolist()
        assert len(set(hidden)) == len(hidden) == min(count, int(may.sum()))
        assert all(may[hidden].tolist())


def test_words_are_numbered() -> None:
    starts = torch.tensor([[True, False, True, True, False], [False, False, True, False, True]])
    assert words_of(starts).tolist() == [[0, 0, 1, 2, 2], [0, 0, 1, 1, 2]]


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=20), count=st.integers(1, 12), seed=st.integers(0, 99))
def test_words_are_taken_whole_but_for_the_last(lengths: list[int], count: int, seed: int) -> None:
    words = torch.tensor([[word for word, length in enumerate(lengths) for _ in range(length)]])
    count = min(count, words.shape[1])
    positions, chosen = choose_words(torch.ones_like(words, dtype=torch.bool), words, count, rng(1, seed))
    assert chosen.all()
    hidden = words[0, positions[0]].tolist()
    cut = [word for word in set(hidden) if hidden.count(word) < lengths[word]]
    assert cut in ([], [hidden[-1]])
    for word in cut:  # its first tokens stay together
        places = positions[0][words[0, positions[0]] == word].tolist()
        assert places == list(range(min(places), min(places) + len(places)))


def test_every_token_and_every_word_has_the_same_chance() -> None:
    rows, lengths = 20_000, [1, 2, 1, 3, 1, 2]
    words = torch.tensor([[w for w, n in enumerate(lengths) for _ in range(n)]]).expand(rows, -1)
    maskable = torch.ones_like(words, dtype=torch.bool)
    tokens, _ = choose_tokens(maskable, 3, rng(rows))
    assert torch.bincount(tokens.flatten(), minlength=10) / rows == pytest.approx(torch.full((10,), 0.3), abs=0.015)
    first, _ = choose_words(maskable, words, 1, rng(rows))
    drawn = torch.bincount(words.gather(1, first).flatten(), minlength=6) / rows
    assert drawn == pytest.approx(torch.full((6,), 1 / 6), abs=0.015)


def test_eight_in_ten_are_masked_one_random_one_kept(spec: Spec) -> None:
    assert spec.text is not None
    text = spec.text
    ids = torch.full((2_000, 100), int((~text.special).nonzero()[7]))
    positions = torch.arange(100).expand(2_000, -1)
    got = replace_tokens(ids, positions, torch.ones_like(ids, dtype=torch.bool), text, rng(2_000))
    shares = torch.bincount(got.flatten(), minlength=text.vocab_size) / ids.numel()
    ordinary = int((~text.special).sum())
    assert float(shares[text.mask_id]) == pytest.approx(0.8, abs=0.005)
    assert float(shares[ids[0, 0]]) == pytest.approx(0.1 + 0.1 / ordinary, abs=0.005)
    stand_ins = (~text.special).clone()
    stand_ins[ids[0, 0]] = False
    assert shares[stand_ins] == pytest.approx(torch.full((ordinary - 1,), 0.1 / ordinary), rel=0.3)
    special = text.special.clone()
    special[text.mask_id] = False
    assert float(shares[special].sum()) == 0


def test_only_what_was_chosen_changes(spec: Spec) -> None:
    assert spec.text is not None
    ids = torch.randint(5, spec.text.vocab_size, (4, 12))
    before = ids.clone()
    positions = torch.tensor([[0, 3, 5]]).expand(4, -1)
    chosen = torch.tensor([[True, True, False]]).expand(4, -1)
    text = replace(spec.text, special=torch.ones(spec.text.vocab_size, dtype=torch.bool))
    text.special[11] = False  # the only stand-in there is
    got = replace_tokens(ids, positions, chosen, text, rng(4))
    assert torch.equal(ids, before)
    untouched = torch.ones(12, dtype=torch.bool)
    untouched[[0, 3]] = False
    assert torch.equal(got[:, untouched], ids[:, untouched])
    assert all(g in (text.mask_id, 11, i) for g, i in zip(got[:, 0].tolist(), ids[:, 0].tolist(), strict=True))


@given(rows=masks, rate=st.floats(0, 0.99), seed=st.integers(0, 99))
def test_what_is_left_stays_in_order_and_nothing_but_deletable_tokens_goes(
    rows: list[list[bool]], rate: float, seed: int
) -> None:
    deletable = torch.tensor(rows)
    ids = torch.arange(1, deletable.numel() + 1).view_as(deletable)
    length = torch.tensor([max((i + 1 for i, may in enumerate(row) if may), default=0) for row in rows])
    present = torch.arange(ids.shape[1]) < length[:, None]
    left, mask = delete_tokens(ids, present, deletable, rate, 0, rng(len(rows), seed))
    assert left.shape == mask.shape
    for row, shown, before, there, may in zip(left, mask, ids, present, deletable, strict=True):
        kept = row[shown].tolist()
        assert row[~shown].tolist() == [0] * int((~shown).sum())
        assert kept == sorted(kept)
        gone = set(before[there].tolist()) - set(kept)
        assert gone <= set(before[may].tolist())
        count = int(may.sum())
        assert abs(len(gone) - rate * count) <= 0.5 + 1e-4 or len(gone) == count - 1 < rate * count


def test_deletion_is_a_matter_of_the_row_alone() -> None:
    ids = torch.arange(1, 25).view(2, 12)
    here = torch.ones_like(ids, dtype=torch.bool)
    together = delete_tokens(ids, here, here, 0.5, 0, rng(2))
    wider = (torch.cat([part, torch.zeros_like(part)], 1) for part in (ids, here, here))
    padded = delete_tokens(*wider, 0.5, 0, rng(2))
    assert torch.equal(together[0], padded[0])
    assert torch.equal(together[1], padded[1])


def test_a_token_is_drawn_where_its_number_falls() -> None:
    shares = torch.tensor([0.2, 0.3, 0.5]).log().expand(7, -1)
    uniform = torch.tensor([0.0, 0.19, 0.21, 0.49, 0.51, 0.99, 1 - 2**-24])
    everything = torch.ones(3, dtype=torch.bool)
    assert draw_tokens(shares, everything, uniform).tolist() == [0, 0, 1, 1, 2, 2, 2]
    without = torch.tensor([True, False, True])  # two sevenths and five sevenths
    assert draw_tokens(shares, without, uniform).tolist() == [0, 0, 0, 2, 2, 2, 2]


@given(
    logits=st.lists(st.lists(st.floats(-90, 90, width=32), min_size=5, max_size=5), min_size=1, max_size=6),
    drawable=st.lists(st.booleans(), min_size=5, max_size=5).filter(any),
    number=st.integers(0, 2**24 - 1),
)
def test_only_what_may_be_drawn_is_drawn_and_of_each_row_alone(
    logits: list[list[float]], drawable: list[bool], number: int
) -> None:
    rows, may = torch.tensor(logits), torch.tensor(drawable)
    uniform = torch.full((len(rows),), number * 2.0**-24)
    drawn = draw_tokens(rows, may, uniform)
    assert may[drawn].all()
    assert drawn.tolist() == [int(draw_tokens(row[None], may, uniform[:1])) for row in rows]
