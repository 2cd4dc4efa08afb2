"""The task stage of distillation: answers are learned from a teacher, whatever the labels say."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from selftaught.backbones.heads import ClassificationHead
from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.teacher import Teacher, classifying_teacher
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.imitation import Imitate
from selftaught.loop import Learner, divide, flatten
from selftaught.objective import Batch, Spec
from selftaught.randomness import Randomness
from selftaught.task import Task
from selftaught.tasks.classify import Classify
from selftaught.tasks.pair import Pair
from selftaught.tasks.regress import Regress

NewBackbone = Callable[[TextTokenizer], TextBackbone]
CLASSES = ("near", "far", "elsewhere")


def ask(task: Task[Any], samples: Batch, rows: slice = slice(None)) -> Batch:
    chosen = {name: tensor[rows] for name, tensor in samples.items()}
    indices = torch.arange(len(samples["input_ids"]))[rows]
    return {**Imitate(task).pretext(chosen, Spec(), Randomness.of(0, indices * 0, indices)), "size": len(indices)}


@pytest.fixture
def new(tokenizer: TextTokenizer, small_network: NewBackbone) -> Callable[..., Learner]:
    """Makes a learner whose teacher knows ``classes`` in this order; the same weights each time."""

    def made(task: Task[Any], classes: tuple[str, ...] = CLASSES) -> Learner:
        torch.manual_seed(0)
        network = small_network(tokenizer)
        teacher = Teacher(network, ClassificationHead.of(network, classes))
        return Learner({"text": small_network(tokenizer), "teacher": teacher}, Imitate(task), Spec())

    return made


@torch.no_grad()
def test_it_counts_tokens_and_rows_and_adds_four_means(new: Callable[..., Learner], padded: Batch) -> None:
    learner, posed = new(Classify(CLASSES)), ask(Classify(CLASSES), padded)
    assert posed["n"] == {"states": int(padded["attention_mask"].sum()), "answers": 32}
    means = divide(learner.eval()(posed), posed["n"])
    flat = flatten(means)
    states = sum(flat[f"states.{name}"] for name in ("embedding", "attention", "hidden"))
    assert float(learner.objective.total(means)) == pytest.approx(states + flat["answers.prediction"], rel=1e-6)


@torch.no_grad()
def test_rows_and_labels_do_not_change_what_is_learned(new: Callable[..., Learner], padded: Batch) -> None:
    learner = new(Classify(CLASSES)).eval()
    whole = flatten(learner(ask(Classify(CLASSES), padded)))
    others = flatten(learner(ask(Classify(CLASSES), {**padded, "label": (padded["label"] + 1) % 3})))
    halves = [flatten(learner(ask(Classify(CLASSES), padded, rows))) for rows in (slice(0, 16), slice(16, 32))]
    for name, value in whole.items():
        assert others[name] == value
        assert halves[0][name] + halves[1][name] == pytest.approx(value, rel=1e-5)


@torch.no_grad()
def test_classes_are_matched_by_name(new: Callable[..., Learner], padded: Batch) -> None:
    batch = ask(Classify(CLASSES), padded)
    answers = new(Classify(CLASSES)).features(batch).answers
    swapped = new(Classify(CLASSES), ("elsewhere", "near", "far")).features(batch).answers
    assert torch.equal(swapped, answers[:, [1, 2, 0]])  # its second logit is now that of the first class


@torch.no_grad()
def test_a_student_that_is_its_teacher_agrees_on_every_row(
    tokenizer: TextTokenizer, small_network: NewBackbone, padded: Batch
) -> None:
    network = small_network(tokenizer)
    head = ClassificationHead.of(network, CLASSES)
    learner = Learner({"text": network, "teacher": Teacher(network, head)}, Imitate(Classify(CLASSES)), Spec())
    learner.heads.get_submodule("answers").load_state_dict(head.state_dict())
    found = learner(ask(Classify(CLASSES), padded))
    assert float(found["answers"]["prediction"]) == pytest.approx(0, abs=1e-5)
    assert float(found["states"]["attention"]) == pytest.approx(0, abs=1e-3)
    assert found["answers"]["agreement"] == 32


def test_pairs_are_imitated_too(new: Callable[..., Learner], padded: Batch) -> None:
    task = Pair(classes=CLASSES)
    loss = new(task)(ask(task, padded))["answers"]["prediction"]
    assert torch.isfinite(loss)
    assert Imitate(task).untaught() == task


def test_what_cannot_be_imitated_is_told(
    new: Callable[..., Learner], tokenizer: TextTokenizer, small_network: NewBackbone
) -> None:
    with pytest.raises(SelftaughtError, match="does not know these classes: far"):
        new(Classify(CLASSES), ("near", "elsewhere"))
    with pytest.raises(SelftaughtError, match="not one class"):
        new(Regress(mean=0.0, deviation=1.0, texts=1))
    with pytest.raises(SelftaughtError, match="not one class"):
        new(Classify(CLASSES, several=True))
    with pytest.raises(SelftaughtError, match="knows no classes"):
        classifying_teacher(small_network(tokenizer))
