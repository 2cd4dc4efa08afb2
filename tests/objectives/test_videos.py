"""Objectives of clips: what is asked, and that the right answer is what the loss wants."""

import math

import pytest
import torch
from torch import Tensor, nn

from selftaught.objective import Batch, Spec
from selftaught.objectives.frame_order import FrameOrder
from selftaught.objectives.frame_sort import FrameSort
from selftaught.pretext.video import orders
from selftaught.randomness import Randomness

PLAIN = {"area": 1.0, "flip": 0.0, "jitter": 0.0, "grey": 0.0}


def numbered(clips: int = 6, frames: int = 16) -> Batch:
    """Clips whose frames are of a grey that grows with time."""
    grey = (torch.arange(frames) * 10).to(torch.uint8).view(1, frames, 1, 1, 1)
    return {
        "frames": grey.expand(clips, frames, 3, 16, 16).clone(),
        "motion": torch.full((clips, frames - 1), 10 / 255),
    }


def drawn(count: int, epoch: int = 0) -> Randomness:
    return Randomness.of(3, torch.full((count,), epoch), torch.arange(count))


def times(batch: Batch, spec: Spec) -> Tensor:
    """When each frame that is asked about was shown, as its number."""
    assert spec.image is not None
    seen = batch["frames"][:, :, 0, 8, 8] * spec.image.deviation[0] + spec.image.mean[0]
    return (seen * 25.5).round().long()


class Answering(nn.Module):
    """A head that says what it is told to."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, vectors: Tensor) -> Tensor:
        return self.logits


def test_five_frames_in_order_or_backwards(spec: Spec) -> None:
    seen = torch.cat([times(FrameOrder(**PLAIN).pretext(numbered(), spec, drawn(6, e)), spec) for e in range(8)])
    forwards = (seen.diff(dim=1) > 0).all(1)
    assert (forwards | (seen.diff(dim=1) < 0).all(1)).all()
    assert 0.2 < forwards.float().mean() < 0.8
    assert (seen.amax(1) - seen.amin(1) <= 7).all()  # half of the window


def test_the_right_order_weighs_as_much_as_the_wrong_ones(spec: Spec) -> None:
    """Sure and right is no loss; half sure is ln 2 a target; who always says "in order" is right half the time."""
    objective = FrameOrder()
    batch = objective.pretext(numbered(4), spec, drawn(4))
    states = torch.zeros(4, 5, 1, 8)
    right = torch.tensor([[0.0, 30.0], [30.0, 0.0], [30.0, 0.0]]).expand(4, 3, 2)
    assert objective.loss(states, Answering(right), batch)["loss"] == pytest.approx(0, abs=1e-6)
    assert objective.loss(states, Answering(right), batch)["accuracy"] == batch["n"] == 8
    even = objective.loss(states, Answering(torch.zeros(4, 3, 2)), batch)
    assert even["loss"] / batch["n"] == pytest.approx(math.log(2))
    always = objective.loss(states, Answering(torch.tensor([0.0, 1.0]).expand(4, 3, 2)), batch)
    assert always["accuracy"] / batch["n"] == 0.5


def test_of_five_frames_the_middle_one_is_what_is_wrong(spec: Spec) -> None:
    """The head is given (b, c, d), (b, a, d) and (b, e, d)."""

    class Noting(nn.Module):
        def forward(self, vectors: Tensor) -> Tensor:
            self.seen = vectors[0, :, :, 0]
            return torch.zeros(*vectors.shape[:2], 2)

    head, states = Noting(), torch.arange(5.0).view(1, 5, 1, 1)
    FrameOrder().loss(states, head, {"asked": torch.tensor([True])})
    assert head.seen.tolist() == [[1, 2, 3], [1, 0, 3], [1, 4, 3]]


@pytest.mark.parametrize("count", [3, 4])
def test_the_order_of_mixed_frames_is_the_answer(spec: Spec, count: int) -> None:
    objective, forwards = FrameSort(count=count, **PLAIN), []
    for epoch in range(8):
        batch = objective.pretext(numbered(), spec, drawn(6, epoch))
        ranks = times(batch, spec).argsort(1).argsort(1)
        told = orders(count)[batch["order"]]
        same = (ranks == told).all(1)
        assert (same | (ranks == told.flip(1)).all(1)).all()
        forwards.append(same)
    assert 0.2 < torch.cat(forwards).float().mean() < 0.8


def test_nothing_is_asked_of_a_clip_that_does_not_move(spec: Spec) -> None:
    samples = numbered(4)
    samples["motion"][1] = 0
    for objective, targets in ((FrameOrder(), 6), (FrameSort(), 3)):
        batch = objective.pretext(samples, spec, drawn(4))
        assert batch["asked"].tolist() == [True, False, True, True]
        assert batch["n"] == targets


def test_chance_is_that_of_who_guesses(spec: Spec) -> None:
    assert FrameOrder().chance(spec, 8) == math.log(2)
    assert FrameSort().chance(spec, 8) == math.log(12)
    assert FrameSort(count=3).chance(spec, 8) == math.log(3)
