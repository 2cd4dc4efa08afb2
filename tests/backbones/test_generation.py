"""Continuing a text: the run's own model, sampling, stop strings, streaming."""

from pathlib import Path

import pytest
import torch

from selftaught.backbones.generation import Sampling, Writer
from selftaught.errors import SelftaughtError
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.verbs.generate import generate
from selftaught.verbs.pretrain import pretrain

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    place = tmp_path_factory.mktemp("generation")
    (place / "notes.txt").write_text("\n".join(texts * 20), encoding="utf-8")
    small = {"steps": 120, "size": "tiny", "batch": 8, "set_": ["train.length=32", "train.precision=fp32"]}
    pretrain(str(place / "notes.txt"), objective="causal_lm", out=place / "run", **small)
    return place / "run"


@pytest.fixture(scope="module")
def pretrained(run: Path) -> Pretrained:
    return open_pretrained(run)


@pytest.fixture(scope="module")
def writer(pretrained: Pretrained) -> Writer:
    return Writer(pretrained.folder, pretrained.tokenizer.start_id, CPU)


def test_it_continues_as_the_text_it_learned_from_would(writer: Writer) -> None:
    text, _ = writer.write("The red fox wandered over the", Sampling(tokens=8, temperature=0))
    assert text.startswith(" mountain")


def test_greedy_writing_takes_the_likeliest_token_each_time(writer: Writer, pretrained: Pretrained) -> None:
    """The key-value cache must not change what the network says: compare with full passes."""
    prompt = "The grey heron"
    text, _ = writer.write(prompt, Sampling(tokens=6, temperature=0))
    model, tokenizer = writer._model, pretrained.tokenizer
    ids = tokenizer.batch([prompt], 64)["input_ids"][:, :-1]
    begun = ids.shape[1]
    with torch.no_grad():
        for _ in range(6):
            ids = torch.cat([ids, model(ids, use_cache=False).logits[:, -1:].argmax(-1)], 1)
    assert text == tokenizer.backend.decode(ids[0, begun:].tolist())


def test_a_seed_repeats_a_draw_and_another_differs(writer: Writer) -> None:
    one, again, other = (writer.write("The", Sampling(tokens=20, seed=seed))[0] for seed in (1, 1, 2))
    assert one == again != other


def test_one_candidate_is_the_likeliest(writer: Writer) -> None:
    greedy = writer.write("The white", Sampling(tokens=10, temperature=0))
    assert writer.write("The white", Sampling(tokens=10, top_k=1)) == greedy
    assert writer.write("The white", Sampling(tokens=10, top_p=1e-6)) == greedy


def test_it_stops_where_it_is_told_and_streams_no_more_than_that(writer: Writer) -> None:
    whole, _ = writer.write("The red fox", Sampling(tokens=24, temperature=0))
    stop = whole[9:14]
    heard: list[str] = []
    text, ended = writer.write("The red fox", Sampling(tokens=24, temperature=0, stop=(stop,)), heard.append)
    assert text == whole[: whole.index(stop)]
    assert ended
    assert "".join(heard) == text


def test_what_is_heard_is_what_is_written(writer: Writer) -> None:
    heard: list[str] = []
    text, _ = writer.write("The", Sampling(tokens=30, seed=4), heard.append)
    assert "".join(heard) == text
    assert len(heard) > 3


def test_a_prompt_that_fills_the_row_leaves_no_room(writer: Writer) -> None:
    with pytest.raises(SelftaughtError, match="shorten the prompt"):
        writer.write("fox " * 2000, Sampling())


def test_the_verb_gives_each_continuation_its_own_seed(run: Path) -> None:
    report = generate(run, prompt="The red", tokens=12, samples=2, json=True)
    assert [one["seed"] for one in report["continuations"]] == [0, 1]
    assert report["continuations"][0] != report["continuations"][1]


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1.0}, {"top_p": 0.0}, {"top_k": 0}, {"tokens": 0}, {"beams": 0}, {"samples": 0}],
)
def test_impossible_settings_are_refused(run: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(SelftaughtError):
        generate(run, **wrong)  # type: ignore[arg-type]
