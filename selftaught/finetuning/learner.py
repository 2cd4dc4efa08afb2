"""Fine-tuning on labelled examples: the network and a task's head above it, trained together on few labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from selftaught.backbones.heads import fresh_weights
from selftaught.backbones.hf import TextBackbone, text_backbone
from selftaught.backbones.teacher import Teacher
from selftaught.data.examples import whole_text
from selftaught.data.loader import Batches
from selftaught.data.tokenise import TextTokenizer
from selftaught.finetuning.imitation import Imitate
from selftaught.finetuning.stopping import train_to_best
from selftaught.loop import Learner, evaluate, to_device, train
from selftaught.metrics.sampling import split_train_test
from selftaught.objective import Batch, Spec
from selftaught.optim import adamw
from selftaught.plan import default_rate
from selftaught.randomness import Randomness, derive
from selftaught.schedule import Schedule
from selftaught.task import Answer, Task

VALIDATION_SHARE = 0.15  # of the labels, set aside to know when to stop
LEAST_TO_SPLIT = 200  # with fewer, a score on 15 % of them is noise, and each label is worth more in training
BATCH = 32
CHECKS = 12  # on what is set aside, over a run
_ANSWERED_AT_ONCE, _LONG_ONES_AT_ONCE = 64, 16  # the latter where each may be several rows
_LEAST_STEPS, _MOST_STEPS, _EPOCHS = 150, 3000, 15
_GUESSED_EPOCHS = 3  # of labels that were not given but arrived: more of them are no better (docs/lab.md)
_CHECKPOINT_RATE = 5e-5  # for networks that others pretrained (Devlin et al. 2019, appendix A.3)


@dataclass(frozen=True)
class TaskSamples:
    """Labelled examples as a source of samples.

    Args:
        longest: the most tokens a row.
    """

    task: Task[Any]
    examples: Sequence[Any]
    tokenizer: TextTokenizer
    longest: int

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """The batch that the task makes of these examples, with their targets."""
        return self.task.encode([self.examples[i] for i in indices], self.tokenizer, self.longest, labelled=True)


def longest_row(task: Task[Any], backbone: TextBackbone) -> int:
    """The most tokens of a row that the task wants and the network takes."""
    return min(task.longest, backbone.longest_row)


def finetuning_rate(backbone: TextBackbone, ours: bool) -> float:
    """The peak rate: a fraction of the pretraining rate for networks of ours, 5e-5 for those of others."""
    return default_rate(backbone.width, trained=False) / 4 if ours else _CHECKPOINT_RATE


def finetuning_steps(rows: int, batch: int, *, guessed: bool = False) -> int:
    """Fifteen epochs, three where most labels are guessed, within limits that suit ten rows and a hundred thousand."""
    epochs = _GUESSED_EPOCHS if guessed else _EPOCHS
    return int(min(max(epochs * rows / batch, _LEAST_STEPS), _MOST_STEPS))


def hold_out_examples(task: Task[Any], examples: Sequence[Any], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Examples to train on and to stop by; the latter are none where there are too few to spare any."""
    if len(examples) < LEAST_TO_SPLIT:
        return np.arange(len(examples)), np.arange(0)
    return split_train_test(task.kin(examples), task.strata(examples), VALIDATION_SHARE, seed)


def task_of(learner: Learner) -> Task[Any]:
    """The task that a learner learns."""
    task = learner.objective
    assert isinstance(task, Task)
    return task


@torch.no_grad()
def answers(learner: Learner, tokenizer: TextTokenizer, examples: Sequence[Any]) -> list[Answer]:
    """The task's answer to each example, in order; it is not shown the targets."""
    learner.eval()
    task = task_of(learner)
    longest = longest_row(task, text_backbone(learner.backbones))
    found: list[Answer] = [{}] * len(examples)
    order = sorted(range(len(examples)), key=lambda i: len(whole_text(examples[i])))
    at_once = _ANSWERED_AT_ONCE if task.cuts else _LONG_ONES_AT_ONCE
    for begin in range(0, len(order), at_once):
        places = order[begin : begin + at_once]
        batch = task.encode([examples[i] for i in places], tokenizer, longest, labelled=False)
        batch = to_device(batch, learner.device)
        with learner.autocast():
            said = task.predict(learner.features(batch), learner.heads, batch)
        for place, answer in zip(places, task.spelled(said, tokenizer), strict=True):
            found[place] = answer
    return found


@dataclass(frozen=True)
class Finetuning:
    """A task to be learned: the learner, the examples to train on, and those to stop by.

    Args:
        learner: the network and the task's head, as they answer.
        trained: the learner that is trained; another one where both learn from a teacher.
        steps: how many suit this number of examples.
        stop: examples that are not trained on; none if there are too few.
    """

    learner: Learner
    trained: Learner
    samples: TaskSamples
    steps: int
    stop: tuple[Any, ...]
    seed: int

    @property
    def fresh_weights(self) -> list[str]:
        """The head's weights that no checkpoint gave."""
        return fresh_weights(self.learner.heads)

    def batches(self, size: int, workers: int = 0) -> Batches:
        return Batches(self.samples, self.trained.objective, Spec(), size, self.seed, workers)

    def stopping_measures(self) -> dict[str, float]:
        """All of the task's measures on the examples to stop by; the first is what decides.

        Of a task that stops by it, ``likelihood``: the geometric mean of the probabilities of the targets.
        """
        if not self.samples.task.stops_by_likelihood:
            return self.measures(self.stop)
        held = replace(self.samples, examples=self.stop)
        parts = np.array_split(np.arange(len(held)), math.ceil(len(held) / BATCH))
        return {"likelihood": math.exp(-evaluate(self.learner, map(self._posed, [held] * len(parts), parts))["loss"])}

    def measures(self, examples: Sequence[Any]) -> dict[str, float]:
        """All of the task's measures on these examples."""
        return self.samples.task.measure(examples, answers(self.learner, self.samples.tokenizer, examples))

    def _posed(self, samples: TaskSamples, rows: np.ndarray) -> Batch:
        epochs = np.zeros_like(rows)
        rng = Randomness.of(self.seed, torch.from_numpy(epochs), torch.from_numpy(rows))
        return samples.task.pretext(samples.take(rows, epochs), Spec(), rng)


def prepare_learner(
    backbone: TextBackbone,
    tokenizer: TextTokenizer,
    task: Task[Any],
    examples: Sequence[Any],
    *,
    seed: int,
    precision: str,
    teacher: Teacher | None = None,
    more: Sequence[Any] = (),
) -> Finetuning:
    """The task's head above ``backbone``, to be trained on these examples, some set aside to stop by.

    Args:
        teacher: has learned the task already; it is then imitated.
        more: further examples to train on, none of which is set aside.
    """
    fit, stop = hold_out_examples(task, examples, seed)
    torch.manual_seed(derive("finetune", seed))
    learner = trained = Learner({"text": backbone}, task, Spec(), precision)
    if teacher is not None:
        trained = Learner({"text": backbone, "teacher": teacher}, Imitate(task), Spec(), precision)
        learner.heads = trained.heads.get_submodule("answers")
    trained.to(next(backbone.parameters()).device)
    networks = [backbone] if teacher is None else [backbone, teacher.backbone]
    longest = min(longest_row(task, network) for network in networks)
    samples = TaskSamples(task, [*(examples[i] for i in fit), *more], tokenizer, longest)
    steps = finetuning_steps(len(samples), BATCH, guessed=bool(more))
    return Finetuning(learner, trained, samples, steps, tuple(examples[i] for i in stop), seed)


def finetune_quickly(
    backbone: TextBackbone,
    tokenizer: TextTokenizer,
    task: Task[Any],
    examples: Sequence[Any],
    *,
    seed: int,
    rate: float,
    precision: str,
) -> Learner:
    """Fine-tune in memory, without a run folder: what the verdict does many times.

    The weights of the check with the best first measure on examples set aside are kept; where there are too few to set
    aside any, those of the last step.
    """
    made = prepare_learner(backbone, tokenizer, task, examples, seed=seed, precision=precision)
    schedule = Schedule(steps=made.steps)
    train_to_best(
        made.learner,
        train(made.learner, made.batches(BATCH).starting, adamw(made.learner, rate), schedule, seed=seed),
        every=max(made.steps // CHECKS, 10),
        measures=made.stopping_measures if made.stop else None,
        patience=task.patience,
    )
    return made.learner
