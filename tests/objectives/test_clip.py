"""Each picture and its caption find each other: what the loss is, what is no wrong answer, and two ranks as one."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from selftaught.backbones.dual import new_text_tower
from selftaught.backbones.presets import PatchSize, TextSize
from selftaught.backbones.towers import TwoTowers, Vectors
from selftaught.backbones.vision import IMAGE, new_picture_backbone
from selftaught.loop import Learner, train
from selftaught.objective import Batch, PictureSpec, Spec
from selftaught.objectives.clip import Clip
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.ranks import together
from selftaught.schedule import Schedule

SPEC = Spec(image=PictureSpec(16, 8, torch.full((3,), 0.5), torch.full((3,), 0.25)))


def small_learner(objective: Clip) -> Learner:
    torch.manual_seed(0)
    picture = new_picture_backbone(PatchSize(layers=1, width=16, head_width=8, patch=8), 16)
    text = new_text_tower(TextSize(layers=1, width=16, head_width=8), 50, pad_id=0, longest_row=16)
    return Learner({IMAGE: picture, "text": text}, objective, SPEC)


def batch_of(captions: list[int], pictures: list[int] | None = None) -> Batch:
    """Pairs whose captions and pictures are numbered."""
    count = len(captions)
    drawn = torch.Generator().manual_seed(1)
    return {
        "pixels": torch.randint(0, 256, (count, 3, 16, 16), generator=drawn, dtype=torch.uint8),
        "input_ids": torch.randint(1, 50, (count, 5), generator=drawn),
        "attention_mask": torch.ones(count, 5, dtype=torch.bool),
        "caption": torch.tensor(captions),
        "picture": torch.tensor(pictures or range(count)),
    }


def posed(objective: Clip, batch: Batch) -> Batch:
    indices = torch.arange(len(batch["caption"]))
    return objective.pretext(batch, SPEC, Randomness.of(0, torch.zeros_like(indices), indices))


def vectors(count: int) -> Vectors:
    drawn = torch.Generator().manual_seed(2)
    both = torch.nn.functional.normalize(torch.randn(2, count, 8, generator=drawn), dim=-1)
    return Vectors(both[0], both[1])


@torch.no_grad()
def summed(objective: Clip, found: Vectors, heads: torch.nn.Module, batch: Batch) -> float:
    return float(objective.loss(found, heads, batch)["loss"])


@pytest.mark.parametrize("captions", [[0, 1, 2, 3, 4], [0, 1, 0, 3, 0]])
def test_the_loss_is_that_of_a_double_loop(captions: list[int]) -> None:
    """Equation of Radford et al. 2021, figure 3, where what reads the same is no wrong answer."""
    objective, found = Clip(temperature=0.2), vectors(5)
    heads, pictures = small_learner(objective).heads, [0, 1, 2, 3, 3]
    expected = 0.0
    for here in range(5):
        for of_picture in (True, False):
            logits = []
            for there in range(5):
                same = captions[here] == captions[there] or pictures[here] == pictures[there]
                if there == here or not same:
                    one, other = (here, there) if of_picture else (there, here)
                    logits.append(float(found.pictures[one] @ found.texts[other]) / 0.2)
            own = float(found.pictures[here] @ found.texts[here]) / 0.2
            expected += 0.5 * (math.log(sum(map(math.exp, logits))) - own)
    assert summed(objective, found, heads, batch_of(captions, pictures)) == pytest.approx(expected, rel=1e-5)


def test_the_sigmoid_loss_is_that_of_a_double_loop() -> None:
    """Zhai et al. 2023, section 3.2: 10 times the cosine, minus 10, at the start."""
    objective, found, captions = Clip(kind="sigmoid"), vectors(4), [0, 1, 1, 3]
    heads, expected = small_learner(objective).heads, 0.0
    for here in range(4):
        for there in range(4):
            logit = 10 * float(found.pictures[here] @ found.texts[there]) - 10
            if here == there:
                expected += math.log1p(math.exp(-logit))
            elif captions[here] != captions[there]:
                expected += math.log1p(math.exp(logit))
    assert summed(objective, found, heads, batch_of(captions)) == pytest.approx(expected, rel=1e-4)


def test_captions_that_are_all_alike_leave_nothing_to_be_told_apart() -> None:
    heads = small_learner(Clip()).heads
    assert summed(Clip(), vectors(6), heads, batch_of([7] * 6)) == 0


def test_who_guesses_has_the_chance_loss() -> None:
    """All vectors one: the softmax loss is ln B; the best constant of the sigmoid loss has its chance loss."""
    one = torch.nn.functional.normalize(torch.ones(8, 4), dim=-1)
    batch = batch_of(list(range(8)))
    softmax, sigmoid = Clip(), Clip(kind="sigmoid")
    loss = summed(softmax, Vectors(one, one), small_learner(softmax).heads, batch)
    assert loss / 8 == pytest.approx(softmax.chance(SPEC, 8)) == pytest.approx(math.log(8))
    heads = small_learner(sigmoid).heads
    assert isinstance(heads, TwoTowers)
    assert heads.logit_bias is not None
    with torch.no_grad():
        heads.logit_bias.fill_(math.log(1 / 7) - float(heads.scale))  # a share of one in eight is right
    assert summed(sigmoid, Vectors(one, one), heads, batch) / 8 == pytest.approx(sigmoid.chance(SPEC, 8))


def test_what_is_found_is_counted_and_spread_is_that_of_the_worse_tower() -> None:
    heads, batch = small_learner(Clip()).heads, batch_of([0, 1, 2])
    right = torch.eye(3)
    assert float(Clip().loss(Vectors(right, right), heads, batch)["accuracy"]) == 3
    measures = Clip().loss(Vectors(right, torch.ones(3, 3) / 3**0.5), heads, batch)
    assert float(measures["uniformity"]) == pytest.approx(0, abs=1e-5)  # the texts are one, whatever the pictures are
    turned = Clip().loss(Vectors(right, right.roll(1, 0)), heads, batch)
    assert float(turned["accuracy"]) == 0
    assert float(turned["alignment"]) == pytest.approx(3 * 2)


def test_the_temperature_is_learned_and_kept_within_bounds() -> None:
    learner = small_learner(Clip(temperature=0.011))
    batch = {**posed(Clip(), batch_of(list(range(6)))), "size": 6}
    steps = train(learner, lambda _: iter([batch] * 30), adamw(learner, 0.1), Schedule(steps=30), seed=0)
    scales = [report.measures["scale"] for report in steps]
    assert len(set(scales)) > 2
    assert max(scales) <= 100.001


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"temperature": 2.0}, {"kind": "hinge"}])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"temperature|kind"):
        Clip(**options)


def test_captions_are_left_as_they_are_and_pictures_are_not_mirrored() -> None:
    batch = batch_of(list(range(4)))
    batch["pixels"] = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    batch["pixels"][..., :4] = 255  # light at the left
    found = posed(Clip(jitter=0), batch)
    assert torch.equal(found["input_ids"], batch["input_ids"])
    assert (found["pixels"][..., :8].mean((1, 2, 3)) > found["pixels"][..., 8:].mean((1, 2, 3))).all()


def test_some_words_are_forgotten_and_never_all(pairs: Batch, spec: Spec) -> None:
    assert spec.text is not None
    indices = torch.arange(8)
    rng = Randomness.of(0, torch.zeros_like(indices), indices)
    special, before = spec.text.special[pairs["input_ids"]], pairs["attention_mask"]
    for share in (0.4, 0.99):
        mask = Clip(forget=share).pretext(dict(pairs), spec, rng)["attention_mask"]
        assert (mask <= before).all()
        assert (mask[special] == before[special]).all()
        assert (mask & ~special).any(1).all()
        assert mask.sum() < before.sum()
    assert torch.equal(Clip().pretext(dict(pairs), spec, rng)["attention_mask"], before)
    with pytest.raises(ValueError, match="forget"):
        Clip(forget=1.0)


CAPTIONS = [0, 1, 2, 3, 1, 5, 6, 0]  # two that read the same are on two ranks, two on one


def gradients(learner: Learner, batch: Batch, total: int) -> dict[str, torch.Tensor]:
    learner.zero_grad()
    loss = learner(batch)["loss"] / total
    loss.backward()
    found = {name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None}
    return {**found, "loss": loss.detach()}


def one_of_two(rank: int, folder: str, kind: str) -> None:
    """A rank with its half of the batch; the first also takes all of it by itself and compares."""
    torch.set_num_threads(1)
    objective: Any = Clip(kind=kind)  # type: ignore[arg-type]
    learner, whole = small_learner(objective), posed(objective, batch_of(CAPTIONS))
    alone = gradients(learner, whole, 8)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    half = {name: v[4 * rank : 4 * rank + 4] if isinstance(v, torch.Tensor) else 4 for name, v in whole.items()}
    with together():
        found, chance = gradients(learner, half, 8), objective.chance(SPEC, 4)
    for gradient in found.values():
        dist.all_reduce(gradient)
    scales = {name: max(1.0, float(gradient.abs().max())) for name, gradient in alone.items()}
    apart = {name: float((found[name] - alone[name]).abs().max()) / scale for name, scale in scales.items()}
    if rank == 0:
        Path(folder, "apart.json").write_text(json.dumps({"apart": apart, "chance": chance}))
    dist.destroy_process_group()


def both_kinds(rank: int, folder: str) -> None:
    for kind in ("softmax", "sigmoid"):
        Path(folder, kind).mkdir(exist_ok=True)
        one_of_two(rank, f"{folder}/{kind}", kind)


def test_two_ranks_have_the_loss_and_the_gradients_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    # a fork has all imports already; the autograd of a process that has used a GPU does not survive it
    method = "spawn" if torch.cuda.is_available() else "fork"
    mp.start_processes(both_kinds, (str(tmp_path),), nprocs=2, start_method=method)
    for kind in ("softmax", "sigmoid"):
        said = json.loads((tmp_path / kind / "apart.json").read_text())
        assert said["apart"]["loss"] < 1e-6
        assert max(said["apart"].values()) < 1e-6
        assert said["chance"] == pytest.approx(Clip(kind=kind).chance(SPEC, 8))  # type: ignore[arg-type]
