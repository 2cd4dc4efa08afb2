"""Next sentence and sentence order prediction: what they ask, the head they share, and their fusion with masking."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AlbertConfig,
    AlbertForPreTraining,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
)

from selftaught.backbones.heads import PairHead
from selftaught.backbones.hf import TextBackbone, backbone_from_config, load_backbone, new_backbone
from selftaught.backbones.presets import Size
from selftaught.data.corpus import prepare, tokenise_all
from selftaught.data.loader import Batches
from selftaught.data.samples import samples_of
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner, evaluate, train
from selftaught.objective import Batch, Objective, Spec, Sum
from selftaught.objectives.mlm import MLM
from selftaught.objectives.nsp import NSP
from selftaught.objectives.sop import SOP
from selftaught.optim import adamw
from selftaught.pretext.pairs import join_segments
from selftaught.pretrained import lend_heads
from selftaught.randomness import Randomness
from selftaught.schedule import Schedule
from selftaught.text.held_out import held_out_batches

NewBackbone = Callable[[TextTokenizer], TextBackbone]


def ask(objective: Objective, samples: Batch, spec: Spec, epoch: int = 0) -> Batch:
    indices = torch.arange(len(samples["input_ids"]))
    posed = objective.pretext(dict(samples), spec, Randomness.of(0, torch.full_like(indices, epoch), indices))
    return {**posed, "size": len(indices)}


def rows(samples: Batch, spec: Spec, first: int, second: int) -> torch.Tensor:
    assert spec.text is not None
    which = [first, second]
    return join_segments(samples["input_ids"][:, which], samples["attention_mask"][:, which], spec.text)["input_ids"]


@pytest.mark.parametrize(("objective", "right", "wrong"), [(NSP(), (0, 1), (0, 2)), (SOP(), (0, 1), (1, 0))])
def test_what_is_right_and_what_is_wrong(
    objective: Objective, right: tuple[int, int], wrong: tuple[int, int], segments: Batch, spec: Spec
) -> None:
    seen = set()
    for epoch in range(8):
        posed = ask(objective, segments, spec, epoch)
        for i, is_wrong in enumerate(posed["wrong"].tolist()):
            expected = rows(segments, spec, *(wrong if is_wrong else right))
            assert torch.equal(posed["input_ids"][i], expected[i])
            seen.add((i, is_wrong))
        assert posed["n"] == 8
    assert len(seen) == 16  # each sample is asked both ways, in one epoch or another


def test_half_are_wrong(segments: Batch, spec: Spec) -> None:
    samples = {name: tensor.repeat(250, 1, 1) for name, tensor in segments.items()}
    for objective in (NSP(), SOP()):
        share = ask(objective, samples, spec)["wrong"].float().mean()
        assert abs(float(share) - 0.5) < 4 * 0.5 / 2000**0.5


def test_the_loss_by_hand(spec: Spec) -> None:
    """Logits that say 3 to 1 for right."""
    head = nn.Module()
    head.forward = lambda hidden, mask, types: torch.tensor([[3.0, 1.0], [3.0, 1.0]])  # type: ignore[method-assign]
    mask = torch.ones(2, 4, dtype=torch.bool)
    batch = {"wrong": torch.tensor([0, 1]), "attention_mask": mask, "token_type_ids": (~mask).long()}
    for objective in (NSP(), SOP()):
        found = objective.loss(torch.zeros(2, 4, 8), head, batch)
        assert float(found["loss"]) == pytest.approx(2 * math.log(1 + math.exp(-2)) + 2)
        assert int(found["accuracy"]) == 1
        assert objective.chance(spec, 32) == pytest.approx(math.log(2))


def test_masking_and_pairs_share_one_pass(
    segments: Batch, spec: Spec, tokenizer: TextTokenizer, small_network: NewBackbone
) -> None:
    """The joined row is masked, though never its special tokens, whichever member is named first."""
    assert spec.text is not None
    for member in (NSP(), SOP()):
        fused = Sum((MLM(rate=0.3), member))
        assert fused.samples == "pairs"
        posed = ask(fused, segments, spec)
        (row,) = posed["streams"].values()
        alone = member.pretext(dict(segments), spec, rng_of(fused, member))
        assert torch.equal(row["wrong"], alone["wrong"])
        special = spec.text.special[alone["input_ids"]]
        hidden = row["positions"][row["answers"] >= 0]
        assert not special.flatten()[hidden].any()
        assert torch.equal(row["input_ids"][special], alone["input_ids"][special])
        assert torch.equal(alone["input_ids"].flatten()[hidden], row["answers"][row["answers"] >= 0])
        learner = Learner({"text": small_network(tokenizer)}, fused, spec)
        calls: list[int] = []
        learner.backbones["text"].register_forward_hook(lambda *_, calls=calls: calls.append(1))
        found = learner(posed)
        assert len(calls) == 1
        assert set(found) == {"mlm", member.name}
        assert fused.chance(spec, 8) == pytest.approx(math.log(int((~spec.text.special).sum())) + math.log(2))


def test_order_that_stands_in_the_text_is_learned(tmp_path: Path) -> None:
    """Days of a week about an animal, in documents that it has not seen; and from it, whether a day follows another.

    A week is a circle: no day tells by itself which segment is the first, only both together do.
    """
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    animals, verbs = ["fox", "heron", "otter", "badger", "crane"], ["ran", "hid", "sang", "slept", "ate", "drank"]
    for i in range(100):
        about = [(days[(i + n) % 7], animals[i % 5], verbs[(i * 7 + n * n) % 6]) for n in range(12)]
        place = tmp_path / ("seen" if i < 70 else "unseen")
        place.mkdir(exist_ok=True)
        text = "".join(f"On {day} the {animal} {verb} again.\n" for day, animal, verb in about)
        (place / f"{i}.txt").write_text(text, encoding="utf-8")
    corpus = prepare(tmp_path / "seen", tmp_path / "tokens", seed=0, vocab_size=300, sentences=True)
    unseen, _, _ = tokenise_all(tmp_path / "unseen", tmp_path / "asked", corpus.tokenizer, sentences=True)
    spec = Spec(text=corpus.tokenizer.spec(corpus.train.counts))
    assert spec.text is not None
    torch.manual_seed(0)
    size, ids = Size(2, 32, 16, 64, 8), {"pad_id": 0, "cls_id": spec.text.cls_id or 0, "sep_id": spec.text.sep_id or 0}
    learner = Learner({"text": new_backbone(size, spec.text.vocab_size, **ids, longest_row=64)}, SOP(), spec)
    batches = Batches(samples_of(corpus.train, "pairs", 32, 0, spec.text), SOP(), spec, 32, 0)
    for _ in train(learner, batches.starting, adamw(learner, 8e-3), Schedule(steps=200), seed=0):
        pass
    right = {}
    for question in (SOP(), NSP()):
        asked = Learner(dict(learner.backbones.items()), question, spec)
        lend_heads(asked.heads, learner.heads)
        posed = held_out_batches(unseen, question, spec, 32, seed=0)
        assert posed is not None
        right[question.name] = evaluate(asked, posed)["accuracy"]
    assert right["sop"] > 0.95
    assert right["nsp"] > 0.6


def rng_of(fused: Sum, member: Objective) -> Randomness:
    indices = torch.arange(8)
    return Randomness.of(0, indices * 0, indices).child(member.name)


SHAPE: dict[str, Any] = {
    "vocab_size": 90,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 40,
}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (BertForPreTraining(BertConfig(**SHAPE)), "seq_relationship_logits"),
        (AlbertForPreTraining(AlbertConfig(**SHAPE, embedding_size=16)), "sop_logits"),
    ],
    ids=["bert", "albert"],
)
def test_a_checkpoint_s_own_answer_is_taken(model: Any, name: str, tmp_path: Path) -> None:
    """Its pooler and its layer about two segments: the same logits as transformers', and 0 means right there too."""
    model.eval().save_pretrained(tmp_path)
    backbone = load_backbone(tmp_path).eval()
    head = PairHead(backbone).eval()
    ids, types = torch.randint(5, 90, (3, 12)), (torch.arange(12) > 6).long().expand(3, -1)
    mask = torch.ones(3, 12, dtype=torch.bool)
    with torch.no_grad():
        ours = head(backbone({"input_ids": ids, "attention_mask": mask, "token_type_ids": types}), mask, types)
        theirs = model(input_ids=ids, attention_mask=mask.long(), token_type_ids=types)[name]
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert head.fresh == []


def test_what_the_head_stands_on(tokenizer: TextTokenizer, small_network: NewBackbone) -> None:
    """Our encoder's first token sees its neighbours alone in a local layer; BERT's sees the whole row."""
    hidden = torch.randn(2, 5, 32)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    types = torch.tensor([[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]])
    ours, bert = PairHead(small_network(tokenizer)), PairHead(backbone_from_config(BertConfig(**SHAPE)))
    u = torch.stack([hidden[0, :3].mean(0), hidden[1, 0]])
    v = torch.stack([hidden[0, 3:].mean(0), hidden[1, 1]])
    compared = torch.cat([u, v, (u - v).abs(), u * v], 1)
    assert torch.allclose(ours(hidden, mask, types), ours.answer(ours.pooler(compared).tanh()), atol=1e-6)
    assert torch.allclose(bert(hidden, mask, types), bert.answer(bert.pooler(hidden[:, 0]).tanh()), atol=1e-6)


def test_of_a_checkpoint_with_a_pooler_alone_the_pooler_is_taken(tmp_path: Path) -> None:
    model = BertForSequenceClassification(BertConfig(**SHAPE))
    model.save_pretrained(tmp_path)
    head = PairHead(load_backbone(tmp_path))
    assert torch.equal(head.pooler.weight, model.bert.pooler.dense.weight)
    assert head.fresh == ["cls.seq_relationship.weight", "cls.seq_relationship.bias"]
    BertForMaskedLM(BertConfig(**SHAPE)).save_pretrained(tmp_path / "without")
    assert len(PairHead(load_backbone(tmp_path / "without")).fresh) == 4


def test_token_types_reach_the_networks_that_have_them(segments: Batch, spec: Spec) -> None:
    backbone = backbone_from_config(BertConfig(**(SHAPE | {"vocab_size": 200, "max_position_embeddings": 64}))).eval()
    posed = ask(SOP(), segments, spec)
    with torch.no_grad():
        with_types = backbone(posed)
        without = backbone({name: posed[name] for name in ("input_ids", "attention_mask")})
    assert (with_types - without).abs().max() > 1e-3
