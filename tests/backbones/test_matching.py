"""The layer losses, by values computed by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from transformers import GPTNeoXConfig

from selftaught.backbones.hf import TextBackbone, backbone_from_config
from selftaught.backbones.insides import insides
from selftaught.backbones.matching import Matching, answer_distance, relation_distance, state_distance, uniform_map
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch

NewBackbone = Callable[[TextTokenizer], TextBackbone]
ALL = torch.ones(1, 2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("student", "teacher", "layers"),
    [(4, 12, (3, 6, 9, 12)), (2, 4, (2, 4)), (3, 3, (1, 2, 3)), (4, 6, (2, 3, 5, 6)), (4, 2, (1, 1, 2, 2))],
)
def test_layers_are_spread_evenly_and_the_last_learns_from_the_last(
    student: int, teacher: int, layers: tuple[int, ...]
) -> None:
    assert uniform_map(student, teacher) == layers


def test_states_are_compared_by_their_mean_squared_difference_token_by_token() -> None:
    guess, target = torch.zeros(1, 2, 4), torch.tensor([[[1.0, 1.0, 1.0, 1.0], [2.0, 0.0, 0.0, 0.0]]])
    assert state_distance(guess, target, ALL) == 1 + 1
    assert state_distance(guess, target, torch.tensor([[True, False]])) == 1


def test_relations_by_hand() -> None:
    """Tokens (1, 0) and (0, 1) in the teacher, two that are alike in the student: each half of what it looks at."""
    teacher, student = torch.eye(2)[None], torch.ones(1, 2, 2)
    visible = torch.ones(1, 2, 2, dtype=torch.bool)
    own = 1 / (1 + math.exp(-1 / math.sqrt(2)))  # softmax of (1 / sqrt 2, 0)
    expected = own * math.log(own / 0.5) + (1 - own) * math.log((1 - own) / 0.5)
    found = relation_distance(student, teacher, 1, visible, ALL)
    assert float(found) == pytest.approx(2 * expected, rel=1e-5)


def test_relations_do_not_depend_on_widths() -> None:
    torch.manual_seed(0)
    student = torch.randn(1, 5, 2)
    teacher = torch.cat([student, student], -1) * 2**-0.25  # twice the product, over twice the width's root
    seen, real = torch.ones(1, 5, 5, dtype=torch.bool), torch.ones(1, 5, dtype=torch.bool)
    assert float(relation_distance(student, teacher, 1, seen, real)) == pytest.approx(0, abs=1e-6)
    assert float(relation_distance(student, torch.randn(1, 5, 4), 1, seen, real)) > 0.01


def test_answers_by_hand() -> None:
    teacher, student = torch.tensor([[math.log(3.0), 0.0]]), torch.zeros(1, 2)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert float(answer_distance(student, teacher)) == pytest.approx(expected, rel=1e-5)
    warm = 3**0.5 / (1 + 3**0.5)
    expected = 4 * (warm * math.log(2 * warm) + (1 - warm) * math.log(2 - 2 * warm))
    assert float(answer_distance(student, teacher, temperature=2.0)) == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_what_stands_in_other_documents_and_in_padding_does_not_count(
    tokenizer: TextTokenizer, small_network: NewBackbone, packed: Batch
) -> None:
    student, teacher = small_network(tokenizer).eval(), small_network(tokenizer).eval()
    matching = Matching(student, teacher)
    row = {name: packed[name][:1] for name in ("input_ids", "segments")}
    first = int((row["segments"] == 0).sum())
    alone = {"input_ids": row["input_ids"][:, :first]}
    rest = {"input_ids": row["input_ids"][:, first:], "segments": row["segments"][:, first:]}
    padded = {
        "input_ids": torch.cat([alone["input_ids"], torch.zeros(1, 5, dtype=torch.long)], 1),
        "attention_mask": torch.arange(first + 5)[None] < first,
    }
    whole, parts, with_padding = (
        [matching(insides(student, batch), insides(teacher, batch), batch) for batch in batches]
        for batches in ([row], [alone, rest], [padded])
    )
    for name, value in whole[0].items():
        assert float(value) == pytest.approx(float(sum(part[name] for part in parts)), rel=1e-4)
        assert float(with_padding[0][name]) == pytest.approx(float(parts[0][name]), rel=1e-4)


@torch.no_grad()
def test_a_student_that_says_nothing_is_one_away(
    tokenizer: TextTokenizer, small_network: NewBackbone, packed: Batch
) -> None:
    student, teacher = small_network(tokenizer).eval(), small_network(tokenizer).eval()
    matching = Matching(student, teacher)
    for parameter in matching.parameters():
        parameter.zero_()
    found = matching(insides(student, packed), insides(teacher, packed), packed)
    assert float(found["hidden"]) / packed["input_ids"].numel() == pytest.approx(1, abs=1e-3)
    assert float(found["embedding"]) / packed["input_ids"].numel() == pytest.approx(1, abs=1e-3)


def test_a_layer_may_be_left_free_but_not_mapped_to_none(tokenizer: TextTokenizer, small_network: NewBackbone) -> None:
    student, teacher = small_network(tokenizer), small_network(tokenizer)
    assert Matching(student, teacher, (0, 2)).pairs == [(0, 0), (2, 2)]
    for wrong in ((1,), (1, 3), (-1, 2)):
        with pytest.raises(SelftaughtError, match="does not fit"):
            Matching(student, teacher, wrong)


def test_attention_that_is_not_shown_is_told_and_can_be_left_out(
    tokenizer: TextTokenizer, small_network: NewBackbone
) -> None:
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    teacher = backbone_from_config(GPTNeoXConfig(vocab_size=tokenizer.vocab_size, **shape))
    with pytest.raises(SelftaughtError, match="cannot be matched"):
        Matching(small_network(tokenizer), teacher)
    batch = {"input_ids": torch.arange(6)[None]}
    student = small_network(tokenizer)
    found = Matching(student, teacher, attention=False)(insides(student, batch), insides(teacher, batch), batch)
    assert found["attention"] == 0
