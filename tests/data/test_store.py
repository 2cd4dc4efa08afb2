"""What is written is what is read, across shards, and damage is named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.data import store
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.errors import SelftaughtError


def write(folder: Path, documents: list[list[int]], vocab_size: int = 100) -> TokenStore:
    """A store of documents, each opened with 1 and closed with 2."""
    writer = StoreWriter(folder, source="text", tokenizer="pieces", vocab_size=vocab_size, opening=(1,), closing=(2,))
    for ids in documents:
        writer.begin_document()
        for piece in (ids[:2], ids[2:]):
            writer.add(piece)
    writer.close()
    return TokenStore(folder)


@settings(max_examples=25)
@given(documents=st.lists(st.lists(st.integers(3, 99), max_size=12), max_size=8), shard=st.integers(1, 9))
def test_documents_come_back_as_they_were_written(
    documents: list[list[int]], shard: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "SHARD_TOKENS", shard)
        found = write(tmp_path_factory.mktemp("store") / "tokens", documents)
    expected = [i for ids in documents for i in [1, *ids, 2]]
    assert len(found) == len(expected)
    assert found.take(np.arange(len(found))).tolist() == expected
    assert found.counts.tolist() == np.bincount(np.array(expected, int), minlength=100).tolist()
    numbers = [n for n, ids in enumerate(documents) for _ in range(len(ids) + 2)]
    assert found.document_of(np.arange(len(found))).tolist() == numbers
    assert found.manifest.documents == len(documents)


def test_sentences_are_where_they_were_said_to_begin(tmp_path: Path) -> None:
    """Counted from the store's first token; a sentence without a token, here the third, is none."""
    writer = StoreWriter(tmp_path / "tokens", source="", tokenizer="", vocab_size=9, opening=(1,), sentences=True)
    writer.begin_document()  # 1 5 5 5 6 6, and 7 7 in a second piece that goes on with the sentence
    writer.add([5, 5, 5, 6, 6], np.array([0, 3, 5]))
    writer.add([7, 7], np.array([], np.int64))
    writer.begin_document()
    writer.add([8], np.array([0, 0]))
    writer.close()
    found = TokenStore(tmp_path / "tokens")
    assert found.sentence_starts.tolist() == [1, 4, 9]
    assert found.manifest.sentences == 3
    assert "sentences.npy" in found.manifest.sha256
    assert sorted(file.name for file in (tmp_path / "tokens").iterdir()) == sorted(
        [*found.manifest.sha256, "MANIFEST.json"]
    )


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_span_is_what_its_positions_hold_across_shards(tmp_path_factory, first: int, more: int) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.getbasetemp() / "spans"
    if not folder.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "SHARD_TOKENS", 7)
            writer = StoreWriter(folder, source="s", tokenizer="t", vocab_size=100)
            writer.begin_document()
            writer.add(range(20))
            writer.close()
    last = min(first + more, 20)
    assert TokenStore(folder).span(first, last).tolist() == list(range(first, last))


def test_a_store_without_sentences_says_so(tmp_path: Path) -> None:
    with pytest.raises(SelftaughtError, match="where sentences begin"):
        _ = write(tmp_path / "tokens", [[10]]).sentence_starts
    StoreWriter(tmp_path / "none", source="", tokenizer="", vocab_size=9, sentences=True).close()
    assert TokenStore(tmp_path / "none").sentence_starts.tolist() == []


def test_positions_of_any_shape(tmp_path: Path) -> None:
    found = write(tmp_path / "tokens", [[10, 11], [12]])  # 1 10 11 2 1 12 2
    assert found.take(np.array([[5, 0], [2, 2]])).tolist() == [[12, 1], [11, 11]]
    assert found.document_of(np.array([[5, 0], [2, 3]])).tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize(("vocab_size", "dtype"), [(1 << 16, "uint16"), ((1 << 16) + 1, "uint32")])
def test_an_id_is_as_wide_as_the_vocabulary_needs(tmp_path: Path, vocab_size: int, dtype: str) -> None:
    found = write(tmp_path / "tokens", [[vocab_size - 1]], vocab_size)
    assert found.manifest.dtype == dtype
    assert found.take(np.array([1])).tolist() == [vocab_size - 1]


@pytest.mark.parametrize("name", ["tokens-00000.npy", "documents.npy", "counts.npy"])
def test_a_flipped_bit_is_noticed_and_its_file_named(tmp_path: Path, name: str) -> None:
    write(tmp_path / "tokens", [[10, 11], [12]])
    file = tmp_path / "tokens" / name
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    with pytest.raises(SelftaughtError, match=r"does not match its SHA-256(?s:.)*" + name):
        TokenStore(tmp_path / "tokens")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "tokens", [[10, 11], [12]])
    (tmp_path / "tokens" / "counts.npy").unlink()
    with pytest.raises(SelftaughtError, match=r"counts\.npy"):
        TokenStore(tmp_path / "tokens")
    with pytest.raises(SelftaughtError, match=r"missing[^\0]*MANIFEST\.json"):
        TokenStore(tmp_path / "elsewhere")


def test_nothing_is_visible_before_it_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "tokens", [[10]])
    writer = StoreWriter(tmp_path / "tokens", source="", tokenizer="", vocab_size=100)
    writer.begin_document()
    writer.add([11, 12])
    assert TokenStore(tmp_path / "tokens").take(np.arange(3)).tolist() == [1, 10, 2]
    writer.close()
    assert TokenStore(tmp_path / "tokens").take(np.arange(2)).tolist() == [11, 12]
