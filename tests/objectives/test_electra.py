"""Replaced-token detection: what is drawn, what is asked, what it costs by hand, and what a run keeps of it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModel, ElectraConfig, ElectraForPreTraining

from selftaught.backbones.heads import save_model
from selftaught.backbones.hf import TextBackbone, backbone_from_config, text_backbone
from selftaught.data.store import TokenStore
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner, divide, evaluate, flatten
from selftaught.objective import Batch, Spec, Sum
from selftaught.objectives.electra import Electra, Generator, Passes
from selftaught.objectives.mlm import MLM
from selftaught.pretrained import open_pretrained, restore_heads
from selftaught.randomness import Randomness
from selftaught.text.held_out import held_out_batches
from selftaught.verbs.pretrain import pretrain

NewBackbone = Callable[[TextTokenizer], TextBackbone]


def ask(electra: Electra, samples: Batch, spec: Spec, epoch: int = 0) -> Batch:
    indices = torch.arange(len(samples["input_ids"]))
    posed = electra.pretext(samples, spec, Randomness.of(0, torch.full_like(indices, epoch), indices))
    return {**posed, "size": len(indices)}


@pytest.fixture
def learner(spec: Spec, tokenizer: TextTokenizer, small_network: NewBackbone) -> Learner:
    torch.manual_seed(2)
    return Learner({"text": small_network(tokenizer)}, Electra(), spec)


def generator_of(learner: Learner) -> Generator:
    found = learner.heads.get_submodule("generator")
    assert isinstance(found, Generator)
    return found


def always(learner: Learner, token: int) -> None:
    """Let the generator be sure of one token."""
    with torch.no_grad():
        generator_of(learner).head.get_submodule("decoder").bias[token] += 1e4


def ordinary(spec: Spec, samples: Batch) -> int:
    """A token that occurs in the samples and is not special."""
    assert spec.text is not None
    ids = samples["input_ids"].flatten()
    return int(ids[~spec.text.special[ids]].mode().values)


def test_the_generator_is_asked_what_masked_language_modelling_asks(packed: Batch, spec: Spec) -> None:
    indices = torch.arange(len(packed["input_ids"]))
    theirs = MLM().pretext(packed, spec, Randomness.of(0, indices * 0, indices))
    ours = ask(Electra(), packed, spec)
    for name, other in {"masked": "input_ids", "places": "positions", "originals": "answers"}.items():
        assert torch.equal(ours[name], theirs[other])
    assert torch.equal(ours["input_ids"], packed["input_ids"])
    assert ours["n"] == {"generator": theirs["n"], "discriminator": packed["input_ids"].numel()}


def test_padding_is_neither_asked_about_nor_scored(padded: Batch, spec: Spec, learner: Learner) -> None:
    posed = ask(Electra(), padded, spec)
    real = padded["attention_mask"]
    assert posed["n"]["discriminator"] == int(real.sum())
    with torch.no_grad():
        passes = learner.eval().features(posed)
        assert not passes.replaced[~real].any()
        other = passes._replace(states=torch.where(real[:, :, None], passes.states, 7.0))
        one, two = (flatten(learner.objective.loss(p, learner.heads, posed)) for p in (passes, other))
    assert one == two


def test_only_hidden_places_reach_the_vocabulary(packed: Batch, spec: Spec, learner: Learner) -> None:
    posed = ask(Electra(), packed, spec)
    assert spec.text is not None
    assert learner.features(posed).guesses.shape == (8 * round(0.15 * 32), spec.text.vocab_size)


def test_what_the_generator_draws_stands_in_the_text(packed: Batch, spec: Spec, learner: Learner) -> None:
    token = ordinary(spec, packed)
    always(learner, token)
    posed = ask(Electra(), packed, spec)
    text, places = packed["input_ids"].clone(), posed["places"][posed["originals"] >= 0]
    text.view(-1)[places] = token
    learner.eval()
    with torch.no_grad():
        passes = learner.features(posed)
        assert torch.equal(passes.states, text_backbone(learner.backbones)({**packed, "input_ids": text}))
    assert torch.equal(passes.replaced, text != packed["input_ids"])
    hidden = posed["originals"][posed["originals"] >= 0]
    assert 0 < int(passes.replaced.sum()) == int((hidden != token).sum()) < len(hidden)  # a right guess is an original


def test_a_draw_depends_on_its_own_row_alone(packed: Batch, spec: Spec, learner: Learner) -> None:
    posed, again, next_epoch = (ask(Electra(), packed, spec, epoch) for epoch in (0, 0, 1))
    assert torch.equal(posed["draws"], again["draws"])
    assert not torch.equal(posed["draws"], next_epoch["draws"])
    assert torch.equal(posed["draws"].view(8, -1)[:3].flatten(), ask(Electra(), rows(packed, 3), spec)["draws"])


def rows(samples: Batch, count: int) -> Batch:
    return {name: tensor[:count] for name, tensor in samples.items()}


def test_special_tokens_are_never_drawn(packed: Batch, spec: Spec, learner: Learner) -> None:
    assert spec.text is not None
    generator = generator_of(learner)
    sure = torch.full((40, spec.text.vocab_size), -50.0)
    sure[:, spec.text.special] = 50.0
    sure[:, 7:9] = 40.0
    drawn = generator.draw(sure, torch.linspace(0.01, 0.99, 40))
    assert sorted(set(drawn.tolist())) == [7, 8]


def test_the_discriminator_teaches_the_generator_nothing(packed: Batch, spec: Spec, learner: Learner) -> None:
    """No gradient goes through the draw; the shared embeddings learn from both (Clark et al. 2020, section 3.2)."""
    sums = learner(ask(Electra(), packed, spec))
    sums["discriminator"]["loss"].backward()
    shared = learner.backbones["text"].embeddings().weight
    own = [p for p in learner.heads.get_submodule("generator").parameters() if p is not shared]
    assert own
    assert all(p.grad is None for p in own)
    assert shared.grad is not None


def test_the_embeddings_are_shared_and_saved_once(spec: Spec, learner: Learner) -> None:
    assert spec.text is not None
    tables = [p for p in learner.parameters() if p.ndim == 2 and spec.text.vocab_size in p.shape]
    assert tables == [learner.backbones["text"].embeddings().weight]


def test_losses_and_measures_by_hand() -> None:
    """Two rows of three tokens; the last is padding, and two places were hidden."""
    batch = {
        "input_ids": torch.zeros(2, 3, dtype=torch.long),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]], dtype=torch.bool),
        "originals": torch.tensor([2, 0, -100]),
    }
    shares = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [0.3, 0.3, 0.4]])
    scores = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 1.0, 9.0]])
    replaced = torch.tensor([[True, True, False], [False, True, False]])
    heads = nn.ModuleDict({"discriminator": nn.Flatten(-2)})  # the states are the scores
    sums = Electra().loss(Passes(shares.log(), scores.unsqueeze(2), replaced), heads, batch)
    cost = [math.log1p(math.exp(-x)) for x in (2.0, -1.0, -0.5, 3.0, 1.0)]
    assert float(sums["generator"]["loss"]) == pytest.approx(-math.log(0.7) - math.log(0.5))
    assert float(sums["generator"]["accuracy"]) == 2
    assert float(sums["discriminator"]["loss"]) == pytest.approx(sum(cost))
    means = divide(sums, {"generator": 2, "discriminator": 5})
    assert float(Electra().total(means)) == pytest.approx((-math.log(0.35) / 2 + 50 * sum(cost) / 5) / 51)
    assert float(Electra(weight=1).total(means)) == pytest.approx((-math.log(0.35) / 2 + sum(cost) / 5) / 2)
    assert flatten(Electra().readings(means)) == pytest.approx(
        {
            "generator.loss": -math.log(0.35) / 2,
            "generator.accuracy": 1.0,
            "discriminator.loss": sum(cost) / 5,
            "discriminator.accuracy": 3 / 5,  # one replaced token was missed, one original was flagged
            "discriminator.replaced": 3 / 5,
            "discriminator.precision": 2 / 3,
            "discriminator.recall": 2 / 3,
        }
    )


def test_to_call_everything_original_is_visible(packed: Batch, spec: Spec, learner: Learner) -> None:
    posed = ask(Electra(), packed, spec)
    with torch.no_grad():
        passes = learner.features(posed)
        heads = nn.ModuleDict({"discriminator": nn.Sequential(nn.Linear(32, 1), nn.Flatten(-2))})
        nn.init.zeros_(heads["discriminator"].get_parameter("0.weight"))
        nn.init.constant_(heads["discriminator"].get_parameter("0.bias"), -5.0)
        sums = Electra().loss(passes, heads, posed)
    found = Electra().readings(divide(sums, posed["n"]))["discriminator"]
    assert float(found["accuracy"]) == pytest.approx(1 - float(found["replaced"]))
    assert float(found["accuracy"]) > 0.8
    assert float(found["precision"]) == float(found["recall"]) == 0.0


def test_blind_guessing(spec: Spec) -> None:
    assert spec.text is not None
    guessing = math.log(int((~spec.text.special).sum()))
    assert Electra(weight=50).chance(spec, 16) == pytest.approx((guessing + 50 * math.log(2)) / 51)


@pytest.mark.parametrize("named", [(MLM(), Electra()), (Electra(), MLM())], ids=["mlm+electra", "electra+mlm"])
def test_beside_another_objective_each_keeps_its_own_question(
    named: tuple[Any, ...], packed: Batch, spec: Spec, tokenizer: TextTokenizer, small_network: NewBackbone
) -> None:
    together = Sum(named)
    learner = Learner({"text": small_network(tokenizer)}, together, spec).eval()
    indices = torch.arange(8)
    posed = together.pretext(packed, spec, Randomness.of(0, indices * 0, indices))
    stream = posed["streams"]["text"]
    asked = stream["answers"] >= 0
    assert torch.equal(packed["input_ids"].flatten()[stream["positions"]][asked], stream["answers"][asked])
    assert posed["n"] == {"mlm": int(asked.sum()), "electra": {"generator": 32, "discriminator": 256}}
    with torch.no_grad():
        means = divide(learner(posed), posed["n"])
    assert float(together.total(means)) == pytest.approx(
        float(means["mlm"]["loss"]) + float(Electra().total(means["electra"])), rel=1e-6
    )
    assert "electra.discriminator.recall" in flatten(together.readings(means))


@pytest.mark.parametrize("wrong", [{"rate": 1.0}, {"generator": 0.0}, {"generator": 1.5}, {"weight": 0.0}])
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"share|weight"):
        Electra(**wrong)


def test_a_transformers_electra_keeps_its_head(packed: Batch, tokenizer: TextTokenizer, tmp_path: Path) -> None:
    """What is saved is its ElectraForPreTraining, with the same answers; and it is begun from with that head."""
    spec = Spec(text=tokenizer.spec())
    shape = {"hidden_size": 32, "embedding_size": 16, "num_attention_heads": 2, "intermediate_size": 48}
    config = ElectraConfig(vocab_size=tokenizer.vocab_size, num_hidden_layers=2, **shape)
    learner = Learner({"text": backbone_from_config(config)}, Electra(), spec).eval()
    save_model(tmp_path, text_backbone(learner.backbones), learner.heads)
    tokenizer.save(tmp_path, 64)
    theirs = ElectraForPreTraining.from_pretrained(tmp_path).eval()
    ids = packed["input_ids"]
    with torch.no_grad():
        scores = learner.heads.get_submodule("discriminator")(learner.backbones["text"]({"input_ids": ids}))
        assert torch.allclose(scores, theirs(ids).logits, atol=1e-5)
    again = Learner({"text": open_pretrained(tmp_path).backbone}, Electra(), spec).eval()
    with torch.no_grad():
        states = again.backbones["text"]({"input_ids": ids})
        assert torch.equal(again.heads.get_submodule("discriminator")(states), scores)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    place = tmp_path_factory.mktemp("electra")
    (place / "text").mkdir()
    for i in range(30):
        (place / "text" / f"{i}.md").write_text("\n".join(texts[i:] + texts[:i]), encoding="utf-8")
    return place


def run(folder: Path, out: str, **more: Any) -> dict[str, Any]:
    given = {"objective": "electra", "steps": 120, "batch": 8, **more}
    if "init" not in given:
        given["size"] = "tiny"
    settings = ["train.length=16", "train.precision=fp32"]
    return pretrain(str(folder / "text"), out=folder / out, set_=settings, **given)


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    return run(folder, "run")


def test_a_run_measures_both_networks(folder: Path, report: dict[str, Any]) -> None:
    held_out = report["held_out"]
    assert held_out["generator.below_unigram"] > 0.1
    assert held_out["discriminator.loss"] < 0.32  # what a guess by the share of replaced tokens alone costs is 0.35
    both = held_out["generator.loss"] + 50 * held_out["discriminator.loss"]
    assert held_out["loss"] == pytest.approx(both / 51)
    for name in ("accuracy", "replaced", "precision", "recall"):
        assert 0 <= held_out[f"discriminator.{name}"] <= 1
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all({"loss", "generator.loss", "discriminator.recall"} <= line.keys() for line in lines)


def test_a_run_s_model_is_the_discriminator(folder: Path, report: dict[str, Any]) -> None:
    model = AutoModel.from_pretrained(folder / "run" / "model").eval()
    ours = open_pretrained(folder / "run")
    batch = ours.tokenizer.batch(["The red fox wandered."], longest=16)
    with torch.no_grad():
        assert torch.allclose(ours.backbone.eval()(batch), model(**batch).last_hidden_state, atol=1e-5)
    assert not any(name.endswith(("tok_embeddings.weight", "decoder.weight")) for name in ours.parts)


def test_a_run_comes_back_with_its_generator(folder: Path, report: dict[str, Any]) -> None:
    """The same questions about the same text have the same answers."""
    tokens, found = folder / "run" / "tokens", open_pretrained(folder / "run")
    spec = Spec(text=found.tokenizer.spec(TokenStore(tokens / "train").counts))
    learner = Learner({"text": found.backbone}, Electra(), spec)
    restore_heads(learner.heads, found.parts)
    questions = held_out_batches(TokenStore(tokens / "held_out"), Electra(), spec, length=16, seed=0)
    assert questions is not None
    for name, value in evaluate(learner, questions).items():
        assert value == pytest.approx(report["held_out"][name], rel=1e-5), name


def test_a_run_is_gone_on_from(folder: Path, report: dict[str, Any]) -> None:
    further, fresh = run(folder, "further", init=folder / "run", steps=2), run(folder, "fresh", steps=2)
    assert further["held_out"]["generator.loss"] < fresh["held_out"]["generator.loss"] - 0.2
    assert further["held_out"]["discriminator.loss"] < fresh["held_out"]["discriminator.loss"]
    masked = run(folder, "masked", init=folder / "run", objective="mlm", steps=2)
    assert math.isfinite(masked["held_out"]["loss"])
