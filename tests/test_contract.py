"""What every objective and every task must keep to; a new file in either folder is found here by itself."""

import dataclasses
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from selftaught import lookup
from selftaught.backbones.heads import CausalLMHead, MaskedLMHead
from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.presets import PatchSize
from selftaught.backbones.teacher import Teacher
from selftaught.backbones.towers import PAIR
from selftaught.backbones.video import VIDEO, VideoBackbone
from selftaught.backbones.vision import IMAGE, PictureTeacher, new_picture_backbone
from selftaught.data.loader import Batches
from selftaught.loop import Learner, Progress, flatten, train
from selftaught.objective import Batch, Objective, Spec
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.run.folder import Run
from selftaught.scaling.step import cost_of, counting, step_cost
from selftaught.schedule import Schedule
from selftaught.task import Task

from .tasks.samples import examples_of, posed_by

KINDS = [lookup.find(name, package) for package in (lookup.OBJECTIVES, lookup.TASKS) for name in lookup.names(package)]

NewLearner = Callable[[], Learner]


@dataclasses.dataclass(frozen=True)
class Samples:
    """What an objective is asked about, as a function of a slice of the samples."""

    count: int
    take: Callable[[slice], Batch]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def objective(request: pytest.FixtureRequest) -> Objective:
    kind = request.param
    return posed_by(kind) if issubclass(kind, Task) else kind()


@pytest.fixture
def samples(objective: Objective, request: pytest.FixtureRequest) -> Samples:
    return samples_for(objective, request)


@pytest.fixture
def new_learner(objective: Objective, request: pytest.FixtureRequest) -> NewLearner:
    return learner_for(objective, request)


def samples_for(objective: Objective, request: pytest.FixtureRequest) -> Samples:
    """As the objective meets them: the examples of a task's own file, text packed or as it asks for it, pictures,
    pictures with words, or clips."""
    if of_kind := {IMAGE: "pictures", PAIR: "pairs", VIDEO: "clips"}.get(backbone_of(objective)):
        seen: Batch = request.getfixturevalue(of_kind)
        return Samples(8, lambda rows: {name: tensor[rows].clone() for name, tensor in seen.items()})
    if isinstance(objective, Task):
        examples, processor = examples_of(type(objective)), request.getfixturevalue("processor")
        return Samples(len(examples), lambda rows: objective.encode(examples[rows], processor, 64, labelled=True))
    of_text = {"rows": "packed", "pairs": "segments", "sentences": "sentences", "captions": "captioned"}
    found: Batch = request.getfixturevalue(of_text[objective.samples])
    return Samples(len(found["input_ids"]), lambda rows: {name: t[rows].clone() for name, t in found.items()})


def learner_for(objective: Objective, request: pytest.FixtureRequest) -> NewLearner:
    """Makes one small enough, each time with other weights unless it is of pictures."""
    spec, tokenizer = request.getfixturevalue("spec"), request.getfixturevalue("tokenizer")
    small_network, small_decoder = request.getfixturevalue("small_network"), request.getfixturevalue("small_decoder")
    size = PatchSize(layers=2, width=32, head_width=16)
    if backbone_of(objective) == VIDEO:
        return lambda: Learner({VIDEO: VideoBackbone(seeded(lambda: new_picture_backbone(size, 16)))}, objective, spec)
    if backbone_of(objective) == PAIR:
        return lambda: seeded(
            lambda: Learner({IMAGE: new_picture_backbone(size, 16), "text": small_network(tokenizer)}, objective, spec)
        )
    if backbone_of(objective) == IMAGE:
        own = {"teacher": PictureTeacher(seeded(lambda: new_picture_backbone(size, 16)))} if objective.taught else {}
        return lambda: Learner({IMAGE: seeded(lambda: new_picture_backbone(size, 16)), **own}, objective, spec)
    if objective.samples == "captions" or (isinstance(objective, Task) and objective.reads_pictures):
        small_flamingo = request.getfixturevalue("small_flamingo")
        return lambda: Learner({"text": seeded(lambda: small_flamingo(tokenizer))}, objective, spec)
    network = small_decoder if objective.architecture == "decoder" else small_network
    others = {"teacher": teacher(network(tokenizer), objective, spec)} if objective.taught else {}
    return lambda: Learner({"text": network(tokenizer), **others}, objective, spec)


def backbone_of(objective: Objective) -> str:
    return objective.stream.partition(".")[0]


def seeded(make: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return make()


def teacher(network: TextBackbone, objective: Objective, spec: Spec) -> Teacher:
    """One that can answer what the objective asks."""
    assert spec.text is not None
    if isinstance(objective, Task):
        return Teacher(network, objective.heads(nn.ModuleDict({"text": network}), spec))
    if network.is_decoder:
        return Teacher(network, CausalLMHead.of(network))
    return Teacher(network, MaskedLMHead.of(network, spec.text.unigram))


def posed(objective: Objective, samples: Samples, spec: Spec, *, epoch: int = 0, rows: slice = slice(None)) -> Batch:
    """The question about some samples; a sample's index is its place among all of them."""
    indices = torch.arange(samples.count)[rows]
    rng = Randomness.of(5, torch.full_like(indices, epoch), indices)
    return {**objective.pretext(samples.take(rows), spec, rng), "size": len(indices)}


def counts(batch: Batch) -> dict[str, float]:
    """How many targets were posed, of each part where there are several."""
    return flatten({"n": batch["n"]})


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(torch.equal(one, other)) if isinstance(one, torch.Tensor) else one == other


def gradients(learner: Learner, parts: list[Batch]) -> dict[str, torch.Tensor]:
    """What one step over ``parts`` would follow."""
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    found: dict[str, torch.Tensor] = {}

    def keep(*_: Any) -> None:
        found.update({name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None})

    optimizer.register_step_pre_hook(keep)
    steps = train(learner, lambda _: iter(parts), optimizer, Schedule(steps=1), seed=0, accumulate=len(parts), clip=1e9)
    next(steps)
    return found


def test_is_a_frozen_dataclass_that_survives_pickling(objective: Objective) -> None:
    assert dataclasses.is_dataclass(objective)
    assert type(objective).__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(objective)) == objective


def test_is_found_by_its_file_s_name(objective: Objective) -> None:
    package = lookup.TASKS if isinstance(objective, Task) else lookup.OBJECTIVES
    assert lookup.find(objective.name, package) is type(objective)


def test_a_question_is_a_function_of_seed_epoch_and_index(objective: Objective, samples: Samples, spec: Spec) -> None:
    assert same(posed(objective, samples, spec), posed(objective, samples, spec))


def test_another_epoch_asks_something_else(objective: Objective, samples: Samples, spec: Spec) -> None:
    if not objective.corrupts:
        return  # what is asked of these samples is the same each time; other epochs have other samples
    assert not same(posed(objective, samples, spec), posed(objective, samples, spec, epoch=1))


def test_posing_leaves_the_samples_as_they_are(objective: Objective, samples: Samples, spec: Spec) -> None:
    given, indices = samples.take(slice(None)), torch.arange(samples.count)
    before = {name: tensor.clone() for name, tensor in given.items()}
    objective.pretext(given, spec, Randomness.of(5, torch.zeros_like(indices), indices))
    assert same(given, before)


def test_says_how_many_targets_it_posed(objective: Objective, samples: Samples, spec: Spec) -> None:
    assert min(counts(posed(objective, samples, spec)).values()) > 0


def test_a_row_is_asked_and_scored_the_same_whatever_batch_it_is_in(
    objective: Objective, samples: Samples, spec: Spec, new_learner: NewLearner
) -> None:
    """The loss is a sum over targets, so that of a batch is the sum of those of its rows alone."""
    if objective.couples_batch:
        return
    learner = new_learner().eval()
    together = posed(objective, samples, spec)
    alone = [posed(objective, samples, spec, rows=slice(i, i + 1)) for i in range(samples.count)]
    for name, n in counts(together).items():
        assert sum(counts(one)[name] for one in alone) == pytest.approx(n)
    with torch.no_grad():
        whole, parts = flatten(learner(together)), [flatten(learner(one)) for one in alone]
    for name, value in whole.items():
        assert value == pytest.approx(sum(part[name] for part in parts), rel=1e-5)


def test_accumulating_small_batches_is_one_large_batch(
    objective: Objective, samples: Samples, spec: Spec, new_learner: NewLearner
) -> None:
    if objective.couples_batch:
        return
    learner, size = new_learner(), samples.count // 4
    parts = [posed(objective, samples, spec, rows=slice(i * size, (i + 1) * size)) for i in range(4)]
    one = gradients(learner, [posed(objective, samples, spec)])
    many = gradients(learner, parts)
    assert one.keys() == many.keys()
    for name, gradient in one.items():
        scale = max(1.0, float(gradient.abs().max()))
        assert (gradient - many[name]).abs().max() < 1e-6 * scale, name


def test_a_coupled_batch_is_not_split(
    objective: Objective, samples: Samples, spec: Spec, new_learner: NewLearner
) -> None:
    if not objective.couples_batch:
        return
    part = posed(objective, samples, spec)
    with pytest.raises(ValueError, match="cannot be accumulated"):
        gradients(new_learner(), [part, part])


def test_every_part_is_trained(objective: Objective, samples: Samples, spec: Spec, new_learner: NewLearner) -> None:
    learner = new_learner()
    found = gradients(learner, [posed(objective, samples, spec)])
    frozen = {name for name, parameter in learner.named_parameters() if not parameter.requires_grad}
    untouched = dict(learner.named_parameters()).keys() - found.keys() - frozen
    assert not untouched
    own = [gradient for name, gradient in found.items() if name.startswith("heads.")]  # a tied weight is the backbone's
    assert not own or any(gradient.abs().sum() > 0 for gradient in own)


def test_the_loss_falls(objective: Objective, samples: Samples, spec: Spec, new_learner: NewLearner) -> None:
    learner = new_learner()
    batch = posed(objective, samples, spec)

    def again(_: int) -> Iterator[Batch]:
        while True:
            yield batch

    losses = [r.loss for r in train(learner, again, adamw(learner, 4e-3), Schedule(steps=30), seed=0)]
    assert losses[-1] < 0.9 * losses[0]


def test_a_checkpoint_restores_everything(
    objective: Objective, samples: Samples, spec: Spec, new_learner: NewLearner, tmp_path: Path
) -> None:
    learner, run, batch = new_learner(), Run(tmp_path / "run"), posed(objective, samples, spec)
    optimizer = adamw(learner, 1e-3)
    steps = train(learner, lambda _: iter([batch] * 4), optimizer, Schedule(steps=4), seed=0)
    next(steps)
    run.save_checkpoint(learner, optimizer, Progress(1, 8, 0.5), {})

    other = new_learner()
    moments = adamw(other, 1e-3)
    found = run.load_checkpoint(other, moments)
    assert found is not None
    assert found.progress == Progress(1, 8, 0.5)
    assert same(dict(learner.state_dict()), dict(other.state_dict()))
    resumed = train(other, lambda _: iter([batch] * 4), moments, Schedule(steps=4), seed=0, start=found.progress)
    assert next(steps).loss == next(resumed).loss
    assert same(dict(learner.state_dict()), dict(other.state_dict()))


@dataclasses.dataclass(frozen=True)
class Taken:
    """Samples as a source."""

    whole: Batch
    count: int

    def __len__(self) -> int:
        return self.count

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        return {name: tensor[torch.from_numpy(indices)] for name, tensor in self.whole.items()}


def test_a_step_costs_what_was_announced(
    objective: Objective, samples: Samples, spec: Spec, new_learner: NewLearner
) -> None:
    """A few rows are counted beforehand, and all of those that are computed then."""
    batches = Batches(Taken(samples.take(slice(None)), samples.count), objective, spec, samples.count, seed=0)
    learner = new_learner()
    announced = step_cost(learner, batches)
    with counting() as counter:
        next(train(learner, batches.starting, adamw(learner, 1e-3), Schedule(steps=1), seed=0))
    assert announced.flops == pytest.approx(counter.get_total_flops(), rel=0.05)
    assert announced.kept == pytest.approx(cost_of(learner, batches.at(0)).kept, rel=0.1)
