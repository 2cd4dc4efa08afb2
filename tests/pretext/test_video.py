"""Questions about clips: where frames are chosen, and that all frames of a clip are changed alike."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selftaught.objective import Batch, Spec
from selftaught.pretext.image import Views
from selftaught.pretext.video import moves, moving_places, one_view_of_clips, orders, picked, viewed
from selftaught.randomness import Randomness


def drawn(count: int, seed: int = 0) -> Randomness:
    return Randomness.of(seed, torch.zeros(count, dtype=torch.long), torch.arange(count))


@given(st.integers(2, 20), st.integers(2, 6), st.floats(0.1, 1.0), st.integers(0, 10_000))
def test_places_are_in_order_different_and_in_the_window(frames: int, count: int, span: float, seed: int) -> None:
    count = min(count, frames)
    motion = torch.rand(6, frames - 1, generator=torch.Generator().manual_seed(seed)) ** 8
    motion[0] = 0
    places = moving_places(motion, drawn(6, seed), count, span)
    assert (places.diff(dim=1) > 0).all()
    assert places.min() >= 0
    assert places.max() < frames
    assert (places[:, -1] - places[:, 0] < max(round(span * frames), count)).all()


def test_frames_are_chosen_where_something_moves() -> None:
    """Of sixteen frames only those from the eighth to the twelfth differ: nearly all chosen ones are among them."""
    motion = torch.zeros(200, 15)
    motion[:, 8:12] = 1
    places = moving_places(motion, drawn(200), 3, span=0.5)
    assert ((places >= 7) & (places <= 12)).float().mean() > 0.8


def test_even_motion_is_parted_evenly() -> None:
    """Of sixteen frames, four come from the four quarters."""
    places = moving_places(torch.ones(500, 15), drawn(500), 4)
    assert (places.float().mean(0) - torch.tensor([1.9, 5.6, 9.4, 13.1])).abs().max() < 0.5


def test_more_frames_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="5 frames cannot be chosen of 4"):
        moving_places(torch.ones(2, 3), drawn(2), 5)


def test_a_still_clip_does_not_move() -> None:
    assert moves(torch.tensor([[0.0, 0.0], [0.0, 0.01]])).tolist() == [False, True]


def test_orders_leave_out_what_is_another_backwards() -> None:
    assert orders(3).tolist() == [[0, 1, 2], [0, 2, 1], [1, 0, 2]]
    assert len(orders(4)) == 12
    assert len({min(tuple(order), tuple(reversed(order))) for order in orders(4).tolist()}) == 12


def test_all_frames_of_a_clip_are_changed_alike() -> None:
    """A clip that does not move does not move in any view either, and clips are changed differently."""
    still = torch.rand(1, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).expand(4, 5, -1, -1, -1)
    seen = viewed(still, drawn(4), Views(0.4, jitter=0.5, grey=0.5, blur=0.5))
    assert (seen == seen[:, :1]).all()
    assert (seen[0, 0] != seen[1, 0]).any()


def test_frames_are_picked_from_their_own_clip() -> None:
    frames = torch.arange(12).view(2, 6)
    assert picked(frames, torch.tensor([[5, 0], [1, 1]])).tolist() == [[5, 0], [7, 7]]


def test_a_view_that_is_made_already_is_left_as_it_is(clips: Batch, spec: Spec) -> None:
    made = {"frames": torch.zeros(8, 2, 3, 16, 16)}
    assert one_view_of_clips(made, spec, drawn(8), Views()) is made
    assert one_view_of_clips(clips, spec, drawn(8), Views())["frames"].dtype == torch.float32
