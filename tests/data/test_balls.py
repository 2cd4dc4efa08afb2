"""Balls move as elastic bodies do, and what is drawn is where they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.data.ball_source import ball_source
from selftaught.data.balls import Balls, after_meeting, ball_clips


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 4), meet=st.booleans())
def test_energy_is_kept_and_so_is_momentum_but_at_the_walls(seed: int, count: int, meet: bool) -> None:
    clips = ball_clips(4, seed, Balls(meet=meet, count=count, frames=8))
    masses, speeds = clips.radii[:, None] ** 2, clips.speeds
    energy = (masses * np.square(speeds).sum(-1)).sum(-1)
    np.testing.assert_allclose(energy, energy[:, :1].repeat(8, 1), rtol=1e-4)
    momentum = (masses[..., None] * speeds).sum(2)
    reach = clips.radii[:, None, :, None] + np.abs(speeds).max() + 0.5
    near = (clips.places < reach) | (clips.places > 32 - reach)
    free = ~(near[:, :-1] | near[:, 1:]).any((2, 3))  # nobody was near a wall before or after
    np.testing.assert_allclose(momentum[:, 1:][free], momentum[:, :-1][free], rtol=1e-3, atol=1e-3)


def test_speeds_after_a_meeting_are_those_of_the_textbook() -> None:
    """Equal masses exchange their speeds head on; 1 at speed 3 comes back from 4 at rest with -9/5, which gets 6/5."""
    one, other = np.array([[3.0, 0.5], [3.0, 0.0]]), np.array([[-1.0, 0.0], [0.0, 0.0]])
    masses, line = (np.ones((2, 1)), np.array([[1.0], [4.0]])), np.array([[1.0, 0.0], [1.0, 0.0]])
    first, second = after_meeting(one, other, *masses, line)
    np.testing.assert_allclose(first, [[-1.0, 0.5], [-1.8, 0.0]])  # what is across the line stays
    np.testing.assert_allclose(second, [[3.0, 0.0], [1.2, 0.0]])


def test_only_those_that_meet_change_their_ways() -> None:
    """Both forms begin alike; until the first meeting they go on alike, and then they do not."""
    meeting, passing = (ball_clips(40, 3, Balls(meet=meet)) for meet in (True, False))
    assert np.array_equal(meeting.pixels[:, 0], passing.pixels[:, 0])
    before = ~meeting.met.any(2).cumsum(1).astype(bool)
    assert np.array_equal(meeting.places[before], passing.places[before])
    assert not np.allclose(meeting.places[:, -1], passing.places[:, -1])


def test_balls_stay_within_the_walls_and_outside_each_other() -> None:
    clips = ball_clips(50, 1)
    radii = clips.radii[:, None, :, None]
    assert (clips.places > radii - 0.3).all()
    assert (clips.places < 32 - radii + 0.3).all()
    between = np.linalg.norm(clips.places[:, :, :, None] - clips.places[:, :, None], axis=-1)
    touching = clips.radii[:, None, :, None] + clips.radii[:, None, None]
    apart = ~np.eye(3, dtype=bool)
    assert (between - touching)[..., apart].min() > -0.5


def test_what_is_seen_is_where_the_ball_is() -> None:
    """The middle of what is not black is the centre; its area is that of the disc."""
    clips = ball_clips(20, 2, Balls(count=1))
    light = clips.pixels.max(2) / 255.0
    x, y = np.arange(32) + 0.5, np.arange(32)[:, None] + 0.5
    weight = light.sum((2, 3))
    np.testing.assert_allclose((light * x).sum((2, 3)) / weight, clips.places[:, :, 0, 0], atol=0.05)
    np.testing.assert_allclose((light * y).sum((2, 3)) / weight, clips.places[:, :, 0, 1], atol=0.05)
    np.testing.assert_allclose(weight, np.pi * clips.radii**2 * np.ones(16), rtol=0.03)


def test_the_same_seed_gives_the_same_clips_and_another_others() -> None:
    one, same, other = (ball_clips(3, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.pixels, same.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    assert one.pixels.dtype == np.uint8
    assert one.pixels.shape == (3, 16, 3, 32, 32)


def test_there_must_be_room() -> None:
    with pytest.raises(ValueError, match="no room"):
        ball_clips(1, 0, Balls(count=12, smallest=0.2, largest=0.2))


def test_as_a_source_clips_have_a_size_and_a_rate_and_a_label_that_no_frame_shows() -> None:
    source = ball_source(meet=True)
    items = list(source.items())
    assert len(items) == 1_000
    assert len({(item.file, item.line) for item in items}) == 1_000
    fast = sum(item.label == "fast" for item in items)
    assert 400 < fast < 600
    small = items[7].load(8, 2.0)
    assert small.shape == (4, 3, 8, 8)  # 2 seconds
    assert np.array_equal(small, list(source.items())[7].load(8, 2.0))
    facts = items[7].facts()
    assert (facts.width, facts.height, facts.seconds, facts.rate) == (32, 32, 2.0, 8.0)
