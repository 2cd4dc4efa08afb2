"""Documents as samples."""

from pathlib import Path

import numpy as np
import pytest

from selftaught.data.documents import Documents
from selftaught.data.store import StoreWriter, TokenStore

SIZES = (3, 20, 1, 8)


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    writer = StoreWriter(tmp_path / "store", source="", tokenizer="", vocab_size=1000)
    for number, size in enumerate(SIZES):
        writer.begin_document()
        writer.add([100 * number + place for place in range(size)])
    writer.close()
    return Documents(TokenStore(tmp_path / "store"), length=8, seed=0, pad_id=999)


def test_a_sample_is_a_window_of_one_document(documents: Documents) -> None:
    assert len(documents) == 4
    assert documents.tokens == pytest.approx((3 + 8 + 1 + 8) / 4)
    batch = documents.take(np.arange(4), np.zeros(4, np.int64))
    for number, (row, mask) in enumerate(zip(batch["input_ids"], batch["attention_mask"], strict=True)):
        seen = row[mask].tolist()
        assert len(seen) == min(SIZES[number], 8)
        assert seen == [*range(seen[0], seen[0] + len(seen))]  # without a gap
        assert 100 * number <= seen[0] <= seen[-1] < 100 * number + SIZES[number]
        assert set(row[~mask].tolist()) <= {999}


def test_every_part_of_a_long_document_is_seen_in_some_epoch(documents: Documents) -> None:
    epochs = np.arange(100)
    batch = documents.take(np.ones(100, np.int64), epochs)
    assert set(batch["input_ids"].flatten().tolist()) == {100 + place for place in range(20)}


def test_a_sample_does_not_depend_on_its_batch(documents: Documents) -> None:
    alone = documents.take(np.array([1]), np.array([7]))["input_ids"]
    assert alone.tolist() == documents.take(np.array([3, 1]), np.array([2, 7]))["input_ids"][1:].tolist()
