"""Fine-tuning on labelled texts: the network and a classifier above it, trained together on few labels."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from selftaught.backbones.hf import ClassificationHead, TextBackbone
from selftaught.data.loader import Batches
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner, to_device, train
from selftaught.metrics.sampling import split_train_test
from selftaught.objective import Batch, Spec, Task
from selftaught.optim import adamw
from selftaught.plan import default_rate
from selftaught.randomness import derive
from selftaught.schedule import Schedule
from selftaught.tasks.classify import Classify

VALIDATION_SHARE = 0.15  # of the labels, set aside to know when to stop
LEAST_TO_SPLIT = 200  # with fewer, a score on 15 % of them is noise, and each label is worth more in training
BATCH = 32
PATIENCE = 4  # checks without a better score
_LEAST_STEPS, _MOST_STEPS, _EPOCHS = 150, 3000, 15
_CHECKPOINT_RATE = 5e-5  # for networks that others pretrained (Devlin et al. 2019, appendix A.3)
_MOST_WEIGHT = 10.0


@dataclass(frozen=True)
class LabelledRows:
    """Labelled texts as a source of samples.

    Args:
        texts, labels: [N]; labels as indices of the classes.
        longest: the most tokens a row.
    """

    texts: Sequence[str]
    labels: Sequence[int]
    tokenizer: TextTokenizer
    longest: int

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        """``input_ids`` and ``attention_mask`` [B, T], ``label`` [B]; T is the longest of these rows."""
        batch: Batch = dict(self.tokenizer.batch([self.texts[i] for i in indices], self.longest))
        batch["label"] = torch.tensor([self.labels[i] for i in indices])
        return batch


def class_weights(labels: Sequence[str], classes: Sequence[str]) -> tuple[float, ...]:
    """Weights inverse to the classes' frequencies, at most 10; none if the frequencies are alike."""
    counts = Counter(labels)
    weights = [min(_MOST_WEIGHT, len(labels) / (len(classes) * counts[name])) for name in classes]
    return tuple(weights) if max(weights) > 1.5 * min(weights) else ()


def finetuning_rate(backbone: TextBackbone, ours: bool) -> float:
    """The peak rate: a fraction of the pretraining rate for networks of ours, 5e-5 for those of others."""
    return default_rate(backbone.width, trained=False) / 4 if ours else _CHECKPOINT_RATE


def finetuning_steps(rows: int, batch: int) -> int:
    """Fifteen epochs, within limits that suit ten labels and a hundred thousand."""
    return int(min(max(_EPOCHS * rows / batch, _LEAST_STEPS), _MOST_STEPS))


def hold_out_labels(texts: Sequence[str], labels: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to stop by; the latter are none where labels are too few to spare any."""
    if len(texts) < LEAST_TO_SPLIT:
        return np.arange(len(texts)), np.arange(0)
    return split_train_test(texts, labels, VALIDATION_SHARE, seed)


@torch.no_grad()
def answers(learner: Learner, tokenizer: TextTokenizer, texts: Sequence[str], longest: int) -> list[dict[str, Any]]:
    """The task's answer to each text, in order."""
    learner.eval()
    task = learner.objective
    assert isinstance(task, Task)
    found: list[dict[str, Any]] = [{}] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for begin in range(0, len(order), 64):
        places = order[begin : begin + 64]
        batch = to_device(dict(tokenizer.batch([texts[i] for i in places], longest)), learner.device)
        with learner.autocast():
            said = task.predict(learner.features(batch), learner.heads, batch)
        for place, answer in zip(places, said, strict=True):
            found[place] = answer
    return found


@dataclass
class Best:
    """The best weights so far by a held-out score, and how long there has been no better one."""

    score: float = -1.0
    stale: int = 0

    def see(self, score: float) -> bool:
        """Whether this is a new best."""
        better = score > self.score
        self.score, self.stale = (score, 0) if better else (self.score, self.stale + 1)
        return better


def finetune_quickly(
    backbone: TextBackbone,
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int,
    rate: float,
    precision: str,
    longest: int,
) -> Learner:
    """Fine-tune in memory, without a run folder: what the verdict does many times.

    The weights of the check with the best macro-F1 on labels set aside are kept; where labels are too few to set
    aside any, those of the last step.
    """
    made = labelled_learner(backbone, tokenizer, texts, labels, seed=seed, precision=precision, longest=longest)
    best, kept = Best(), None
    every = max(made.steps // 12, 10)
    schedule = Schedule(steps=made.steps)
    for report in train(made.learner, made.batches(BATCH).starting, adamw(made.learner, rate), schedule, seed=seed):
        if not made.stop_texts or report.progress.step % every:
            continue
        if best.see(made.stopping_score()):
            kept = {name: tensor.clone() for name, tensor in made.learner.state_dict().items()}
        if best.stale >= PATIENCE:
            break
    if kept is not None:
        made.learner.load_state_dict(kept)
    return made.learner


@dataclass(frozen=True)
class Finetuning:
    """A classifier to be trained: the learner, the rows to train on, and those to stop by.

    Args:
        steps: how many suit this number of rows.
        stop_texts, stop_labels: labelled rows that are not trained on; none if labels are too few.
    """

    learner: Learner
    rows: LabelledRows
    steps: int
    stop_texts: tuple[str, ...]
    stop_labels: tuple[str, ...]
    seed: int

    @property
    def fresh_weights(self) -> list[str]:
        """The classifier's weights that no checkpoint gave."""
        head = self.learner.heads
        assert isinstance(head, ClassificationHead)
        return head.fresh

    def batches(self, size: int, workers: int = 0) -> Batches:
        return Batches(self.rows, self.learner.objective, Spec(), size, self.seed, workers)

    def stopping_score(self) -> float:
        """The task's first measure on the rows to stop by."""
        return next(iter(self.stopping_measures().values()))

    def stopping_measures(self) -> dict[str, float]:
        """All of the task's measures on the rows to stop by."""
        task = self.learner.objective
        assert isinstance(task, Task)
        said = answers(self.learner, self.rows.tokenizer, self.stop_texts, self.rows.longest)
        return task.measure(list(self.stop_labels), said)


def labelled_learner(
    backbone: TextBackbone,
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int,
    precision: str,
    longest: int,
    task: Callable[..., Task] = Classify,
) -> Finetuning:
    """A classifier above ``backbone`` for these labels, the rare ones weighted up, some rows set aside to stop by.

    Args:
        task: makes the task from ``classes`` and ``weights``.
    """
    classes = tuple(sorted(set(labels)))
    fit_rows, stop_rows = hold_out_labels(texts, labels, seed)
    torch.manual_seed(derive("finetune", seed))
    learner = Learner(
        {"text": backbone}, task(classes=classes, weights=class_weights(labels, classes)), Spec(), precision
    )
    learner.to(next(backbone.parameters()).device)
    codes = [classes.index(labels[i]) for i in fit_rows]
    rows = LabelledRows([texts[i] for i in fit_rows], codes, tokenizer, longest)
    return Finetuning(
        learner,
        rows,
        finetuning_steps(len(rows), BATCH),
        tuple(texts[i] for i in stop_rows),
        tuple(labels[i] for i in stop_rows),
        seed,
    )
