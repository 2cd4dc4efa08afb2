"""Tokenizers: trained on the corpus at hand, or the one that comes with a checkpoint.

Encoders get WordPiece with Chinese characters split (Devlin et al. 2019), decoders byte-level BPE (Radford et
al. 2019). Whatever the sample it was trained on, no character of the corpus becomes unknown.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from selftaught.errors import SelftaughtError
from selftaught.objective import TextSpec
from selftaught.pretext.words import surfaces, word_starts

Kind = Literal["wordpiece", "bytelevel", "metaspace"]
TrainedKind = Literal["wordpiece", "bytelevel"]

WORDPIECE_SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
BYTELEVEL_SPECIALS = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}
_LONGEST_WORD = 100  # characters; a longer "word" (a URL, base64) is cut, where BERT would call it unknown


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer and the names of its special tokens.

    A special token that stands written out in a text is text: no document can end itself, or hide its own words.

    Args:
        backend: the tokenizer of the ``tokenizers`` library.
        specials: token by role, with transformers' names: ``pad_token``, ``mask_token``, …
    """

    backend: Tokenizer
    specials: dict[str, str]

    def __post_init__(self) -> None:
        self.backend.encode_special_tokens = True  # as text; the tokenizer's file does not hold this

    def __getstate__(self) -> dict[str, Any]:  # worker processes get it as text, as the file holds it
        return {"backend": self.backend.to_str(), "specials": self.specials}

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "backend", Tokenizer.from_str(state["backend"]))
        object.__setattr__(self, "specials", state["specials"])
        self.__post_init__()

    @property
    def vocab_size(self) -> int:
        return self.backend.get_vocab_size()

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The vocabulary in order of ids."""
        return tuple(self.backend.id_to_token(i) or "" for i in range(self.vocab_size))

    @cached_property
    def kind(self) -> Kind:
        """How its tokens mark words; see :mod:`selftaught.pretext.words`."""
        if any(token.startswith("##") for token in self.tokens):
            return "wordpiece"
        if any(token.startswith("▁") for token in self.tokens):
            return "metaspace"
        return "bytelevel" if any(token.startswith("Ġ") for token in self.tokens) else "wordpiece"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides which ids a text becomes, special tokens around it aside."""
        plain = Tokenizer.from_str(self.backend.to_str())
        plain.post_processor = None
        return hashlib.sha256(plain.to_str().encode()).hexdigest()

    def id_of(self, *roles: str) -> int | None:
        """The id of the first of these roles that the tokenizer has."""
        for role in roles:
            if role in self.specials:
                return self.backend.token_to_id(self.specials[role])
        return None

    @cached_property
    def start_id(self) -> int | None:
        """The token that opens a document."""
        return self.id_of("cls_token", "bos_token")

    @cached_property
    def end_id(self) -> int | None:
        """The token that closes a document."""
        return self.id_of("sep_token", "eos_token")

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, without special tokens."""
        return [encoding.ids for encoding in self.backend.encode_batch_fast(texts, add_special_tokens=False)]

    def encode_with_places(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """As :meth:`encode`, and for each token where what it stands for begins and ends in the text, in characters.

        White space around it is left out. The places are those of the text as it is given, however it is normalised.
        """
        encodings = self.backend.encode_batch(texts, add_special_tokens=False)
        return [
            (encoding.ids, [_without_space(text, *place) for place in encoding.offsets])
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def batch(self, texts: Sequence[str], longest: int) -> dict[str, torch.Tensor]:
        """Texts as a padded batch: ``input_ids`` int64 and ``attention_mask`` bool, [B, T] with T <= ``longest``.

        Each text is opened and closed as a document is in pretraining; what does not fit is cut at its end.
        """
        return self.padded(self.framed(texts, longest))

    def framed(self, texts: Sequence[str], longest: int) -> list[list[int]]:
        """The ids of each text, opened and closed as in :meth:`batch`."""
        opening, closing = self._ends()
        room = longest - len(opening) - len(closing)
        return [opening + ids[:room] + closing for ids in self.encode(texts)]

    def cloze(self, text: str, longest: int) -> dict[str, torch.Tensor]:
        """As :meth:`batch` of one text, in which special tokens are what they say: a ``[MASK]`` is a place to fill."""
        opening, closing = self._ends()
        ids = Tokenizer.from_str(self.backend.to_str()).encode(text, add_special_tokens=False).ids
        return self.padded([opening + ids[: longest - len(opening) - len(closing)] + closing])

    def batch_of_pairs(self, first: Sequence[str], second: Sequence[str], longest: int) -> dict[str, torch.Tensor]:
        """Pairs of texts as a padded batch: as :meth:`batch`, and ``token_type_ids`` int64, 1 in the second text.

        A pair is opened, parted and closed as BERT does it, or as the checkpoint does that the tokenizer came with.
        Of a pair that is too long, the longer text is cut first.
        """
        opening, between, closing = self.frame
        room = longest - len(opening) - len(between) - len(closing)
        rows, begins = [], []
        for one, other in zip(self.encode(first), self.encode(second), strict=True):
            one, other = cut_pair(one, other, room)
            rows.append(opening + one + between + other + closing)
            begins.append(len(opening) + len(one) + len(between))
        batch = self.padded(rows)
        places = torch.arange(batch["input_ids"].shape[1])
        batch["token_type_ids"] = ((places >= torch.tensor(begins)[:, None]) & batch["attention_mask"]).long()
        return batch

    def padded(self, rows: Sequence[Sequence[int]], *, before: bool = False) -> dict[str, torch.Tensor]:
        """Rows of ids as ``input_ids`` int64 and ``attention_mask`` bool, [B, T] with T the longest of them.

        Args:
            before: put the padding before the tokens, so that all rows can be continued.
        """
        width = max(map(len, rows), default=0) or 1
        input_ids = torch.full((len(rows), width), self.id_of("pad_token") or 0)
        attention_mask = torch.zeros((len(rows), width), dtype=torch.bool)
        for i, row in enumerate(rows):
            place = slice(width - len(row), None) if before else slice(len(row))
            input_ids[i, place] = torch.tensor(row)
            attention_mask[i, place] = True
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    @property
    def frame(self) -> tuple[list[int], list[int], list[int]]:
        """The tokens that open a pair of texts, those that part the two, and those that close the pair."""
        opening, closing = self._ends()
        special = self.backend.num_special_tokens_to_add(True)  # 4 for RoBERTa, which parts the texts by two tokens
        return opening, closing * max(1, special - len(opening) - len(closing)), closing

    def _ends(self) -> tuple[list[int], list[int]]:
        """The tokens that open a document and those that close it."""
        opening = [] if self.start_id is None else [self.start_id]
        return opening, [] if self.end_id is None else [self.end_id]

    def spec(self, unigram: np.ndarray | None = None) -> TextSpec:
        """What a pretext may know; ``unigram`` are token counts [V], uniform if not given."""
        counts = np.ones(self.vocab_size) if unigram is None else unigram.astype(np.float64)
        special = torch.zeros(self.vocab_size, dtype=torch.bool)
        special[[i for i in map(self.backend.token_to_id, self.specials.values()) if i is not None]] = True
        return TextSpec(
            vocab_size=self.vocab_size,
            pad_id=self.id_of("pad_token") or 0,
            mask_id=self.id_of("mask_token"),
            cls_id=self.start_id,
            sep_id=self.end_id,
            special=special,
            starts_word=word_starts(self.tokens, self.kind),
            surfaces=surfaces(self.tokens, self.kind),
            unigram=torch.from_numpy(counts / counts.sum()).float(),
        )

    def save(self, folder: Path, longest_row: int, *, token_types: bool = False, closes: bool = True) -> None:
        """Write the two files that transformers' AutoTokenizer reads.

        There too, it then opens and closes texts and parts pairs with the special tokens that :meth:`batch` puts.

        Args:
            token_types: whether the network is to be told which of two texts a token is in.
            closes: false for a model that is to continue the texts it is given.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._opening_and_closing(closes).save(str(folder / "tokenizer.json"))
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": longest_row,
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", *(["token_type_ids"] if token_types else []), "attention_mask"],
            **self.specials,
        }
        text = json.dumps(config, ensure_ascii=False, indent=2)
        (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")

    def _opening_and_closing(self, closes: bool) -> Tokenizer:
        """A backend that does by itself what :meth:`batch` and :meth:`batch_of_pairs` do, or that only opens texts."""
        backend = Tokenizer.from_str(self.backend.to_str())
        opening, closing = self._ends()
        closing = closing if closes else []
        probe = "a"
        if backend.encode(probe).ids != opening + self.encode([probe])[0] + closing:  # else it came with a checkpoint
            before, behind = ([self.tokens[i] for i in ids] for ids in (opening, closing))
            backend.post_processor = processors.TemplateProcessing(
                single=[*before, "$A", *behind],
                pair=[*before, "$A", *behind, "$B:1", *(f"{token}:1" for token in behind)],
                special_tokens=[(self.tokens[i], i) for i in {*opening, *closing}],
            )
        return backend


def _without_space(text: str, begin: int, end: int) -> tuple[int, int]:
    """A part of a text without the space around it; of nothing but space, the empty part at its end."""
    part = text[begin:end]
    begin += len(part) - len(part.lstrip())
    return begin, max(begin, end - (len(part) - len(part.rstrip())))


def cut_pair(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Two texts shortened to ``room`` tokens together: the longer one first, then both alike."""
    short, long = sorted((len(first), len(second)))
    if short + long > room:
        short = min(short, room // 2)
        long = room - short
    if len(first) > len(second):
        short, long = long, short
    return first[:short], second[:long]


def load_tokenizer(folder: Path) -> TextTokenizer:
    """The tokenizer of a run or checkpoint folder (``tokenizer.json`` and its configuration).

    Raises:
        SelftaughtError: if there is none, or it cannot be read.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise SelftaughtError(
            "this model folder has no tokenizer.json",
            where=str(folder),
            do="write it with transformers: AutoTokenizer.from_pretrained(...).save_pretrained(folder)",
        )
    try:
        backend = Tokenizer.from_str(file.read_text(encoding="utf-8"))
        specials: dict[str, str] = {}
        for name in ("special_tokens_map.json", "tokenizer_config.json"):
            if (folder / name).is_file():
                specials |= _special_tokens(json.loads((folder / name).read_text(encoding="utf-8")))
    except Exception as error:  # tokenizers raises bare Exception for a malformed file
        raise SelftaughtError(
            f"the tokenizer cannot be read: {error}", where=str(file), do="restore the file"
        ) from error
    backend.no_padding()
    backend.no_truncation()
    return TextTokenizer(backend, {role: t for role, t in specials.items() if backend.token_to_id(t) is not None})


def _special_tokens(config: dict[str, Any]) -> dict[str, str]:
    """The roles of a transformers configuration, whose values are strings or objects with a ``content``."""
    found = {}
    for role in {*WORDPIECE_SPECIALS, *BYTELEVEL_SPECIALS}:
        value = config.get(role)
        if isinstance(value, dict):
            value = value.get("content")
        if isinstance(value, str):
            found[role] = value
    return found


def vocabulary_size(letters: int, ideographs: int) -> int:
    """How many tokens to learn for a corpus of this size.

    Args:
        letters: characters of the corpus that are not Chinese.
        ideographs: different Chinese characters in it, each of which is a token of its own.

    The vocabulary of alphabetic text grows with the square root of its length (Heaps' law with exponent one
    half): 1 M characters give 2 k tokens, 16 M give 8 k, 256 M and more give 32 k.
    """
    grown = 2 * letters**0.5
    return ideographs + min(32_768, max(512, round(grown / 256) * 256))


def train_tokenizer(
    texts: Iterable[str],
    kind: TrainedKind,
    vocab_size: int,
    alphabet: Iterable[str] = (),
) -> TextTokenizer:
    """Learn a tokenizer.

    Args:
        texts: the sample to learn from.
        kind: ``"wordpiece"`` for encoders, ``"bytelevel"`` for decoders.
        vocab_size: tokens to learn, special tokens included; more if the alphabet alone needs more.
        alphabet: every character of the whole corpus; none of them becomes unknown, in or out of the sample.
    """
    if kind == "bytelevel":
        return _train_bytelevel(texts, vocab_size)
    return _train_wordpiece(texts, vocab_size, alphabet)


def byte_tokenizer() -> TextTokenizer:
    """A token for each byte: a tokenizer that no text has taught, and that therefore tells of none."""
    return _train_bytelevel((), 0)


def _train_bytelevel(texts: Iterable[str], vocab_size: int) -> TextTokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(BYTELEVEL_SPECIALS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return TextTokenizer(backend, dict(BYTELEVEL_SPECIALS))


def _train_wordpiece(texts: Iterable[str], vocab_size: int, alphabet: Iterable[str]) -> TextTokenizer:
    backend = _wordpiece_backend({"[UNK]": 0})
    # Handed over in a fixed order: the trainer would number the pieces of the alphabet as its hash table has them,
    # and break ties between merges by those numbers, so that no two tokenizers of one corpus were the same.
    first = [*WORDPIECE_SPECIALS.values(), *_alphabet_pieces(backend, alphabet)]
    trainer = trainers.WordPieceTrainer(vocab_size=vocab_size, special_tokens=first, show_progress=False)
    backend.train_from_iterator(texts, trainer)
    return TextTokenizer(_wordpiece_backend(backend.get_vocab(with_added_tokens=False)), dict(WORDPIECE_SPECIALS))


def _wordpiece_backend(vocabulary: dict[str, int]) -> Tokenizer:
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=True
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.FixedLength(_LONGEST_WORD)]
    )
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens([AddedToken(t, special=True) for t in WORDPIECE_SPECIALS.values() if t in vocabulary])
    return backend


def _alphabet_pieces(backend: Tokenizer, alphabet: Iterable[str]) -> list[str]:
    """The pieces a character needs to be known: itself, and as a continuation unless it stands alone."""
    pieces = []
    for character in sorted(set(alphabet)):
        for normal in backend.normalizer.normalize_str(character).strip():
            joined = backend.normalizer.normalize_str(f"a{normal}")
            alone = len(backend.pre_tokenizer.pre_tokenize_str(joined)) > 1
            pieces += [normal] if alone else [normal, f"##{normal}"]
    return list(dict.fromkeys(pieces))
