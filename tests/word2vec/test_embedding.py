"""The tokens of a transformer begin where the words stand that they are parts of."""

import numpy as np
import pytest
import torch
from torch import nn

from selftaught.word2vec.embedding import TokenVectors
from selftaught.word2vec.model import WordModel
from selftaught.word2vec.options import SkipGram
from selftaught.word2vec.vocabulary import Vocabulary


def model(dimensions: int) -> WordModel:
    vectors = np.random.default_rng(0).normal(size=(3, dimensions)).astype(np.float32)
    return WordModel(Vocabulary(("walk", "walked", "run"), np.array([6, 3, 1])), vectors, SkipGram())


def encode(texts: list[str]) -> list[list[int]]:
    """``walk`` is token 1, ``ed`` token 2, ``run`` token 4; nothing is tokens 0 and 3."""
    ids = {"walk": [1], "walked": [1, 2], "run": [4]}
    return [ids[text.strip().lower()] for text in texts]


def test_a_token_is_the_mean_of_its_words() -> None:
    words = model(8)
    found = TokenVectors.of(words, encode, 5)
    assert found.known.tolist() == [False, True, True, False, True]
    assert found.vectors[1] == pytest.approx((6 * words.vectors[0] + 3 * words.vectors[1]) / 9, rel=1e-5)
    assert found.vectors[2] == pytest.approx(words.vectors[1], rel=1e-5)


@pytest.mark.parametrize("width", [8, 20])
def test_a_wide_enough_table_has_all_their_angles_and_its_own_length(width: int) -> None:
    torch.manual_seed(0)
    table, found = nn.Embedding(5, width), TokenVectors.of(model(8), encode, 5)
    before = table.weight.detach().clone()
    found.begin(table, seed=0)
    rows, vectors = table.weight.detach().numpy()[found.known], found.vectors[found.known]
    assert _cosines(rows) == pytest.approx(_cosines(vectors), abs=1e-5)
    assert np.linalg.norm(rows, axis=1).mean() == pytest.approx(float(before.norm(dim=1).mean()), rel=1e-5)
    assert torch.equal(table.weight[[0, 3]], before[[0, 3]])


def test_a_narrow_table_keeps_what_sets_them_apart() -> None:
    """Vectors that lie in a plane have the same angles in two numbers."""
    words = model(8)
    words.vectors[:, 2:] = 0
    table, found = nn.Embedding(5, 2), TokenVectors.of(words, encode, 5)
    found.begin(table, seed=0)
    rows = table.weight.detach().numpy()[found.known]
    assert _cosines(rows) == pytest.approx(_cosines(found.vectors[found.known]), abs=1e-5)


def _cosines(rows: np.ndarray) -> np.ndarray:
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return units @ units.T
