"""Tokenising a corpus word by word: each word once, and looked up whenever it comes again.

A corpus says most of its words many times, and a tokenizer that splits at white space first makes the same tokens of
a word wherever it stands. Looking a word up is ten times as fast as tokenising it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from tokenizers import Tokenizer, normalizers, pre_tokenizers

from selftaught.data.tokenise import TextTokenizer

_REMEMBERED = 1 << 19  # words; then all are forgotten, and the frequent ones are soon known again
_GROUP = 256
_NEW_SHARE = 0.25  # from which on looking up does not pay: Chinese has no spaces, base64 no repetitions
# Python splits at these too, where BERT's normalisation drops them and joins what stands on both sides.
_NO_SPACE = re.compile("[\x0b\x0c\x1c-\x1f\x85]")


class WordwiseEncoder:
    """The same ids as :meth:`TextTokenizer.encode`, faster on long texts with spaces, for one thread at a time.

    Args:
        tokenizer: any; one whose words do not stand alone is simply called.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self.vocab_size = tokenizer.vocab_size
        self.dtype = np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)  # of ids
        self._stand_alone = _words_stand_alone(tokenizer.backend)
        self._known: dict[str, bytes] = {}

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of each text, without special tokens; together the texts should be some hundred thousand words."""
        if not self._stand_alone or any(map(_NO_SPACE.search, texts)):
            return self._directly(texts)
        words = [text.split() for text in texts]
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        new = list(set(chain.from_iterable(words)).difference(self._known))
        if len(new) > _NEW_SHARE * sum(map(len, words)):
            return self._directly(texts)
        self._known.update(zip(new, self._one_by_one(new), strict=True))
        return [np.frombuffer(b"".join(map(self._known.__getitem__, some)), self.dtype) for some in words]

    def encode_split(
        self, texts: Sequence[str], starts: Sequence[Sequence[int]]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """The ids of each text as :meth:`encode` gives them, and the places among them where its sentences begin.

        Args:
            starts: where the sentences of each text begin, in characters, increasing. Each must follow white space or
                punctuation. The token that reaches beyond a start, if there is no token that begins there, is the
                sentence's first.
        """
        if not self._stand_alone:
            encodings = self._tokenizer.backend.encode_batch(texts, add_special_tokens=False)
            return [self._placed(encoding, begins) for encoding, begins in zip(encodings, starts, strict=True)]
        parts = [
            [text[begin:end] for begin, end in pairwise([0, *begins, len(text)])]
            for text, begins in zip(texts, starts, strict=True)
        ]
        encoded = iter(self.encode(list(chain.from_iterable(parts))))
        own = [[next(encoded) for _ in some] for some in parts]
        return [(np.concatenate(ids), np.cumsum([len(part) for part in ids])[:-1]) for ids in own]

    def _placed(self, encoding: Any, begins: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        ends = np.maximum.accumulate(np.array([end for _, end in encoding.offsets], np.int64))
        return np.array(encoding.ids, self.dtype), np.searchsorted(ends, np.array(begins, np.int64), "right")

    def _one_by_one(self, words: list[str]) -> Iterator[bytes]:
        """The ids of each word as bytes; many words go into one call, for a call costs more than a word."""
        groups = [words[i : i + _GROUP] for i in range(0, len(words), _GROUP)]
        encoded = self._tokenizer.backend.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
        for group, encoding in zip(groups, encoded, strict=True):
            ids = np.array(encoding.ids, self.dtype).tobytes()
            ends = np.searchsorted(np.array(encoding.word_ids), np.arange(len(group)), "right") * self.dtype.itemsize
            for begin, end in pairwise([0, *ends.tolist()]):
                yield ids[begin:end]

    def _directly(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.array(ids, self.dtype) for ids in self._tokenizer.encode(texts)]


def _words_stand_alone(backend: Tokenizer) -> bool:
    """Whether no token, and nothing that decides about one, reaches across white space."""
    first = backend.pre_tokenizer
    if isinstance(first, pre_tokenizers.Sequence):
        first = first[0]
    if not isinstance(first, pre_tokenizers.BertPreTokenizer):
        return False
    if not isinstance(backend.normalizer, normalizers.BertNormalizer):
        return False
    added = backend.get_added_tokens_decoder().values()
    return not any(character.isspace() for token in added for character in token.content)
