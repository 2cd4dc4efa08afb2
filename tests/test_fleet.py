"""Several processes that train together do what one with all their rows would do, whatever the objective."""

import pickle
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from selftaught import lookup
from selftaught.backbones.presets import ConvSize
from selftaught.backbones.vision import IMAGE, new_picture_backbone
from selftaught.fleet import Fleet, sharded, unsharded
from selftaught.loop import Learner, train
from selftaught.objective import Objective, Spec, Sum
from selftaught.objectives.clip import Clip
from selftaught.objectives.mlm import MLM
from selftaught.objectives.nsp import NSP
from selftaught.objectives.simcse import SimCSE
from selftaught.pictures.classifying import ClassifyPictures
from selftaught.ranks import place, world
from selftaught.schedule import Schedule

from .joined import in_processes
from .tasks.samples import TASKS, posed_by
from .test_contract import Samples, learner_for, posed, samples_for, seeded

KINDS = [lookup.find(name, lookup.OBJECTIVES) for name in lookup.names(lookup.OBJECTIVES)]
RANKS, STEPS = 2, 2


@dataclass(frozen=True)
class Lesson:
    """An objective with what it is asked about, and the learner that all begin with."""

    objective: Objective
    samples: Samples
    spec: Spec
    learner: Learner

    def taught(self, wrap: Any = lambda learner: learner) -> dict[str, Any]:
        """The losses, and gradients and buffers of the last of two steps, of this process' share of the rows."""
        learner = wrap(copied(self.learner))
        fleet, optimizer = Fleet(learner), torch.optim.SGD(learner.parameters(), lr=0.05)
        size = self.samples.count // RANKS * RANKS // world()
        rows = slice(place() * size, (place() + 1) * size)
        asked = [posed(self.objective, self.samples, self.spec, epoch=epoch, rows=rows) for epoch in range(STEPS)]
        gradients: dict[str, Tensor] = {}

        def keep(*_: Any) -> None:
            for name, parameter in learner.named_parameters():
                if parameter.grad is not None:
                    gradients[name] = unsharded(parameter.grad).float().clone()

        optimizer.register_step_pre_hook(keep)
        steps = train(learner, lambda _: iter(asked), optimizer, Schedule(steps=STEPS), seed=0, clip=1e9, fleet=fleet)
        losses = [report.loss for report in steps]
        buffers = {name: unsharded(buffer).float() for name, buffer in learner.named_buffers()}
        return {"losses": losses, "gradients": gradients, "buffers": buffers}


def copied(learner: Learner) -> Learner:
    """With a teacher of its own as well, which copies share otherwise."""
    return pickle.loads(pickle.dumps(learner))


def questions(request: pytest.FixtureRequest) -> dict[str, Lesson]:
    """Every objective and every task there is, a sum, and a loss with a bias."""
    asked: list[Objective] = [kind() for kind in KINDS]
    asked += [posed_by(kind) for kind in TASKS]
    asked += [Sum((MLM(), NSP())), Clip(kind="sigmoid")]
    found = {}
    for objective in asked:
        if isinstance(objective, SimCSE):
            objective = replace(objective, dropout=1e-12)  # what is dropped depends on the rows a process has
        learner = seeded(learner_for(objective, request))
        name = objective.name + getattr(objective, "kind", "")
        found[name] = Lesson(objective, samples_for(objective, request), request.getfixturevalue("spec"), learner)
    return found | {"classes of pictures": classes_of_pictures(request)}


def classes_of_pictures(request: pytest.FixtureRequest) -> Lesson:
    """A network of convolutions, which normalises over the batch, and its head."""
    seen, spec = request.getfixturevalue("pictures")["pixels"], request.getfixturevalue("spec")
    objective, label = ClassifyPictures(("light", "dark"), flip=0.0), torch.arange(8) % 2
    size = ConvSize(depths=(1, 1), widths=(16, 32), group=16)
    learner = seeded(lambda: Learner({IMAGE: new_picture_backbone(size, 16)}, objective, spec))
    samples = Samples(8, lambda rows: {"pixels": seen[rows].clone(), "label": label[rows]})
    return Lesson(objective, samples, spec, learner)


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where they are not the same but for rounding."""
    found = [] if other["losses"] == pytest.approx(one["losses"], rel=1e-4) else [f"{one['losses']} {other['losses']}"]
    for part in ("gradients", "buffers"):
        if one[part].keys() != other[part].keys():
            found.append(f"{part} of {one[part].keys() ^ other[part].keys()}")
        scale = max((float(value.abs().max()) for value in one[part].values()), default=0.0)  # some are all but zero
        for name in one[part].keys() & other[part].keys():
            if not torch.allclose(one[part][name], other[part][name], rtol=1e-3, atol=1e-5 * scale):
                found.append(f"{part} {name} {(one[part][name] - other[part][name]).abs().max()} of {scale}")
    return found


def test_two_processes_are_one_with_both_batches(request: pytest.FixtureRequest) -> None:
    lessons = questions(request)

    def both_ways() -> dict[str, Any]:
        return {name: [lesson.taught(), lesson.taught(sharded)] for name, lesson in lessons.items()}

    first, second = in_processes(both_ways, RANKS)
    wrong: dict[str, Any] = {}
    for name, lesson in lessons.items():
        whole = lesson.taught()
        for way, ranks in zip(("DDP", "FSDP2"), zip(first[name], second[name], strict=True), strict=True):
            if found := [different for one in ranks for different in differences(whole, one)]:
                wrong[f"{name}, {way}"] = found[:3]
    assert not wrong
