"""A transformer that begins with word vectors: what its tokens mean, as far as words tell.

A token has the mean of the vectors of the words that it is a part of, each word as often as it occurs (after Minixhofer
et al. 2022, "WECHSEL", section 3, where subwords are placed by the words they stand in).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from selftaught.randomness import derive
from selftaught.word2vec.model import WordModel


@dataclass(frozen=True)
class TokenVectors:
    """Vectors of tokens.

    Args:
        vectors: float32 [T, D]; zero for a token that no word has.
        known: bool [T], whether one has.
    """

    vectors: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, model: WordModel, encode: Callable[[Sequence[str]], list[list[int]]], tokens: int) -> "TokenVectors":
        """Those of a tokenizer.

        Args:
            encode: texts to ids.
            tokens: in its vocabulary.
        """
        words, counts = model.vocabulary.words, model.vocabulary.counts
        sums, weights = np.zeros((tokens, model.vectors.shape[1])), np.zeros(tokens)
        for form in _FORMS:
            for word, ids in enumerate(encode([form(text.replace("_", " ")) for text in words])):
                np.add.at(sums, ids, counts[word] * model.vectors[word])
                np.add.at(weights, ids, counts[word])
        return cls((sums / np.maximum(weights, 1)[:, None]).astype(np.float32), weights > 0)

    @torch.no_grad()
    def begin(self, embeddings: nn.Embedding, seed: int) -> None:
        """Set the rows of the known tokens, with the length that such rows have on average; the others stay.

        Where there are more numbers to a row than to a vector, they are turned at random in the wider space, which
        leaves all angles as they are; where there are less, those directions are kept in which the vectors differ most.
        """
        table = embeddings.weight
        rows = torch.from_numpy(self.vectors[self.known] @ _turn(self.vectors[self.known], table.shape[1], seed))
        rows *= table.norm(dim=1).mean().cpu() / rows.norm(dim=1).mean().clamp_min(1e-12)
        table[torch.from_numpy(self.known).to(table.device)] = rows.to(table)


def _turn(vectors: np.ndarray, width: int, seed: int) -> np.ndarray:
    """The matrix [D, width] that takes vectors into rows of another width."""
    if vectors.shape[1] > width:
        _, _, directions = np.linalg.svd(vectors, full_matrices=False)
        return directions[:width].T
    drawn = np.random.default_rng(derive("turn", seed)).normal(size=(width, vectors.shape[1]))
    columns, _ = np.linalg.qr(drawn)
    return np.ascontiguousarray(columns.T, np.float32)


# As the words of a vocabulary in small letters may stand in a text: a tokenizer may know these apart.
_FORMS: tuple[Callable[[str], str], ...] = (str, str.capitalize, " {}".format, lambda word: f" {word.capitalize()}")
