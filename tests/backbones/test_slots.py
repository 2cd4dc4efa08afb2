"""Slots: what they are moved by, and what they draw."""

import pytest
import torch

from selftaught.backbones.slots import SlotAttention, SlotDecoder, SlotMotion, Slots, grid


def slots(count: int = 3, seed: int = 0) -> Slots:
    generator = torch.Generator().manual_seed(seed)
    return Slots(torch.rand(2, count, 2, generator=generator) - 0.5, torch.randn(2, count, 8, generator=generator))


def motion(interaction: bool = True, past: int = 2) -> SlotMotion:
    torch.manual_seed(0)
    made = SlotMotion(8, past, 16, interaction)
    for part in made.parameters():  # as after some training: at first all goes on as it went
        torch.nn.init.normal_(part, std=0.3)
    return made


def test_places_are_numbered_row_by_row() -> None:
    assert grid(2).tolist() == [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]


def test_at_first_everything_goes_on_as_it_went() -> None:
    before, last = slots(), slots(seed=1)
    torch.manual_seed(0)
    told = SlotMotion(8, 2, 16, True)([before, last])
    torch.testing.assert_close(told.where, 2 * last.where - before.where, atol=0.01, rtol=0)
    torch.testing.assert_close(told.what, last.what, atol=0.05, rtol=0)


@pytest.mark.parametrize("interaction", [True, False])
def test_a_slot_hears_the_others_or_itself_alone(interaction: bool) -> None:
    known = [slots(), slots(seed=1)]
    made = motion(interaction)
    told = made(known)
    others = [Slots(one.where.clone(), one.what.clone()) for one in known]
    others[1].where[:, 1:] += 0.3
    others[1].what[:, 1:] += 0.3
    again = made(others)
    same = torch.equal(told.where[:, 0], again.where[:, 0]) and torch.equal(told.what[:, 0], again.what[:, 0])
    assert same is not interaction


def test_the_control_has_as_many_weights() -> None:
    shapes = [[part.shape for part in motion(interaction).parameters()] for interaction in (True, False)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("interaction", [True, False])
def test_it_does_not_matter_which_slot_holds_which_object(interaction: bool) -> None:
    known, order = [slots(4), slots(4, seed=1)], torch.tensor([2, 0, 3, 1])
    made = motion(interaction)
    mixed = [Slots(one.where[:, order], one.what[:, order]) for one in known]
    told, again = made.ahead(known, 3), made.ahead(mixed, 3)
    torch.testing.assert_close(told.where[:, :, order], again.where, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(told.what[:, :, order], again.what, atol=1e-4, rtol=1e-4)


def test_several_frames_are_told_one_from_the_other() -> None:
    known, made = [slots(), slots(seed=1), slots(seed=2)], motion(past=3)
    told = made.ahead(known, 2)
    first = made(known)
    second = made([known[1], known[2], first])
    assert told.where.shape == (2, 2, 3, 2)
    torch.testing.assert_close(told.what[:, 0], first.what)
    torch.testing.assert_close(told.where[:, 1], second.where)


def test_what_moves_by_a_patch_is_drawn_a_patch_further() -> None:
    torch.manual_seed(0)
    decoder = SlotDecoder(8, 16, 4, 2)
    here = slots()
    there = Slots(here.where + torch.tensor([0.5, 0.0]), here.what)
    (drawn, whose), (moved, _) = decoder(here), decoder(there)
    assert drawn.shape == (2, 16, 12)
    torch.testing.assert_close(whose.sum(1), torch.ones(2, 16, 4))
    torch.testing.assert_close(drawn.view(2, 4, 4, 12)[:, :, :-1], moved.view(2, 4, 4, 12)[:, :, 1:])


def test_slots_begin_a_frame_where_they_were_in_the_one_before() -> None:
    """They see no frame but their own and those before it; and they stay within what they look at."""
    torch.manual_seed(0)
    attention = SlotAttention(6, 4, 3, 8)
    states = torch.randn(2, 5, 16, 6)
    found = attention(states)
    assert found.where.shape == (2, 5, 3, 2)
    assert found.where.abs().max() <= 0.75
    later = states.clone()
    later[:, 3:] = 0
    again = attention(later)
    assert torch.equal(found.what[:, :3], again.what[:, :3])
    assert not torch.equal(found.what[:, 3], again.what[:, 3])
    torch.testing.assert_close(found.what.mean(-1), torch.zeros(2, 5, 3), atol=1e-5, rtol=0)
