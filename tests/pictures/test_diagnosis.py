"""Shortcuts are found where they were planted, and a probe that falls behind its loss is told of."""

import numpy as np
import pytest
import torch

from selftaught.backbones.presets import PICTURE_SIZES
from selftaught.backbones.vision import IMAGE, new_picture_backbone
from selftaught.data.loader import Batches
from selftaught.data.picture_store import Pictures
from selftaught.loop import Learner, train
from selftaught.objective import Objective, PictureSpec, Spec
from selftaught.objectives.jigsaw import Jigsaw
from selftaught.objectives.rotation import Rotation
from selftaught.objectives.simclr import SimCLR
from selftaught.optim import adamw
from selftaught.pictures.diagnosis import AS_IS, BORDERS, GREY, Shortcuts, course_note, shortcuts
from selftaught.schedule import Schedule

SIDE = 32
SPEC = Spec(image=PictureSpec(SIDE, None, torch.full((3,), 0.5), torch.full((3,), 0.25)))


def learned(objective: Objective, pixels: np.ndarray, steps: int = 40) -> Shortcuts | None:
    torch.manual_seed(0)
    learner = Learner({IMAGE: new_picture_backbone(PICTURE_SIZES["conv-tiny"], SIDE)}, objective, SPEC)
    batches = Batches(Pictures(pixels, np.arange(len(pixels))), objective, SPEC, 32, seed=0)
    for _ in train(learner, batches.starting, adamw(learner, 2e-3), Schedule(steps=steps), seed=0):
        pass
    return shortcuts(learner, batches.at(10_000))


def noise(count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (count, 3, SIDE, SIDE), np.uint8)


def test_a_line_along_the_upper_border_is_found_out() -> None:
    pixels = noise()
    pixels[:, :, :2] = 255
    found = learned(Rotation(area=0.999, jitter=0), pixels)
    assert found is not None
    assert found.accuracies[BORDERS] > 0.8
    (said,) = found.notes()
    assert "of the borders alone" in said


def test_what_is_told_from_the_middle_is_no_shortcut() -> None:
    pixels = noise()
    pixels[:, :, 6:12, 8:24] = 255
    found = learned(Rotation(area=0.999, jitter=0), pixels)
    assert found is not None
    assert found.accuracies[AS_IS] > 0.8
    assert found.notes() == []


def test_tiles_that_are_told_by_their_colour_are_found_out() -> None:
    """The upper tiles have a colour, the lower ones another, of one lightness; which is left, a mirror hides."""
    pixels = noise().astype(np.float64)
    grey = np.array([0.299, 0.587, 0.114])[:, None, None]
    for half, hue in enumerate(np.array([[1, -1, 1], [-1, 1, -1]])[..., None, None] * 60):
        pixels[:, :, 16 * half : 16 * half + 16] += hue - (hue * grey).sum(0)
    found = learned(Jigsaw(jitter=0, grey=0), pixels.clip(0, 255).astype(np.uint8))
    assert found is not None
    assert found.accuracies[AS_IS] > 0.4
    assert found.accuracies[GREY] < 0.32
    assert any("without colours" in said for said in found.notes())


def test_of_other_objectives_nothing_is_said() -> None:
    assert learned(SimCLR(), noise(64), steps=1) is None


@pytest.mark.parametrize(
    ("probes", "losses", "told"),
    [
        ([0.2, 0.5, 0.45, 0.4], [3.0, 2.0, 1.5, 1.0], True),
        ([0.2, 0.5, 0.45, 0.4], [3.0, 2.0, 2.5, 2.6], False),  # the loss rose as well
        ([0.2, 0.5, 0.52, 0.51], [3.0, 2.0, 1.5, 1.0], False),  # no more than noise
        ([0.5, 0.4], [3.0, 2.0], False),  # too few to say
    ],
)
def test_a_probe_that_no_longer_follows_is_told_of(probes: list[float], losses: list[float], told: bool) -> None:
    lines = [{"step": i, "probe": p, "held_out_loss": x} for i, (p, x) in enumerate(zip(probes, losses, strict=True))]
    assert (course_note([*lines, {"step": 9, "loss": 1.0}]) is not None) == told
