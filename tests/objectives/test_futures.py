"""Objectives that complete or foretell a clip, against their definitions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from selftaught.backbones.presets import PatchSize
from selftaught.backbones.slots import Slots
from selftaught.backbones.video import VIDEO, VideoBackbone
from selftaught.backbones.vision import new_picture_backbone
from selftaught.loop import Learner
from selftaught.objective import Batch, Objective, Spec
from selftaught.objectives.future import Future
from selftaught.objectives.interaction import Interaction, slots_of
from selftaught.objectives.video_mae import VideoMAE
from selftaught.pretext.clips import spread, tall, tubes
from selftaught.pretext.image import patches_of
from selftaught.pretext.pictures import as_seen
from selftaught.randomness import Randomness


def randomness(count: int, seed: int = 0) -> Randomness:
    indices = torch.arange(count)
    return Randomness.of(seed, torch.zeros_like(indices), indices)


def posed(objective: Objective, clips: Batch, spec: Spec) -> Batch:
    return objective.pretext(clips, spec, randomness(len(clips["frames"])))


def learner(objective: Objective, spec: Spec, width: int = 32, layers: int = 2) -> Learner:
    torch.manual_seed(0)
    size = PatchSize(layers=layers, width=width, head_width=16)
    return Learner({VIDEO: VideoBackbone(new_picture_backbone(size, 16))}, objective, spec).eval()


@given(patches=st.integers(2, 80), rate=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_tubes_part_the_patches_in_visible_and_hidden(patches: int, rate: float, seed: int) -> None:
    visible, hidden = tubes(patches, rate, randomness(3, seed))
    assert torch.equal(torch.cat([visible, hidden], 1).sort(1).values, torch.arange(patches).expand(3, patches))
    assert visible.shape[1] >= 1
    assert hidden.shape[1] >= 1
    assert abs(hidden.shape[1] - rate * patches) <= 1


@given(there=st.integers(1, 40), count=st.integers(1, 12), apart=st.none() | st.integers(1, 5))
def test_frames_are_taken_equally_far_apart_from_within_the_window(there: int, count: int, apart: int | None) -> None:
    if (count - 1) * (apart or 1) + 1 > there:
        with pytest.raises(ValueError, match="more than the"):
            spread(there, count, randomness(5), apart)
        return
    places = spread(there, count, randomness(5), apart)
    assert places.min() >= 0
    assert places.max() < there
    steps = places.diff(dim=1).unique()
    assert len(steps) <= 1
    assert apart is None or all(step == apart for step in steps)
    if apart is None and count > 1:
        assert (count - 1) * (int(steps) + 1) + 1 > there  # any further, and they would not fit


def test_a_clip_as_a_tall_picture_has_its_frames_below_each_other() -> None:
    frames = torch.rand(2, 3, 3, 8, 8)
    batch = {"frames": frames, "visible": torch.tensor([[0], [3]]), "hidden": torch.tensor([[1, 2, 3], [0, 1, 2]])}
    found = tall(batch, 4)
    assert found["visible"].tolist() == [[0, 4, 8], [3, 7, 11]]
    patches = patches_of(found["pixels"], 4)
    for time in range(3):
        assert torch.equal(patches[:, 4 * time : 4 * time + 4], patches_of(frames[:, time], 4))
    assert torch.equal(patches[0, found["hidden"][0]], patches_of(frames[0], 4)[:, 1:].flatten(0, 1))


def test_what_is_hidden_is_hidden_in_every_frame_and_not_seen(clips: Batch, spec: Spec) -> None:
    objective = VideoMAE(rate=0.75)
    batch, made = posed(objective, clips, spec), learner(objective, spec)
    assert batch["frames"].shape == (8, 8, 3, 16, 16)
    assert batch["visible"].shape == (8, 4)
    assert batch["n"] == 8 * 8 * 12
    changed = tall(batch, 4)
    tubes_changed = patches_of(changed["pixels"], 4).scatter(
        1, changed["hidden"][..., None].expand(-1, -1, 48), torch.full((8, 8 * 12, 48), 9.0)
    )
    frames = tubes_changed.view(8, 8, 4, 4, 4, 4, 3).permute(0, 1, 6, 2, 4, 3, 5).reshape(8, 8, 3, 16, 16)
    assert not torch.equal(frames, batch["frames"])
    with torch.no_grad():
        torch.testing.assert_close(made.features(batch), made.features({**batch, "frames": frames}))


def test_of_ninety_percent_hidden_a_tenth_is_computed_and_all_frames_see_each_other(clips: Batch, spec: Spec) -> None:
    objective = VideoMAE()
    batch, made = posed(objective, clips, spec), learner(objective, spec, width=64, layers=4)
    assert batch["visible"].shape == (8, 2)  # of 16
    with torch.no_grad(), FlopCounterMode(display=False) as visible:
        states = made.features(batch)
    assert states.shape == (8, 1 + 8 * 2, 64)
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        made.backbones[VIDEO]({"frames": batch["frames"]})
    assert visible.get_total_flops() <= 0.2 * whole.get_total_flops()
    last = batch["frames"].clone()
    last[:, -1] += 1
    with torch.no_grad():
        moved = (made.features({**batch, "frames": last}) - states).abs().amax(-1)
    assert (moved > 0).all()  # what happens in the last frame is noticed at each visible patch of the first


def test_one_frame_without_its_time_is_the_network_of_pictures(clips: Batch, spec: Spec) -> None:
    objective = VideoMAE()
    batch, made = posed(objective, clips, spec), learner(objective, spec)
    nn.init.zeros_(made.heads.get_parameter("times"))
    one = {"frames": batch["frames"][:, :1], "visible": batch["visible"]}
    made.heads.register_parameter("times", nn.Parameter(torch.zeros(1, 32)))
    with torch.no_grad():
        torch.testing.assert_close(made.features(one), made.backbones[VIDEO](one)[:, 0])


@pytest.mark.parametrize("normalised", [True, False])
def test_each_hidden_patch_of_each_frame_is_compared_with_its_own_pixels(normalised: bool, spec: Spec) -> None:
    frames = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(1, 2, 3, 4, 4).sin()
    batch = {"frames": frames, "visible": torch.tensor([[0]]), "hidden": torch.tensor([[1, 2, 3]])}

    class Silent(nn.Module):
        patch = 2

        def forward(self, *_: torch.Tensor) -> torch.Tensor:
            return torch.zeros(1, 6, 12)

    objective = VideoMAE(frames=2, normalised=normalised)
    made = learner(objective, spec)
    made.heads.decoder.patch = 2
    made.heads.decoder.forward = Silent().forward  # type: ignore[method-assign]
    total = 0.0
    for time in range(2):
        for number in (1, 2, 3):
            top, left = 2 * (number // 2), 2 * (number % 2)
            wanted = frames[0, time, :, top : top + 2, left : left + 2].permute(1, 2, 0).flatten()
            if normalised:
                wanted = (wanted - wanted.mean()) / (wanted.var() + 1e-6).sqrt()
            total += float(wanted.square().mean())
    found = objective.loss(torch.zeros(1, 3, 32), made.heads, batch)
    assert float(found["loss"]) == pytest.approx(total, rel=1e-5)


def test_what_was_seen_of_a_clip_is_shown_as_it_is(clips: Batch, spec: Spec) -> None:
    objective = VideoMAE()
    batch, made = posed(objective, clips, spec), learner(objective, spec)
    shown = objective.pictured(made.features(batch), made.heads, batch, spec)
    assert shown.shape == (8, 8, 3, 3 * 16, 16)
    truth, seen, drawn = (part.flatten(0, 1) for part in shown.split(16, 3))
    visible = torch.zeros(8, 16, dtype=torch.bool).scatter(1, batch["visible"], True).repeat_interleave(8, 0)
    patches = [patches_of(part, 4) for part in (truth, seen, drawn)]
    assert torch.equal(patches[0][visible], patches[2][visible])
    assert torch.equal(patches[0][visible], patches[1][visible])
    assert not torch.equal(patches[0][~visible], patches[2][~visible])


def test_info_nce_is_that_of_a_double_loop(clips: Batch, spec: Spec) -> None:
    """van den Oord et al. 2018, equation 4: the right frame among all that were to be guessed, of asked clips only."""
    objective = Future(past=2, horizon=2, temperature=0.3, projection=5)
    made = learner(objective, spec)
    batch = posed(objective, clips, spec)
    batch["asked"][3] = False
    features = torch.randn(8, 4, 3, 32, generator=torch.Generator().manual_seed(0))
    found = objective.loss(features, made.heads, batch)
    guessed, coming = (part.flatten(0, 1) for part in made.heads(features.mean(2)[:, :2], features.mean(2)[:, 2:]))
    total, right, moment = 0.0, 0, 0
    for i, guess in enumerate(guessed):
        if i // 2 == 3:
            continue
        cosines = [
            float(guess.detach() @ other.detach() / guess.norm().detach() / other.norm().detach()) for other in coming
        ]
        total -= math.log(math.exp(cosines[i] / 0.3) / sum(math.exp(c / 0.3) for c in cosines))
        right += max(range(16), key=cosines.__getitem__) == i
        moment += cosines[i] >= cosines[i ^ 1]
    assert float(found["loss"].detach()) == pytest.approx(total, rel=1e-4)
    assert int(found["accuracy"]) == right
    assert int(found["moment"]) == moment
    assert objective.chance(spec, 8) == pytest.approx(math.log(16))


def test_the_guess_does_not_see_what_it_is_compared_with(clips: Batch, spec: Spec) -> None:
    """No future frame can change what is guessed of it."""
    objective = Future(past=3, horizon=2)
    batch, made = posed(objective, clips, spec), learner(objective, spec)
    assert batch["frames"].shape == (8, 5, 3, 16, 16)
    other = batch["frames"].clone()
    other[:, 3:] = 0
    with torch.no_grad():
        one, two = (
            made.heads(vectors[:, :3], vectors[:, 3:])
            for vectors in (made.features({"frames": frames}).mean(2) for frames in (batch["frames"], other))
        )
    assert torch.equal(one[0], two[0])
    assert not torch.equal(one[1], two[1])


def test_clips_in_which_nothing_moves_are_not_asked(clips: Batch, spec: Spec) -> None:
    still = {"frames": clips["frames"], "motion": clips["motion"] * torch.tensor([0.0] * 3 + [1.0] * 5)[:, None]}
    objective = Future()
    batch = posed(objective, still, spec)
    assert batch["asked"].tolist() == [False] * 3 + [True] * 5
    assert batch["n"] == 5 * 3


def test_what_is_told_of_slots_depends_on_no_later_frame_and_teaches_no_slot(clips: Batch, spec: Spec) -> None:
    objective = Interaction()
    batch, made = posed(objective, clips, spec), learner(objective, spec)
    assert batch["frames"].shape == (8, 7, 3, 16, 16)
    features = made.features(batch)
    told = objective.told(slots_of(features, made.heads), made.heads)
    later = batch["frames"].clone()
    later[:, 3:] = 0
    again = objective.told(slots_of(made.features({"frames": later}), made.heads), made.heads)
    torch.testing.assert_close(told.where, again.where)
    told.where.sum().backward()
    taught = {name.split(".")[1] for name, part in made.named_parameters() if part.grad is not None}
    assert taught == {"motion"}


def test_the_loss_of_slots_is_that_of_what_they_draw_and_of_where_they_are(clips: Batch, spec: Spec) -> None:
    objective = Interaction(horizon=2)
    batch, made = posed(objective, clips, spec), learner(objective, spec)
    features = made.features(batch)
    found = {name: float(value.detach()) for name, value in objective.loss(features, made.heads, batch).items()}
    slots = slots_of(features, made.heads)
    told = objective.told(slots, made.heads)
    drawn = place = what = 0.0
    for clip in range(8):
        for frame in batch["drawn"][clip].tolist():
            alone = Slots(slots.where[clip, frame], slots.what[clip, frame])
            wanted = patches_of(batch["frames"][clip, frame][None], 4)[0]
            drawn += float((made.heads.decoder(alone)[0] - wanted).square().mean().detach()) / 2
        for step in range(2):
            error = (told.where[clip, step] - slots.where[clip, 3 + step]) * 2  # 2 patches are half a side
            place += float(error.square().mean().detach()) / 2
            what += float((told.what[clip, step] - slots.what[clip, 3 + step]).square().mean().detach()) / 2
    assert found["drawn"] == pytest.approx(drawn, rel=1e-4)
    assert found["place"] == pytest.approx(place, rel=1e-4)
    assert found["loss"] == pytest.approx(drawn + place + 0.1 * what, rel=1e-4)
    assert batch["n"] == 8


def test_what_is_told_is_shown_below_what_came(clips: Batch, spec: Spec) -> None:
    objective = Interaction(horizon=3)
    batch, made = posed(objective, clips, spec), learner(objective, spec)
    shown = objective.pictured(made.features(batch), made.heads, batch, spec)
    assert shown.shape == (8, 3, 3, 3 * 16, 16)
    assert spec.image is not None
    torch.testing.assert_close(shown[:, 1, :, :16], as_seen(batch["frames"][:, 4], spec.image))
