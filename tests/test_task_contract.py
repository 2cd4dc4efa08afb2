"""What every task must keep to beside the contract of objectives; a new file in ``tasks/`` is found here by itself.

Its examples are those of its own standard file, ``tests/tasks/files/TASK.*``.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selftaught import lookup
from selftaught.backbones.hf import TextBackbone, text_backbone
from selftaught.data.examples import Columns
from selftaught.data.processor import Processor
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.answering import task_learner
from selftaught.finetuning.learner import answers
from selftaught.finetuning.saved_task import save_task, saved_task
from selftaught.flamingo.folder import save_network
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.pretrained import head_parts, open_pretrained
from selftaught.task import Answer, Task

from .tasks.samples import TASKS, examples_of, file_of, posed_by

Kind = type[Task[Any]]


@pytest.fixture(params=TASKS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def reader(kind: Kind, tokenizer: TextTokenizer) -> TextTokenizer:
    """One that reads pictures too where the task does."""
    return Processor(tokenizer.backend, tokenizer.specials, 16, 3) if kind.reads_pictures else tokenizer


@pytest.fixture
def learner(
    kind: Kind,
    reader: TextTokenizer,
    small_network: Callable[[TextTokenizer], TextBackbone],
    small_decoder: Callable[[TextTokenizer], TextBackbone],
    small_flamingo: Callable[[TextTokenizer], TextBackbone],
) -> Learner:
    torch.manual_seed(0)
    task = posed_by(kind)
    blind = small_decoder if task.architecture == "decoder" else small_network
    network = small_flamingo if task.reads_pictures else blind
    return Learner({"text": network(reader)}, task, Spec(text=reader.spec())).eval()


def test_every_row_is_an_example_or_is_named(kind: Kind) -> None:
    found = kind.read(file_of(kind), Columns())
    assert found.examples
    assert found.tally.kept == len(found.examples)
    assert found.tally.rows == found.tally.kept + len(found.tally.records)
    assert file_of(kind).name in found.description
    for example in found.examples:
        assert example.file == str(file_of(kind))
        assert example.line >= 1
        assert all(isinstance(text, str) and text for text in example.inputs.values())
    assert hash(found.examples) is not None


def test_an_empty_file_is_a_clear_error(kind: Kind, tmp_path: Path) -> None:
    empty = tmp_path / file_of(kind).name
    empty.write_text("", encoding="utf-8")
    with pytest.raises(SelftaughtError) as caught:
        kind.read(empty, Columns())
    assert empty.name in str(caught.value)


def test_the_inputs_are_read_without_the_targets(kind: Kind) -> None:
    asked = kind.read(file_of(kind), Columns(), labelled=False)
    assert [one.inputs for one in asked.examples] == [one.inputs for one in examples_of(kind)]
    assert len({dataclasses.replace(one, file="", line=0) for one in asked.examples}) == len(
        {tuple(one.inputs.values()) for one in asked.examples}
    ), "two examples with the same inputs differ in something that can only be a target"


def test_texts_on_the_command_line_are_examples(kind: Kind) -> None:
    first = examples_of(kind)[0]
    (asked,) = posed_by(kind).asked(list(first.inputs.values()))
    assert asked.inputs == first.inputs


def test_no_batch_without_targets_depends_on_them(kind: Kind, reader: TextTokenizer) -> None:
    task = posed_by(kind)
    labelled = examples_of(kind)[:8]
    blank = kind.read(file_of(kind), Columns(), labelled=False).examples[:8]
    one, other = (task.encode(some, reader, 64, labelled=False) for some in (labelled, blank))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    assert task.encode(labelled, reader, 64, labelled=True).keys() > one.keys()


def test_a_row_is_no_longer_than_it_may_be(kind: Kind, reader: TextTokenizer) -> None:
    batch = posed_by(kind).encode(examples_of(kind), reader, 24, labelled=True)
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    assert batch["input_ids"].shape[1] <= 24
    assert batch["attention_mask"].any(1).all()


def test_each_example_has_one_answer_in_json_whatever_it_is_asked_with(
    kind: Kind, learner: Learner, reader: TextTokenizer
) -> None:
    examples = examples_of(kind)[:9]
    together = answers(learner, reader, examples)
    assert len(together) == len(examples)
    assert json.loads(json.dumps(together)) == together
    assert all(together)
    for example, answer in zip(examples[:3], together, strict=False):
        (alone,) = answers(learner, reader, [example])
        assert alike(alone, answer)


def alike(one: Any, other: Any) -> bool:
    """Equal but for the rounding that padding brings along."""
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-4)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def test_answers_are_measured_in_finite_numbers(kind: Kind, learner: Learner, reader: TextTokenizer) -> None:
    task, examples = posed_by(kind), examples_of(kind)
    measures = task.measure(examples, answers(learner, reader, examples))
    assert measures
    assert all(isinstance(value, float) and math.isfinite(value) for value in measures.values())


def test_the_baselines_answer_everything_and_are_measured(kind: Kind) -> None:
    task, examples = posed_by(kind), examples_of(kind)
    half = len(examples) // 2
    found: dict[str, list[Answer]] = task.baselines(examples[:half], examples[half:], seed=1)
    assert len(found) >= 2
    for said in found.values():
        assert len(said) == len(examples) - half
        assert all(math.isfinite(value) for value in task.measure(examples[half:], said).values())
    assert task.baselines(examples[:half], examples[half:], seed=1) == found


def test_a_baseline_can_do_with_eight_examples_a_class(kind: Kind) -> None:
    task, examples = posed_by(kind), examples_of(kind)
    few: dict[str, list[Any]] = {}
    for example, stratum in zip(examples, task.strata(examples), strict=True):
        few.setdefault(stratum, []).append(example)
    chosen = [example for some in few.values() for example in some[:8]]
    assert all(len(said) == 4 for said in task.baselines(chosen, examples[-4:], seed=0).values())


def test_what_is_told_of_the_targets_can_be_written(kind: Kind) -> None:
    task, examples = posed_by(kind), examples_of(kind)
    facts = task.facts(examples)
    assert json.loads(json.dumps(facts)) == facts
    assert all(isinstance(number, int | float) for values in facts.values() for number in values.values())
    assert len(task.strata(examples)) == len(examples)
    assert task.unknown(examples) == []


def test_a_task_is_saved_with_its_model_and_opened_again(
    kind: Kind, learner: Learner, reader: TextTokenizer, tmp_path: Path
) -> None:
    task, examples = posed_by(kind), examples_of(kind)[:5]
    save_network(tmp_path, text_backbone(learner.backbones), learner.heads)
    save_task(tmp_path, task.name, task)
    reader.save(tmp_path, 64)
    again = open_pretrained(tmp_path)
    assert saved_task(again) == task
    if not head_parts(learner.heads, text_backbone(learner.backbones)):  # else a run keeps them beside the model
        assert answers(task_learner(again, task), again.tokenizer, examples) == answers(learner, reader, examples)


def test_an_option_that_the_labels_decide_cannot_be_set(kind: Kind) -> None:
    decided = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    for name in decided:
        with pytest.raises(SelftaughtError, match="cannot be set"):
            lookup.make_task(posed_by(kind).name, examples_of(kind), {name: getattr(posed_by(kind), name)})
    assert lookup.make_task(posed_by(kind).name, examples_of(kind), {}) == posed_by(kind)
