"""Single sentences as samples: which they are, by hand, and that no token is lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.data.corpus import tokenise_all
from selftaught.data.sentences import Sentences
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch, Spec, TextSpec

Documents = list[list[int]]
NewStore = Callable[[Documents], TokenStore]


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> NewStore:
    """Documents of sentences of given lengths; the ordinary tokens are 100, 101, … in order."""

    def new(documents: Documents) -> TokenStore:
        assert spec.text is not None
        folder = tmp_path_factory.mktemp("store") / "tokens"
        opening, closing = (spec.text.cls_id or 0,), (spec.text.sep_id or 0,)
        writer = StoreWriter(
            folder, source="", tokenizer="", vocab_size=1 << 17, opening=opening, closing=closing, sentences=True
        )
        token = 100
        for sizes in documents:
            writer.begin_document()
            writer.add(np.arange(token, token + sum(sizes)), np.cumsum([0, *sizes])[:-1])
            token += sum(sizes)
        writer.close()
        return TokenStore(folder)

    return new


@pytest.fixture
def text(spec: Spec) -> TextSpec:
    assert spec.text is not None
    return spec.text


def samples(sentences: Sentences) -> tuple[list[list[int]], Batch]:
    """All of them, without padding and what opens and closes them; and the batch."""
    batch = sentences.take(np.arange(len(sentences)), np.zeros(len(sentences), int))
    rows = [ids[mask].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
    assert all(row[0] == sentences.spec.cls_id and row[-1] == sentences.spec.sep_id for row in rows)
    return [row[1:-1] for row in rows], batch


def test_short_ones_are_joined_and_long_ones_cut(new_store: NewStore, text: TextSpec) -> None:
    """Row length 8, so six tokens a sample: 5 | 2+4 | 7 cut to 6 and 1 || 2 alone || 4 | 5+1 cut to 6."""
    found, batch = samples(Sentences(new_store([[5, 2, 4, 7], [2], [4, 5, 1]]), 8, text))
    expected = [range(100, 105), range(105, 111), range(111, 117), range(117, 118), range(118, 120)]
    expected += [range(120, 124), range(124, 130)]
    assert found == [list(span) for span in expected]
    assert batch["input_ids"].shape == (7, 8)
    assert batch["input_ids"][4].tolist() == [text.cls_id, 118, 119, text.sep_id] + [text.pad_id] * 4
    assert batch["attention_mask"][4].tolist() == [True] * 4 + [False] * 4


def test_padding_is_not_counted_as_tokens(new_store: NewStore, text: TextSpec) -> None:
    sentences = Sentences(new_store([[5, 9]]), 64, text)
    assert sentences.tokens == 7 + 2
    assert str(sentences) == "2 sentences an epoch, of 9 tokens on average"


def test_a_batch_is_as_wide_as_its_longest_sentence(new_store: NewStore, text: TextSpec) -> None:
    sentences = Sentences(new_store([[5, 9]]), 64, text)
    assert sentences.take(np.array([0]), np.array([0]))["input_ids"].shape == (1, 7)
    assert sentences.take(np.array([1, 0]), np.array([3, 4]))["input_ids"].shape == (2, 11)


@settings(max_examples=40)
@given(
    documents=st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=8), min_size=1, max_size=6),
    length=st.integers(8, 30),
)
def test_no_token_is_lost(new_store: NewStore, spec: Spec, documents: Documents, length: int) -> None:
    assert spec.text is not None
    found, batch = samples(Sentences(new_store(documents), length, spec.text))
    assert [token for row in found for token in row] == list(range(100, 100 + sum(map(sum, documents))))
    assert batch["input_ids"].shape[1] <= length
    bounds = set(np.cumsum([100, *map(sum, documents)]).tolist())
    assert all(not bounds & set(row[1:]) for row in found)  # no sample is of two documents


def test_a_tokenizer_without_special_tokens(new_store: NewStore, text: TextSpec) -> None:
    bare = replace(text, cls_id=None, sep_id=None)
    writer_has_closing = Sentences(new_store([[5]]), 8, bare)  # then its closing token is a token like others
    batch = writer_has_closing.take(np.array([0]), np.array([0]))
    assert batch["input_ids"].tolist() == [[*range(100, 105), text.sep_id]]


def test_no_sentence_at_all_is_said(new_store: NewStore, text: TextSpec) -> None:
    with pytest.raises(SelftaughtError, match="not one sentence"):
        Sentences(new_store([]), 8, text)


def test_lines_and_records_of_short_texts_are_sentences(
    tmp_path: Path, tokenizer: TextTokenizer, texts: list[str], text: TextSpec
) -> None:
    """Texts without a full stop, one a line in a file, or one a record."""
    short = [line.partition(",")[0] for line in texts]
    (tmp_path / "lines.txt").write_text("\n".join(short) + "\n", encoding="utf-8")
    (tmp_path / "records.csv").write_text("\n".join(["text", *short]) + "\n", encoding="utf-8")
    for name in ("lines.txt", "records.csv"):
        store, _, _ = tokenise_all(tmp_path / name, tmp_path / f"{name} tokens", tokenizer, sentences=True)
        found, _ = samples(Sentences(store, 64, text))
        assert found == tokenizer.encode(short)
