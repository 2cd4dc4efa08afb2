"""From raw text to words on disk: read once for the sizes of its documents, once to count words, once to number them.

Phrases cost two readings more or three. Memory holds the words that occur and how often, never the text.
"""

from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from selftaught.data.hold_out import BLOCK_CHARACTERS, hold_out, pieces_of
from selftaught.data.scan import scan
from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.source import open_text
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.data.tally import QUARANTINE, Tally
from selftaught.data.text import TextSource
from selftaught.data.unchanged import is_there, refuse_other_data
from selftaught.errors import SelftaughtError
from selftaught.randomness import derive
from selftaught.word2vec.counting import Tallied
from selftaught.word2vec.options import WordObjective
from selftaught.word2vec.phrases import MARK, joined, phrases_in
from selftaught.word2vec.vocabulary import Vocabulary
from selftaught.word2vec.words import words_of

_FACTS = "words.json"


@dataclass(frozen=True)
class WordCorpus:
    """A corpus as numbers of words; what is rarer than ``min_count`` is not there.

    Args:
        description: what was detected, for the user.
        tally: rows kept and quarantined, as JSON.
        chinese: whether the text is Chinese.
        read: words of the training text, the rare ones included.
    """

    vocabulary: Vocabulary
    train: TokenStore
    held_out: TokenStore
    description: str
    tally: dict[str, Any]
    chinese: bool
    read: int


def prepare_words(
    data: str, folder: Path, objective: WordObjective, *, seed: int, text: str | None = None, keep: bool = False
) -> WordCorpus:
    """Number the words of ``data`` into ``folder``; what is already there and still fits is used as it is.

    Args:
        data: a folder, a file, ``builtin:NAME`` or ``hf:NAME``.
        seed: decides what is held out.
        text: the column to read, where there are columns.
        keep: go on with what is there, even if the data is gone.

    Raises:
        SelftaughtError: if no row can be kept, or fewer than two words occur often enough.
    """
    known = read_sealed(folder / _FACTS)
    if known is None or not keep or is_there(data):
        source = open_text(data, text=text)
        asked = {"source": source.fingerprint, "text": text, "seed": seed, **_cut(objective)}
        if known is not None and keep:
            remake = partial(_make, source, asked=asked, objective=objective, seed=seed)
            refuse_other_data(known, source.fingerprint, folder, remake)
        elif known is None or known["asked"] != asked:
            known = _make(source, folder, asked, objective, seed)
    vocabulary = Vocabulary(tuple(known["words"]), np.array(known["counts"], np.int64))
    facts = (known["description"], known["tally"], known["chinese"], known["read"])
    return WordCorpus(vocabulary, TokenStore(folder / "train"), TokenStore(folder / "held_out"), *facts)


def _cut(objective: WordObjective) -> dict[str, Any]:
    """The options that decide what a word is."""
    options = asdict(objective)
    return {name: options[name] for name in ("min_count", "characters", "cased", "phrases")}


def _make(
    source: TextSource, folder: Path, asked: dict[str, Any], objective: WordObjective, seed: int
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FACTS).unlink(missing_ok=True)
    log = folder / QUARANTINE
    log.unlink(missing_ok=True)
    tally = Tally(log=log)
    found = scan(source, tally)
    held = hold_out(found.sizes, derive("hold out", seed))
    counted = _count(source, held, objective)
    if objective.phrases:
        counted = _count_with_phrases(source, held, objective, counted)
    vocabulary = Vocabulary.of(counted, objective.min_count)
    _require_words(vocabulary, counted, objective.min_count, source)
    _number(source, folder, held, objective, vocabulary, asked["source"])
    known = {
        "asked": asked,
        "description": source.description,
        "tally": tally.to_json(),
        "chinese": found.is_chinese,
        "read": counted.total,
        "words": vocabulary.words,
        "counts": vocabulary.counts.tolist(),
    }
    write_sealed(folder / _FACTS, known)
    return known


def _count(
    source: TextSource, held: dict[int, int], objective: WordObjective, phrases: Set[str] = frozenset()
) -> Tallied:
    """How often the words of the training text occur."""
    counted = Tallied()
    for words, held_out, _ in _words(source, held, objective, phrases):
        if not held_out:
            counted.add(words)
    return counted


def _count_with_phrases(source: TextSource, held: dict[int, int], objective: WordObjective, alone: Tallied) -> Tallied:
    """How often words and phrases occur; a phrase that is rare, because others took its words, is none."""
    pairs = Tallied()
    for words, held_out, _ in _words(source, held, objective):
        if not held_out:
            pairs.add(a + MARK + b for a, b in pairwise(words) if min(alone[a], alone[b]) >= objective.min_count)
    phrases = phrases_in(pairs, alone, objective.phrases, objective.min_count)
    while True:
        counted = _count(source, held, objective, phrases)
        rare = {phrase for phrase in phrases if counted[phrase] < objective.min_count}
        if not rare:
            return counted
        phrases -= rare


def _require_words(vocabulary: Vocabulary, found: Tallied, min_count: int, source: TextSource) -> None:
    if len(vocabulary) > 1:
        return
    where = source.description
    if not len(found):
        raise SelftaughtError(
            "there is not one word in this text", where=where, do="selftaught check says what is there"
        )
    (often, times), *_ = found.most_common(1)
    if len(found) == 1:
        what = f"the only word of this text is {often!r}, and a word is known by the others around it"
        raise SelftaughtError(what, where=where, do="give running text")
    what = (
        f"of {len(found):,} words {len(vocabulary)} occur {min_count} times or more; the most frequent occurs {times}"
    )
    raise SelftaughtError(what, where=where, do="give more text, or --set objective.options.min_count=1")


def _words(
    source: TextSource, held: dict[int, int], objective: WordObjective, phrases: Set[str] = frozenset()
) -> Iterator[tuple[Iterator[str], bool, bool]]:
    """The words of each piece of the text, whether it is held out, and whether a document begins with it."""
    for piece in pieces_of(source.rows(Tally()), held, BLOCK_CHARACTERS):
        words = words_of(piece.text, characters=objective.characters, cased=objective.cased)
        yield joined(words, phrases), piece.held_out, piece.begins


def _number(
    source: TextSource,
    folder: Path,
    held: dict[int, int],
    objective: WordObjective,
    vocabulary: Vocabulary,
    fingerprint: str,
) -> None:
    """Write both stores."""
    writers = {
        held_out: StoreWriter(folder / name, source=fingerprint, tokenizer="words", vocab_size=len(vocabulary))
        for held_out, name in ((False, "train"), (True, "held_out"))
    }
    numbers = vocabulary.numbers
    for words, held_out, begins in _words(source, held, objective, vocabulary.phrases):
        if begins:
            writers[held_out].begin_document()
        writers[held_out].add([numbers[word] for word in words if word in numbers])
    for writer in writers.values():
        writer.close()
