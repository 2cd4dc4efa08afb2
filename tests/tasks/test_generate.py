"""Writing a target behind its source: what is learned, what is written, and the same in transformers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, pipeline

from selftaught.backbones.heads import save_model
from selftaught.backbones.hf import TextBackbone, backbone_from_config
from selftaught.data.source_target import SourceTarget
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.learner import answers, prepare_learner
from selftaught.loop import Learner, divide, train
from selftaught.objective import Spec
from selftaught.optim import adamw
from selftaught.randomness import Randomness
from selftaught.schedule import Schedule
from selftaught.tasks.generate import Generate

NewBackbone = Callable[[TextTokenizer], TextBackbone]


@pytest.fixture(scope="module")
def examples() -> list[SourceTarget]:
    places = {"red": "over the mountain", "grey": "under the bridge", "white": "behind the waterfall"}
    return [
        SourceTarget(f"The {colour} {animal} {mood}", (places[colour],), "a.csv", line)
        for line, (colour, animal, mood) in enumerate(
            ((c, a, m) for c in places for a in ("fox", "heron", "otter") for m in ("quietly", "happily")), 2
        )
    ]


@pytest.fixture(params=["llama", "gpt2"])
def network(request: pytest.FixtureRequest, bytelevel: TextTokenizer, small_decoder: NewBackbone) -> TextBackbone:
    torch.manual_seed(1)
    if request.param == "llama":
        return small_decoder(bytelevel)
    shape = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
    ends = {"bos_token_id": bytelevel.start_id, "eos_token_id": bytelevel.end_id}
    return backbone_from_config(GPT2Config(vocab_size=bytelevel.vocab_size, **shape, **ends))


def test_the_target_alone_is_learned(
    network: TextBackbone, bytelevel: TextTokenizer, examples: list[SourceTarget], tmp_path: Path
) -> None:
    """The loss is the one that transformers computes where all but the target is masked out of the labels."""
    task = Generate.of(examples)
    learner = Learner({"text": network}, task, Spec()).eval()
    samples = task.encode(examples[:5], bytelevel, 64, labelled=True)
    posed = task.pretext(samples, Spec(), Randomness.of(0, torch.zeros(5, dtype=torch.int64), torch.arange(5)))
    save_model(tmp_path, network, learner.heads)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    with torch.no_grad():
        logits = theirs(input_ids=samples["input_ids"], attention_mask=samples["attention_mask"].long()).logits
    ends = [bytelevel.start_id, bytelevel.end_id]
    total, count = 0.0, 0
    for row, example in enumerate(examples[:5]):
        source, target = bytelevel.encode([example.source, *example.targets])
        begin, target = len(source) + 2, [*target, ends[1]]
        assert samples["input_ids"][row, : begin + len(target)].tolist() == [ends[0], *source, ends[1], *target]
        guesses = logits[row, begin - 1 : begin - 1 + len(target)]
        total += float(F.cross_entropy(guesses, torch.tensor(target), reduction="sum"))
        count += len(target)
    assert posed["n"] == count
    assert float(divide(learner(posed), posed["n"])["loss"]) == pytest.approx(total / count, rel=1e-5)


def test_it_learns_to_write_what_it_was_shown(
    bytelevel: TextTokenizer, small_decoder: NewBackbone, examples: list[SourceTarget]
) -> None:
    task = Generate.of(examples, beams=2)
    made = prepare_learner(small_decoder(bytelevel), bytelevel, task, examples, seed=0, precision="fp32")
    for _ in train(made.learner, made.batches(18).starting, adamw(made.learner, 1e-2), Schedule(steps=60), seed=0):
        pass
    said = answers(made.learner, bytelevel, examples)
    assert [answer["target"] for answer in said] == [example.targets[0] for example in examples]
    assert task.measure(examples, said)["exact_match"] == 1.0
    assert task.asked(["The red heron happily"])[0].targets == ()


def test_one_beam_takes_the_likeliest_token_each_time(
    network: TextBackbone, bytelevel: TextTokenizer, examples: list[SourceTarget]
) -> None:
    """With the cache and with padding before the tokens it is what whole passes over single rows give."""
    task = Generate(longest_target=9, beams=1)
    learner = Learner({"text": network}, task, Spec()).eval()
    uneven = [examples[0], SourceTarget("fox", (), "", 0)]
    batch = task.encode(uneven, bytelevel, 64, labelled=False)
    written = learner.features(batch)
    for row, tokens in enumerate(written):
        ids = batch["input_ids"][row][batch["attention_mask"][row]].tolist()
        for token in tokens:
            with torch.no_grad():
                logits = learner.heads(network({"input_ids": torch.tensor([ids])}))[0, -1]
            assert logits[token] == pytest.approx(float(logits.max()), abs=1e-5)
            ids.append(token)


def test_the_text_generation_pipeline_writes_the_same(
    network: TextBackbone, bytelevel: TextTokenizer, examples: list[SourceTarget], tmp_path: Path
) -> None:
    task = Generate(longest_target=9, beams=3)
    learner = Learner({"text": network}, task, Spec()).eval()
    (ours,) = answers(learner, bytelevel, examples[:1])
    save_model(tmp_path, network, learner.heads)
    bytelevel.save(tmp_path, network.longest_row, closes=False)
    prompt = examples[0].source + AutoTokenizer.from_pretrained(tmp_path).eos_token
    writer = pipeline("text-generation", str(tmp_path), device="cpu")
    options = {"max_new_tokens": 10, "num_beams": 3, "do_sample": False, "early_stopping": True}
    (theirs,) = writer(prompt, return_full_text=False, **options)
    assert theirs["generated_text"].strip() == ours["target"]


def test_a_long_source_is_cut_and_the_target_keeps_its_room(bytelevel: TextTokenizer) -> None:
    long = SourceTarget("fox " * 100, ("heron " * 100,), "", 0)
    task = Generate.of([long])
    assert task.longest_target == 600
    batch = task.encode([long], bytelevel, 32, labelled=True)
    assert batch["input_ids"].shape == (1, 32)
    assert int((batch["next"] >= 0).sum()) == 16
    assert batch["next"][0, -2] == bytelevel.end_id
    assert task.encode([long], bytelevel, 32, labelled=False)["input_ids"].shape == (1, 16)


def test_an_encoder_cannot_write(tokenizer: TextTokenizer, small_network: NewBackbone) -> None:
    with pytest.raises(SelftaughtError, match="reads from both sides"):
        Learner({"text": small_network(tokenizer)}, Generate(5), Spec())


def test_a_tokenizer_that_ends_nothing_is_refused(bytelevel: TextTokenizer, examples: list[SourceTarget]) -> None:
    endless = TextTokenizer(bytelevel.backend, {"bos_token": "<s>", "pad_token": "<pad>"})
    with pytest.raises(SelftaughtError, match="no token that ends a document"):
        Generate.of(examples).encode(examples, endless, 32, labelled=True)
