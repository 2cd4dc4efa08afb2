"""Trained word vectors in use: a run's model folder, nearest words, sums of words, and vectors of texts.

model/vectors.bin   words and their vectors in word2vec's binary form, which gensim and others read
model/ngrams.bin    the same of the character n-grams that unknown words are made of, where there are any
model/config.json   what they are, and how often each word occurs
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from selftaught.data.files import read_json
from selftaught.data.manifest import refuse_damaged
from selftaught.errors import SelftaughtError, saving
from selftaught.randomness import derive
from selftaught.run.folder import folder_of_kind
from selftaught.word2vec.formats import read_binary, write_binary
from selftaught.word2vec.ngrams import ngrams_of
from selftaught.word2vec.options import WordObjective, word_objective
from selftaught.word2vec.phrases import joined
from selftaught.word2vec.vocabulary import Vocabulary
from selftaught.word2vec.words import words_of

KIND = "word2vec"  # what config.json calls itself; no transformer has this name
_COMMON = 1e-3  # a word that is this share of the text counts half in a text's vector (Arora et al. 2017, section 3)


@dataclass(frozen=True)
class WordModel:
    """Words and their vectors.

    Args:
        vectors: float32 [V, D].
        objective: what they were trained for, and how a text is cut into words.
        ngrams: parts of words, in whose vectors an unknown word has one.
        ngram_vectors: float32 [G, D].
    """

    vocabulary: Vocabulary
    vectors: np.ndarray
    objective: WordObjective
    ngrams: tuple[str, ...] = ()
    ngram_vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.float32))

    def save(self, folder: Path) -> None:
        """Write the model folder."""
        with saving(folder):
            write_binary(folder / "vectors.bin", self.vocabulary.words, self.vectors)
            if self.ngrams:
                write_binary(folder / "ngrams.bin", self.ngrams, self.ngram_vectors)
            facts = {"model_type": KIND, "objective": self.objective.name, "options": asdict(self.objective)}
            facts["counts"] = self.vocabulary.counts.tolist()
            (folder / "config.json").write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, place: str | Path) -> "WordModel":
        """Open a run, or its model folder.

        Raises:
            SelftaughtError: if there are no word vectors in it, or they are damaged.
        """
        folder = folder_of_kind(Path(place), (KIND,))
        if folder is None:
            refuse_damaged(Path(place) / "model")  # what says of which kind it is may be what is damaged
            raise SelftaughtError(
                "there are no word vectors here",
                where=str(place),
                do="give a run of selftaught pretrain --objective skipgram",
            )
        refuse_damaged(folder)
        words, vectors = read_binary(folder / "vectors.bin")
        try:
            facts = read_json(folder / "config.json")
            objective = word_objective(facts["objective"], facts["options"])
            counts = np.array(facts["counts"], np.int64)
        except (OSError, ValueError, KeyError, TypeError) as error:
            where = str(folder / "config.json")
            raise SelftaughtError(f"the file is damaged: {error}", where=where, do="repeat the run") from error
        if len(counts) != len(words):
            what = f"vectors.bin has {len(words)} words, and config.json counts {len(counts)}"
            raise SelftaughtError(what, where=str(folder), do="repeat the run")
        parts = read_binary(folder / "ngrams.bin") if (folder / "ngrams.bin").exists() else ()
        return cls(Vocabulary(words, counts), vectors, objective, *parts)

    @cached_property
    def units(self) -> np.ndarray:
        """The vectors at length one, float32 [V, D]."""
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.vectors / np.maximum(lengths, np.float32(1e-12))

    def words(self, text: str) -> list[str]:
        """The words of a text, as they were cut in training, known or not."""
        alone = words_of(text, characters=self.objective.characters, cased=self.objective.cased)
        return list(joined(alone, self.vocabulary.phrases))

    @cached_property
    def _ngram_numbers(self) -> dict[str, int]:
        return {part: number for number, part in enumerate(self.ngrams)}

    def vector(self, word: str) -> np.ndarray | None:
        """The vector of a word, float32 [D]; an unknown one has the mean of its n-grams', or None."""
        if (found := self.vocabulary.numbers.get(word)) is not None:
            return self.vectors[found]
        if not self.ngrams:
            return None
        numbers = self._ngram_numbers
        parts = [
            numbers[part] for part in ngrams_of(word, self.objective.min_n, self.objective.max_n) if part in numbers
        ]
        return self.ngram_vectors[parts].mean(0) if parts else None

    def unit(self, word: str) -> np.ndarray:
        """The vector of a word at length one, float32 [D].

        Raises:
            SelftaughtError: if it is not known, with the known one that is spelled most like it.
        """
        given = self.spelled(word)
        if (found := self.vector(given)) is not None:
            return found / np.maximum(np.linalg.norm(found), np.float32(1e-12))
        near = difflib.get_close_matches(given, self.vocabulary.words, 1)
        do = f"did you mean {near[0]}?" if near else f"it occurs less than {self.objective.min_count} times in the text"
        raise SelftaughtError(f"the word {word!r} is not known", do=do)

    def spelled(self, word: str) -> str:
        """A word with capitals or without, as the model has them."""
        return word if self.objective.cased else word.lower()

    def sum_of(self, signed: Sequence[tuple[float, str]]) -> tuple[np.ndarray, list[int]]:
        """The mean of words' unit vectors, each with its sign, float32 [D], and the numbers of those that have one.

        Raises:
            SelftaughtError: if a word is not known, and nothing of it.
        """
        known, signs = self.vocabulary.numbers, np.array([sign for sign, _ in signed], np.float32)
        units = np.stack([self.unit(word) for _, word in signed])
        numbers = [known[given] for _, word in signed if (given := self.spelled(word)) in known]
        return (signs[:, None] * units).mean(0), numbers

    def nearest(self, vector: np.ndarray, top: int, without: Sequence[int] = ()) -> list[tuple[str, float]]:
        """The words whose vectors point most in the direction of one, with their cosines; not those ``without``."""
        cosines = self.units @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        cosines[list(without)] = -np.inf
        count = min(top, len(cosines) - len(set(without)))
        best = np.argpartition(-cosines, max(count - 1, 0))[:count]
        best = best[np.argsort(-cosines[best], kind="stable")]
        return [(self.vocabulary.words[i], float(cosines[i])) for i in best]

    def drawn_anew(self, seed: int) -> "WordModel":
        """The same words with vectors drawn at random, of the length that the trained ones have on average."""
        generator = np.random.default_rng(derive("untrained", seed))
        both = _as_long(self.vectors, generator), _as_long(self.ngram_vectors, generator)
        return replace(self, vectors=both[0], ngram_vectors=both[1])

    @cached_property
    def weights(self) -> np.ndarray:
        """What each word counts in a text's vector, float32 [V]: the more common, the less (Arora et al. 2017)."""
        return (_COMMON / (_COMMON + self.vocabulary.shares)).astype(np.float32)

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """The weighted mean of each text's words, float32 [N, D]; zero for a text without a known word."""
        rows = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
        numbers = self.vocabulary.numbers
        for row, text in enumerate(texts):
            found = [
                (vector, numbers.get(word)) for word in self.words(text) if (vector := self.vector(word)) is not None
            ]
            if found:
                weights = [1.0 if number is None else self.weights[number] for _, number in found]
                rows[row] = np.average([vector for vector, _ in found], axis=0, weights=weights)
        return rows


def _as_long(vectors: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As many vectors drawn at random, of the length that these have on average."""
    if not len(vectors):
        return vectors
    drawn = generator.normal(size=vectors.shape)
    drawn *= np.linalg.norm(vectors, axis=1).mean() / np.linalg.norm(drawn, axis=1).mean()
    return drawn.astype(np.float32)


def holds_words(place: str | Path) -> bool:
    """Whether this is a run, or a model folder, of word vectors."""
    return folder_of_kind(Path(place), (KIND,)) is not None


def signed_words(expression: str) -> list[tuple[float, str]]:
    """``king - man + woman`` as words with their signs; one word is itself. Signs stand between spaces.

    Raises:
        SelftaughtError: if a sign stands alone, or two words have none between them.
    """
    found: list[tuple[float, str]] = []
    sign: float | None = 1.0
    for part in expression.split():
        if part in "+-":
            if sign is not None and found:
                raise SelftaughtError(f"two signs follow each other in {expression!r}", do='write "king - man + woman"')
            sign = 1.0 if part == "+" else -1.0
        elif sign is None:
            raise SelftaughtError(f"no sign stands before {part!r} in {expression!r}", do='write "king - man + woman"')
        else:
            found.append((sign, part))
            sign = None
    if not found or sign is not None:
        raise SelftaughtError(f"a word is missing in {expression!r}", do='write "king - man + woman"')
    return found
