"""Objectives of pictures against their definitions."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from selftaught.backbones.presets import PatchSize
from selftaught.backbones.vision import IMAGE, PictureBackbone, new_picture_backbone
from selftaught.loop import Learner
from selftaught.objective import Batch, Objective, Spec, Sum
from selftaught.objectives.dino import DINO
from selftaught.objectives.inpaint import Inpaint
from selftaught.objectives.jigsaw import Jigsaw, TileHead
from selftaught.objectives.mae import MAE
from selftaught.objectives.pirl import PIRL
from selftaught.objectives.rotation import Rotation
from selftaught.objectives.simclr import SimCLR
from selftaught.objectives.simreg import SimReg
from selftaught.objectives.vicreg import VICReg
from selftaught.pretext.image import patches_of
from selftaught.pretext.pictures import as_seen
from selftaught.randomness import Randomness


def posed(objective: Objective, pictures: Batch, spec: Spec) -> Batch:
    indices = torch.arange(len(pictures["pixels"]))
    return objective.pretext(pictures, spec, Randomness.of(0, torch.zeros_like(indices), indices))


def network(width: int = 32, layers: int = 2) -> PictureBackbone:
    torch.manual_seed(0)
    return new_picture_backbone(PatchSize(layers=layers, width=width, head_width=16), 16)


class Given(nn.Module):
    """A head that gives what it is given."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors


def test_nt_xent_is_that_of_a_double_loop() -> None:
    """Chen et al. 2020, equation 1: views 2k - 1 and 2k are here k and B + k."""
    states = torch.randn(10, 1, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = SimCLR(temperature=0.3).loss(states, Given(), {})
    vectors = [v / v.norm() for v in states[:, 0].float()]
    total = 0.0
    for i, one in enumerate(vectors):
        odds = [math.exp(float(one @ other) / 0.3) for other in vectors]
        total -= math.log(odds[(i + 5) % 10] / (sum(odds) - odds[i]))
    assert float(found["loss"]) == pytest.approx(total, rel=1e-5)


def test_vicreg_is_that_of_its_equations() -> None:
    vectors = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    found = VICReg().loss(vectors[:, None], Given(), {})
    first, second = vectors[:6], vectors[6:]
    alike = sum(float((a - b).square().sum()) for a, b in zip(first, second, strict=True)) / 6 / 4
    too_little, shared = 0.0, 0.0
    for part in (first, second):
        centred = part - part.mean(0)
        for i in range(4):
            too_little += max(0.0, 1 - math.sqrt(float(centred[:, i].square().sum()) / 5 + 1e-4)) / 4
            shared += sum(float(centred[:, i] @ centred[:, j] / 5) ** 2 for j in range(4) if j != i) / 4
    assert float(found["loss"]) / 6 == pytest.approx(25 * alike + 25 * too_little / 2 + shared, rel=1e-5)


@pytest.mark.parametrize("normalised", [True, False])
def test_mae_compares_each_hidden_patch_with_its_own_pixels(normalised: bool) -> None:
    """He et al. 2022, section 4, on hand-made patches."""
    pixels = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(2, 3, 4, 4).sin()
    batch = {"pixels": pixels, "visible": torch.tensor([[0], [3]]), "hidden": torch.tensor([[1, 2, 3], [0, 1, 2]])}
    said = torch.zeros(2, 3, 12)

    class Silent(nn.Module):
        patch = 2

        def forward(self, *_: torch.Tensor) -> torch.Tensor:
            return said

    objective = MAE(normalised=normalised)
    targets = objective.targets(batch, 2)
    total = 0.0
    for row, hidden in enumerate(batch["hidden"].tolist()):
        for place, number in enumerate(hidden):
            top, left = 2 * (number // 2), 2 * (number % 2)
            wanted = pixels[row, :, top : top + 2, left : left + 2].permute(1, 2, 0).flatten()
            if normalised:
                wanted = (wanted - wanted.mean()) / (wanted.var() + 1e-6).sqrt()
            assert torch.allclose(targets[row, place], wanted, atol=1e-6)
            total += float(wanted.square().mean())
    drawn = targets.square().mean(-1).sum()
    assert float(drawn) == pytest.approx(total, rel=1e-6)


def test_what_is_hidden_is_not_seen_and_not_computed(pictures: Batch, spec: Spec) -> None:
    """Changing the hidden pixels changes no state; and at 75 % the encoder does at most 0.4 of the whole work."""
    backbone, batch = network(width=64, layers=4).eval(), posed(MAE(), pictures, spec)
    assert torch.equal(torch.cat([batch["visible"], batch["hidden"]], 1).sort(1).values, torch.arange(16).expand(8, 16))
    assert batch["visible"].shape == (8, 4)
    changed = batch["pixels"].clone()
    for row, hidden in enumerate(batch["hidden"].tolist()):
        for number in hidden:
            top, left = 4 * (number // 4), 4 * (number % 4)
            changed[row, :, top : top + 4, left : left + 4] = 9.0
    with torch.no_grad():
        assert torch.allclose(backbone(batch), backbone({**batch, "pixels": changed}), atol=1e-6)
        with FlopCounterMode(display=False) as visible:
            backbone(batch)
        with FlopCounterMode(display=False) as whole:
            backbone({"pixels": batch["pixels"]})
    assert visible.get_total_flops() <= 0.4 * whole.get_total_flops()


def test_all_patches_visible_is_the_network_itself(pictures: Batch, spec: Spec) -> None:
    backbone = network().eval()
    pixels = posed(Rotation(), pictures, spec)["pixels"]
    everything = torch.arange(16).expand(8, 16)
    with torch.no_grad():
        assert torch.allclose(
            backbone({"pixels": pixels, "visible": everything}), backbone({"pixels": pixels}), atol=1e-5
        )


def test_contrast_and_masking_share_one_pass_over_what_is_visible(pictures: Batch, spec: Spec) -> None:
    both = Sum((SimCLR(), MAE()))
    learner, calls = Learner({IMAGE: network()}, both, spec), []
    learner.backbones[IMAGE].register_forward_hook(lambda *_: calls.append(1))
    batch = posed(both, pictures, spec)
    stream = batch["streams"]["image"]
    assert stream["pixels"].shape == (16, 3, 16, 16)  # two views of each
    assert stream["visible"].shape == (16, 4)
    found = learner(batch)
    assert len(calls) == 1
    assert batch["n"] == {"simclr": 16, "mae": 16 * 12}
    assert all(bool(torch.isfinite(found[name]["loss"])) for name in ("simclr", "mae"))


def test_a_turned_picture_is_the_view_turned(pictures: Batch, spec: Spec) -> None:
    batch = posed(Rotation(), pictures, spec)
    assert set(batch["quarters"].tolist()) <= {0, 1, 2, 3}
    assert batch["n"] == 8
    assert Rotation(doubt=0).chance(spec, 8) == pytest.approx(math.log(4))


def test_a_turn_that_cannot_be_told_counts_less() -> None:
    """Generalised cross-entropy: what it gives back of a picture's gradient is the probability of the truth to q."""
    logits = torch.tensor([[[4.0, 0, 0, 0]], [[0.0, 4, 0, 0]]], requires_grad=True)
    batch: Batch = {"quarters": torch.tensor([0, 0])}
    shares = logits.detach()[:, 0].softmax(1)[:, 0]
    found = Rotation(doubt=0.5).loss(logits, Given(), batch)
    assert found["loss"].item() == pytest.approx(float(((1 - shares.sqrt()) / 0.5).sum()))
    assert float(found["cross_entropy"]) == pytest.approx(float(-shares.log().sum()))
    (doubted,) = torch.autograd.grad(found["loss"], logits)
    (plain,) = torch.autograd.grad(Rotation(doubt=0).loss(logits, Given(), batch)["loss"], logits)
    torch.testing.assert_close(doubted, plain * shares.sqrt()[:, None, None])


def test_nobody_can_be_sure_of_the_turn_of_what_looks_the_same(spec: Spec) -> None:
    """Whatever the network says, and however sure it is of it."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8, generator=generator)
    half = torch.maximum(drawn, torch.rot90(drawn, 2, (2, 3)))
    whole = torch.maximum(half, torch.rot90(half, 1, (2, 3)))
    backbones = nn.ModuleDict({IMAGE: network().eval()})
    head = nn.Linear(32, 4)
    nn.init.normal_(head.weight, std=20)
    for pictures, most in ((half, 0.5), (whole, 0.25), (drawn, 1.0)):
        sure = Rotation().certainty(backbones, head, {"pixels": pictures}, spec)
        assert sure.shape == (6,)
        assert (sure <= most + 1e-4).all()


@pytest.mark.parametrize("objective", [MAE(), MAE(normalised=False), Inpaint(side=0.5)])
def test_what_was_seen_is_shown_as_it_is_and_the_rest_as_it_was_drawn(
    objective: MAE | Inpaint, pictures: Batch, spec: Spec
) -> None:
    batch = posed(objective, pictures, spec)
    learner = Learner({IMAGE: network()}, objective, spec).eval()
    shown = learner.objective.pictured(learner.features(batch), learner.heads, batch, spec)
    assert shown is not None
    assert shown.shape == (8, 3, 3, 16, 16)
    patches = [patches_of(shown[:, kind], 4) for kind in range(3)]
    places = torch.zeros(8, 16, dtype=torch.bool).scatter(1, batch["hidden"], True)
    assert torch.equal(patches[0][~places], patches[2][~places])
    assert torch.equal(patches[0][~places], patches[1][~places])
    assert not torch.equal(patches[0][places], patches[2][places])
    assert spec.image is not None
    assert torch.allclose(as_seen(batch["pixels"], spec.image), shown[:, 0])
    grey = spec.image.mean.repeat(16)
    assert torch.allclose(patches[1][places], grey.expand_as(patches[1][places]), atol=1e-6)


def test_the_missing_region_is_one_square(pictures: Batch, spec: Spec) -> None:
    batch = posed(Inpaint(side=0.5), pictures, spec)
    assert batch["hidden"].shape == (8, 4)
    for hidden in batch["hidden"].tolist():
        rows, columns = {n // 4 for n in hidden}, {n % 4 for n in hidden}
        assert len(rows) == len(columns) == 2
        assert max(rows) - min(rows) == max(columns) - min(columns) == 1


def test_tiles_are_mixed_and_each_is_asked_for_its_own_place(spec: Spec) -> None:
    """Of a picture that grows lighter downwards, what belongs to the upper tiles is darker, wherever it lies now."""
    picture = torch.arange(0, 256, 16, dtype=torch.uint8)[:, None].expand(20, 3, 16, 16)
    indices = torch.arange(20)
    rng = Randomness.of(0, torch.zeros_like(indices), indices)
    batch = Jigsaw(jitter=0, grey=0).pretext({"pixels": picture}, spec, rng)
    assert all(sorted(row) == [0, 1, 2, 3] for row in batch["tiles"].tolist())
    assert len({tuple(row) for row in batch["tiles"].tolist()}) > 10
    tiles = batch["pixels"][:, 0].unfold(1, 8, 8).unfold(2, 8, 8).mean((3, 4)).flatten(1)  # of each place
    ordered = tiles.gather(1, batch["tiles"].argsort(1))  # of each tile
    assert (ordered[:, :2].amax(1) < ordered[:, 2:].amin(1)).all()


def test_a_jigsaw_can_be_solved(spec: Spec) -> None:
    """A head that reads each place's states can answer, and the answer is about places as they lie row by row."""
    backbone = network()
    head = TileHead(backbone, 2)
    states = torch.zeros(1, 17, 32)
    for place in range(16):
        states[0, 1 + place, (place // 4 // 2) * 2 + (place % 4) // 2] = 1.0
    with torch.no_grad():
        head.answer.weight.zero_()
        head.answer.weight[range(4), range(4)] = 1.0
        assert head(states)[0].argmax(1).tolist() == [0, 1, 2, 3]


def test_the_teacher_follows_slowly_and_learns_from_nobody(pictures: Batch, spec: Spec) -> None:
    objective = DINO(momentum=0.9)
    learner = Learner({IMAGE: network()}, objective, spec)
    teacher = learner.heads.get_submodule("teacher")
    before = [p.clone() for p in teacher.parameters()]
    batch = posed(objective, pictures, spec)
    learner(batch)["loss"].backward()
    assert all(p.grad is None for p in teacher.parameters())
    with torch.no_grad():
        for parameter in learner.backbones.parameters():
            parameter += 1
    objective.after_step(learner.backbones, learner.heads)
    moved = [float((new - old).abs().max()) for new, old in zip(teacher.parameters(), before, strict=True)]
    assert max(moved) == pytest.approx(0.1, rel=1e-3)
    assert float(learner.heads.get_buffer("centre").abs().max()) > 0


def test_the_second_view_of_pirl_has_the_tiles_of_a_first_one_in_another_order(pictures: Batch, spec: Spec) -> None:
    plain = posed(PIRL(area=0.999, jitter=0, grey=0, tile_area=0.999), pictures, spec)
    assert plain["pixels"].shape == (16, 3, 16, 16)
    tiles = plain["pixels"].unfold(2, 8, 8).unfold(3, 8, 8).mean((1, 4, 5)).flatten(1)  # the lightness of each
    first, mixed = tiles.chunk(2)
    torch.testing.assert_close(first.sort(1).values, mixed.sort(1).values, atol=0.2, rtol=0)  # a crop is never square
    assert not torch.allclose(first, mixed, atol=0.2)
    with pytest.raises(ValueError, match="2 x 2"):
        PIRL(grid=1)


@pytest.mark.parametrize("kind", [SimCLR, VICReg, DINO, SimReg, MAE, Inpaint])
def test_whether_a_mirror_image_is_shown_can_be_chosen(kind: Any, pictures: Batch, spec: Spec) -> None:
    """It matters for letters; and the crop and the colours are the same either way."""
    never, always = (posed(kind(flip=flip), pictures, spec)["pixels"] for flip in (0.0, 1.0))
    assert torch.allclose(never, always.flip(3), atol=1e-4)
    assert not torch.allclose(never, always, atol=1e-2)
