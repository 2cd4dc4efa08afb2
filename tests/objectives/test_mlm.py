"""Masked language modelling: what it asks, how much of it, and of whole words in every script."""

import math

import pytest
import torch

from selftaught.data.tokenise import TextTokenizer, TrainedKind, train_tokenizer
from selftaught.objective import Batch, Spec
from selftaught.objectives.mlm import MLM
from selftaught.randomness import Randomness

ENGLISH = ["the", "unbelievably", "grey", "badger", "wandered", "carefully", "under", "the", "waterfall"] * 4
CHINESE = ["任何", "公民", "享有", "宪法", "和", "法律", "规定", "的", "权利", "我", "爱", "北京", "天安门"] * 3


def ask(mlm: MLM, samples: Batch, spec: Spec, epoch: int = 0) -> Batch:
    indices = torch.arange(len(samples["input_ids"]))
    return mlm.pretext(samples, spec, Randomness.of(0, torch.full_like(indices, epoch), indices))


def hidden_places(posed: Batch, rows: int) -> list[list[int]]:
    """The places asked about in each row."""
    length = posed["input_ids"].shape[1]
    positions, answers = posed["positions"].view(rows, -1), posed["answers"].view(rows, -1)
    return [
        sorted((row[asked != -100] - i * length).tolist())
        for i, (row, asked) in enumerate(zip(positions, answers, strict=True))
    ]


@pytest.mark.parametrize("whole_words", [False, True])
@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_exactly_the_share_of_each_row_is_asked(padded: Batch, spec: Spec, rate: float, whole_words: bool) -> None:
    assert spec.text is not None
    posed = ask(MLM(rate=rate, whole_words=whole_words), padded, spec)
    ordinary = (~spec.text.special[padded["input_ids"]]).sum(1).tolist()
    counts = [len(places) for places in hidden_places(posed, 32)]
    assert all(abs(count - rate * n) <= 0.5 + 1e-6 for count, n in zip(counts, ordinary, strict=True) if n > 3)
    assert all(count == 1 for count, n in zip(counts, ordinary, strict=True) if 0 < rate * n < 1)
    assert posed["n"] == sum(counts)


def test_shapes_do_not_depend_on_what_is_drawn(padded: Batch, packed: Batch, spec: Spec) -> None:
    for samples in (padded, packed):
        shapes = {tuple(ask(MLM(), samples, spec, epoch)["positions"].shape) for epoch in range(20)}
        assert len(shapes) == 1


def test_answers_are_the_tokens_that_were_there(packed: Batch, spec: Spec) -> None:
    posed = ask(MLM(), packed, spec)
    asked = posed["answers"] != -100
    assert torch.equal(packed["input_ids"].flatten()[posed["positions"]][asked], posed["answers"][asked])
    unasked = torch.ones(packed["input_ids"].numel(), dtype=torch.bool)
    unasked[posed["positions"]] = False
    assert torch.equal(posed["input_ids"].flatten()[unasked], packed["input_ids"].flatten()[unasked])


def test_special_tokens_are_never_asked(padded: Batch, packed: Batch, spec: Spec) -> None:
    assert spec.text is not None
    for samples in (padded, packed):
        for epoch in range(30):
            posed = ask(MLM(rate=0.5), samples, spec, epoch)
            answers = posed["answers"][posed["answers"] != -100]
            assert not spec.text.special[answers].any()
            special = spec.text.special[samples["input_ids"]]
            assert torch.equal(posed["input_ids"][special], samples["input_ids"][special])


def test_each_epoch_hides_others_until_every_token_was_hidden(packed: Batch, spec: Spec) -> None:
    assert spec.text is not None
    seen: set[int] = set()
    for epoch in range(60):
        posed = ask(MLM(), packed, spec, epoch)
        seen |= set(posed["positions"][posed["answers"] != -100].tolist())
    assert seen == set((~spec.text.special[packed["input_ids"]]).flatten().nonzero().flatten().tolist())


def row_of(tokenizer: TextTokenizer, words: list[str]) -> tuple[Batch, list[int]]:
    """One row of words that are tokenised one by one, 64 times, and the number of each token's word."""
    pieces = tokenizer.encode(words)
    ids = torch.tensor([i for piece in pieces for i in piece])
    numbers = [n for n, piece in enumerate(pieces) for _ in piece]
    return {"input_ids": ids.expand(64, -1)}, numbers


def cut_words(posed: Batch, numbers: list[int]) -> list[int]:
    """How many words of each row are hidden in part."""
    whole = {n: numbers.count(n) for n in numbers}
    rows = [[numbers[place] for place in places] for places in hidden_places(posed, 64)]
    return [sum(0 < row.count(n) < size for n, size in whole.items()) for row in rows]


@pytest.mark.parametrize("kind", ["wordpiece", "bytelevel"])
@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_all_pieces_of_a_word_are_hidden_together(kind: TrainedKind, words: list[str]) -> None:
    """At most one word of a row is cut, so that the number hidden is always the same."""
    space = " " if kind == "bytelevel" and words is ENGLISH else ""
    words = [space + word for word in words]
    tokenizer = train_tokenizer(["".join(words)], kind, 275, set("".join(words)))
    spec = Spec(text=tokenizer.spec())
    samples, numbers = row_of(tokenizer, words)
    assert max(map(numbers.count, numbers)) > 1
    posed = ask(MLM(whole_words=True), samples, spec)
    count = round(0.15 * len(numbers))
    assert {len(places) for places in hidden_places(posed, 64)} == {count}
    assert set(cut_words(posed, numbers)) <= {0, 1}
    by_token = ask(MLM(), samples, spec)
    assert max(cut_words(by_token, numbers)) > 1


def test_a_row_of_nothing_but_padding_asks_nothing(spec: Spec) -> None:
    assert spec.text is not None
    empty = {"input_ids": torch.full((2, 16), spec.text.pad_id)}
    posed = ask(MLM(), empty, spec)
    assert posed["n"] == 0
    assert (posed["answers"] == -100).all()
    assert torch.equal(posed["input_ids"], empty["input_ids"])


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, math.inf])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="share between 0 and 1"):
        MLM(rate=rate)
