"""From text to tokens: what is held out stays out, everything else goes in, and nothing is made twice."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.corpus import Corpus, prepare
from selftaught.data.hold_out import hold_out
from selftaught.data.store import TokenStore
from selftaught.data.tokenise import TextTokenizer, TrainedKind
from selftaught.errors import SelftaughtError


def documents_of(store: TokenStore, tokenizer: TextTokenizer) -> list[str]:
    """The text of each document, as far as its tokens say."""
    ids = store.take(np.arange(len(store)))
    bounds = store.document_starts.tolist()
    return [tokenizer.backend.decode(ids[a:b].tolist(), skip_special_tokens=True) for a, b in pairwise(bounds)]


@pytest.fixture
def folder(tmp_path: Path, texts: list[str]) -> Path:
    """Sixty files of ten sentences each; each file has a number of its own in it, spelled in letters."""
    place = tmp_path / "text"
    place.mkdir()
    for i in range(60):
        lines = [f"{texts[(7 * i + j) % len(texts)]} file {'abcdefgh'[i // 8]}{'abcdefgh'[i % 8]}" for j in range(10)]
        (place / f"{i:02d}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


@given(sizes=st.lists(st.integers(0, 10**6), min_size=1, max_size=50), seed=st.integers(0, 9))
def test_how_much_is_held_out(sizes: list[int], seed: int) -> None:
    total = sum(sizes)
    held = hold_out(sizes, seed)
    wanted = int(min(max(0.02 * total, 20_000), 0.1 * total, 2_000_000))
    taken = {document: sizes[document] - begin for document, begin in held.items()}
    assert all(0 <= begin <= sizes[document] for document, begin in held.items())
    assert sum(taken.values()) >= wanted
    assert sum(taken.values()) <= 2 * wanted
    assert hold_out(sizes, seed) == held


@given(size=st.integers(100, 10**9), seed=st.integers(0, 9))
def test_of_a_single_document_only_the_end_is_held_out(size: int, seed: int) -> None:
    (begin,) = hold_out([size], seed).values()
    assert size * 0.899 <= begin <= size


def test_other_seeds_hold_out_other_documents() -> None:
    assert len({frozenset(hold_out([1000] * 500, seed)) for seed in range(5)}) == 5


def test_train_and_held_out_are_the_whole_and_share_nothing(folder: Path, tmp_path: Path) -> None:
    corpus = prepare(folder, tmp_path / "tokens", seed=0)
    train, held = (documents_of(store, corpus.tokenizer) for store in (corpus.train, corpus.held_out))
    assert len(held) >= 1
    assert len(train) + len(held) == 60
    assert len({text.split("file")[1].split()[0] for text in train + held}) == 60
    assert not set(train) & set(held)
    assert corpus.tally["rows"] == corpus.tally["kept"] == 600


def test_documents_are_opened_and_closed(folder: Path, tmp_path: Path) -> None:
    corpus = prepare(folder, tmp_path / "tokens", seed=0)
    for store in (corpus.train, corpus.held_out):
        ids, bounds = store.take(np.arange(len(store))), store.document_starts
        assert set(ids[bounds[:-1]].tolist()) == {corpus.tokenizer.start_id}
        assert set(ids[bounds[1:] - 1].tolist()) == {corpus.tokenizer.end_id}
        assert corpus.tokenizer.backend.token_to_id("[UNK]") not in ids


def test_nothing_held_out_reaches_the_tokenizer(folder: Path, tmp_path: Path) -> None:
    """A word that fills the held-out file, and only that, is never merged into a piece of its own."""
    first = prepare(folder, tmp_path / "first", seed=0, vocab_size=400)
    held = documents_of(first.held_out, first.tokenizer)
    (number, *_) = [
        i for i in range(60) if held[0].split("file")[1].split()[0] == f"{'abcdefgh'[i // 8]}{'abcdefgh'[i % 8]}"
    ]
    file = folder / f"{number:02d}.txt"
    size = len(file.read_text(encoding="utf-8"))
    file.write_text(("zyxqzyxq " * size)[: size - 1] + "\n", encoding="utf-8")
    again = prepare(folder, tmp_path / "again", seed=0, vocab_size=400)
    assert any("zyxqzyxq" in text.replace(" ", "") for text in documents_of(again.held_out, again.tokenizer))
    assert not [token for token in again.tokenizer.tokens if "zy" in token or "xq" in token]
    assert not [token for token in again.tokenizer.tokens if "yx" in token or "qz" in token]


def test_one_large_file_keeps_its_end_back(tmp_path: Path, texts: list[str]) -> None:
    file = tmp_path / "book.txt"
    lines = [f"{text} line {i}" for i in range(40) for text in texts]
    file.write_text("\n".join(lines), encoding="utf-8")
    whole = "\n".join(lines)
    corpus = prepare(file, tmp_path / "tokens", seed=0)
    (train,), (held,) = (documents_of(store, corpus.tokenizer) for store in (corpus.train, corpus.held_out))
    assert held.endswith("line 39")
    assert (train + held).replace(" ", "") == whole.lower().replace(" ", "").replace("\n", "")
    assert 0.099 * len(whole) <= corpus.held_out_bytes <= 0.101 * len(whole)  # below 200,000 characters, a tenth


def test_what_is_there_is_used_again(folder: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "tokens", seed=0)
    made = {file: file.stat().st_mtime_ns for file in (tmp_path / "tokens").rglob("*") if file.is_file()}
    prepare(folder, tmp_path / "tokens", seed=0)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "tokens").rglob("*") if file.is_file()} == made


def change_text(folder: Path, tokens: Path) -> Corpus:
    (folder / "00.txt").write_text("Something new.\n", encoding="utf-8")
    return prepare(folder, tokens, seed=0)


def sentences_of(store: TokenStore, tokenizer: TextTokenizer) -> list[str]:
    """The text from each sentence's start to the next, as far as its tokens say."""
    ids, bounds = store.take(np.arange(len(store))), [*store.sentence_starts.tolist(), len(store)]
    return [tokenizer.backend.decode(ids[a:b].tolist(), skip_special_tokens=True).strip() for a, b in pairwise(bounds)]


@pytest.mark.parametrize("kind", ["wordpiece", "bytelevel"])
def test_sentences_are_found_across_rows_and_pieces(tmp_path: Path, kind: TrainedKind, texts: list[str]) -> None:
    """Lines broken to a width: a sentence may begin in one block of lines and end in the next."""
    words = " ".join(texts * 20).lower().split(" ")
    words = [word.capitalize() if i == 0 or words[i - 1].endswith(".") else word for i, word in enumerate(words)]
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > 50:
            lines.append("")
        lines[-1] += f"{word} "
    (tmp_path / "book.txt").write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    corpus = prepare(tmp_path / "book.txt", tmp_path / "tokens", seed=0, kind=kind, sentences=True)
    found = sentences_of(corpus.train, corpus.tokenizer)
    expected = [text.lower() for text in texts * 20]
    clean = [" ".join(text.replace(" .", ".").replace(" ,", ",").lower().split()) for text in found]
    assert clean[:-1] == expected[: len(clean) - 1]  # the last is cut where the held-out part begins
    assert corpus.train.manifest.sentences == len(found) > 500


def test_sentences_change_no_token(folder: Path, tmp_path: Path) -> None:
    without = prepare(folder, tmp_path / "without", seed=0)
    with_ = prepare(folder, tmp_path / "with", seed=0, sentences=True)
    for ours, theirs in ((with_.train, without.train), (with_.held_out, without.held_out)):
        same = {name: ours.manifest.sha256[name] for name in theirs.manifest.sha256}
        assert same == theirs.manifest.sha256
        assert ours.manifest.sentences == 10 * ours.manifest.documents
        assert theirs.manifest.sentences is None


REMAKES: dict[str, Callable[[Path, Path], Corpus]] = {
    "text": change_text,
    "seed": lambda folder, tokens: prepare(folder, tokens, seed=1),
    "vocabulary": lambda folder, tokens: prepare(folder, tokens, seed=0, vocab_size=80),
    "kind": lambda folder, tokens: prepare(folder, tokens, seed=0, kind="bytelevel"),
    "sentences": lambda folder, tokens: prepare(folder, tokens, seed=0, sentences=True),
}


@pytest.mark.parametrize("change", REMAKES)
def test_it_is_made_anew_when_what_it_was_made_from_changes(folder: Path, tmp_path: Path, change: str) -> None:
    before = prepare(folder, tmp_path / "tokens", seed=0)
    after = REMAKES[change](folder, tmp_path / "tokens")
    old, new = before.train.manifest, after.train.manifest
    assert (old.sha256, old.source, old.tokenizer) != (new.sha256, new.source, new.tokenizer)
    asked = json.loads((tmp_path / "tokens" / "corpus.json").read_text(encoding="utf-8"))["asked"]
    assert asked["source"] == new.source


def test_a_making_that_was_killed_starts_again(folder: Path, tmp_path: Path) -> None:
    whole = prepare(folder, tmp_path / "whole", seed=0)
    prepare(folder, tmp_path / "tokens", seed=0)
    (tmp_path / "tokens" / "corpus.json").unlink()  # it is written last
    (tmp_path / "tokens" / "train" / "documents.npy").write_bytes(b"half")
    again = prepare(folder, tmp_path / "tokens", seed=0)
    assert again.train.manifest.sha256 == whole.train.manifest.sha256


def test_damage_is_told_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "tokens", seed=0)
    file = tmp_path / "tokens" / "train" / "documents.npy"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SelftaughtError, match="damaged") as caught:
        prepare(folder, tmp_path / "tokens", seed=0)
    assert caught.value.where == str(file)
    assert str(tmp_path / "tokens") in caught.value.do


def test_a_tokenizer_that_is_given_is_used(folder: Path, tmp_path: Path, tokenizer: TextTokenizer) -> None:
    corpus = prepare(folder, tmp_path / "tokens", seed=0, tokenizer=tokenizer)
    assert corpus.tokenizer is tokenizer
    assert corpus.train.manifest.tokenizer == tokenizer.fingerprint


def test_chinese_is_recognised_and_none_of_it_unknown(tmp_path: Path) -> None:
    lines = [f"第{number}条 任何公民享有宪法和法律规定的权利，龘靐鬱𠮷。" for number in "一二三四五六七八九十"] * 30
    (tmp_path / "laws.txt").write_text("\n".join(lines), encoding="utf-8")
    corpus = prepare(tmp_path / "laws.txt", tmp_path / "tokens", seed=0)
    assert corpus.chinese
    ids = corpus.train.take(np.arange(len(corpus.train)))
    assert corpus.tokenizer.backend.token_to_id("[UNK]") not in ids
    assert {"龘", "𠮷", "法"} <= set(corpus.tokenizer.tokens)


def test_quarantined_rows_are_counted_and_listed(tmp_path: Path) -> None:
    rows = [json.dumps({"text": f"row {i} of the file"}) for i in range(200)]
    rows[17] = '{"text": '
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    corpus = prepare(tmp_path / "rows.jsonl", tmp_path / "tokens", seed=0)
    assert (corpus.tally["rows"], corpus.tally["kept"], corpus.tally["quarantined_rows"]) == (200, 199, 1)
    log = [json.loads(line) for line in (tmp_path / "tokens" / "quarantine.jsonl").read_text().splitlines()]
    assert [(Path(record["file"]).name, record["line"]) for record in log] == [("rows.jsonl", 18)]
    kept = documents_of(corpus.train, corpus.tokenizer) + documents_of(corpus.held_out, corpus.tokenizer)
    assert len(kept) == 199


def test_a_few_long_records_are_held_out_from_too(tmp_path: Path, texts: list[str]) -> None:
    """Each record is a document of one row, and too long to be held out whole."""
    book = " ".join(texts * 60)
    rows = [json.dumps({"text": f"{i} {book}"}) for i in range(10)]
    (tmp_path / "books.jsonl").write_text("\n".join(rows), encoding="utf-8")
    corpus = prepare(tmp_path / "books.jsonl", tmp_path / "tokens", seed=0)
    assert 0.01 < len(corpus.held_out) / (len(corpus.train) + len(corpus.held_out)) < 0.12


def test_no_text_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no text"):
        prepare(tmp_path / "empty.txt", tmp_path / "tokens", seed=0)
