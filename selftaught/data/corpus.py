"""From raw text to token stores: read once to know the corpus, learn a tokenizer, read again to tokenise.

Memory does not grow with the corpus, except for eight bytes a document.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from selftaught.data.fill import fill_stores
from selftaught.data.hold_out import BLOCK_CHARACTERS, hold_out, pieces_of
from selftaught.data.scan import scan
from selftaught.data.sealed import read_sealed, write_sealed
from selftaught.data.source import open_text
from selftaught.data.store import TokenStore, intact, read_manifest, sha256_of
from selftaught.data.tally import QUARANTINE, Tally
from selftaught.data.text import TextSource
from selftaught.data.tokenise import TextTokenizer, TrainedKind, load_tokenizer, train_tokenizer
from selftaught.data.unchanged import is_there, refuse_other_data
from selftaught.errors import SelftaughtError, saving
from selftaught.randomness import derive

_SAMPLE_CHARACTERS = 50_000_000  # what a tokenizer is learned from; more does not change it visibly
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus: the tokenizer, the training tokens and the held-out ones.

    Args:
        description: what was detected, for the user.
        tally: rows kept and quarantined, as JSON.
        chinese: whether the text is Chinese.
        held_out_bytes: UTF-8 bytes of the held-out text.
    """

    tokenizer: TextTokenizer
    train: TokenStore
    held_out: TokenStore
    description: str
    tally: dict[str, Any]
    chinese: bool
    held_out_bytes: int


def prepare(
    data: str | Path,
    folder: Path,
    *,
    seed: int,
    text: str | None = None,
    kind: TrainedKind = "wordpiece",
    vocab_size: int | None = None,
    tokenizer: TextTokenizer | None = None,
    sentences: bool = False,
    keep: bool = False,
) -> Corpus:
    """Tokenise ``data`` into ``folder``; what is already there and still fits is used as it is.

    Args:
        data: a folder, a file, ``builtin:NAME`` or ``hf:NAME``.
        text: the column to read, where there are columns.
        kind: of a tokenizer to learn.
        vocab_size: of a tokenizer to learn; from the corpus' size if not given.
        tokenizer: one to use instead of learning one.
        sentences: write down where sentences begin, for samples that are made of them.
        keep: a run that has begun goes on with the tokens it began with, even if the data is gone.

    Raises:
        SelftaughtError: if the data or the tokenizer is another than the kept tokens were made of.
    """
    known = read_sealed(folder / "corpus.json")
    for name, expected in known["tokenizer"].items() if known else ():
        intact(folder / name, expected)
    by = tokenizer.fingerprint if tokenizer else None
    source = open_text(data, text=text, tokenizer=by) if known is None or not keep or is_there(data) else None
    if source is not None:
        asked = {
            "source": source.fingerprint,
            "text": text,
            "seed": seed,
            "tokenizer": tokenizer.fingerprint if tokenizer else [kind, vocab_size],
            "sentences": sentences,
        }
        if known is not None and keep:
            own = load_tokenizer(folder)
            remake = partial(_make, source, asked=asked, seed=seed, tokenizer=own, sentences=sentences)
            refuse_other_data(known, source.fingerprint, folder, remake)
        elif known is None or known["asked"] != asked:
            known = _make(source, folder, asked, seed, tokenizer, sentences, kind, vocab_size)
    assert known is not None
    reader, train = tokenizer or load_tokenizer(folder), TokenStore(folder / "train")
    _refuse_other_tokenizer(train.manifest.tokenizer, reader.fingerprint, folder)
    return Corpus(
        reader,
        train,
        TokenStore(folder / "held_out"),
        known["description"],
        known["tally"],
        known["chinese"],
        known["held_out_bytes"],
    )


def _refuse_other_tokenizer(before: str, now: str, folder: Path) -> None:
    """Tokens mean something to the tokenizer alone that made them."""
    if before != now:
        raise SelftaughtError(
            f"the tokens were made with another tokenizer: its fingerprint is {before[:12]}, this one's {now[:12]}",
            where=str(folder),
            do="restore the tokenizer, or choose another --out",
        )


def _make(
    source: TextSource,
    folder: Path,
    asked: dict[str, Any],
    seed: int,
    tokenizer: TextTokenizer | None,
    sentences: bool,
    kind: TrainedKind = "wordpiece",
    vocab_size: int | None = None,
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.json").unlink(missing_ok=True)
    log = folder / QUARANTINE
    log.unlink(missing_ok=True)
    tally = Tally(log=log)
    found = scan(source, tally)
    held = hold_out(found.sizes, derive("hold out", seed))
    if tokenizer is None:
        sample = _sample(source, held, _SAMPLE_CHARACTERS / max(found.total, 1))
        tokenizer = train_tokenizer(sample, kind, vocab_size or found.vocabulary(), found.alphabet)
    with saving(folder):
        tokenizer.save(folder, longest_row=512)
    files = {name: sha256_of(folder / name) for name in _TOKENIZER}
    held_out_bytes = fill_stores(source, folder, held, tokenizer, asked["source"], sentences)
    known = {
        "asked": asked,
        "description": source.description,
        "tally": tally.to_json(),
        "chinese": found.is_chinese,
        "train": _sizes(folder / "train"),
        "held_out": _sizes(folder / "held_out"),
        "held_out_bytes": held_out_bytes,
        "tokenizer": files,
    }
    write_sealed(folder / "corpus.json", known, indent=1)
    return known


def _sizes(folder: Path) -> dict[str, int]:
    facts = asdict(read_manifest(folder))
    return {name: facts[name] for name in ("tokens", "documents")}


def _sample(source: TextSource, held: dict[int, int], share: float) -> Iterator[str]:
    """An even sample of the text that is not held out."""
    taken = 0.0
    for piece in pieces_of(source.rows(Tally()), held, BLOCK_CHARACTERS):
        if piece.held_out:
            continue
        taken += min(share, 1.0)
        if taken >= 1.0:
            taken -= 1.0
            yield piece.text


def tokenise_all(
    data: str | Path, folder: Path, tokenizer: TextTokenizer, text: str | None = None, sentences: bool = False
) -> tuple[TokenStore, int, Tally]:
    """Tokenise all of ``data`` into one store below ``folder``, for measuring on it.

    Args:
        sentences: as for :func:`prepare`.

    Returns:
        the store, the UTF-8 bytes of the text, and the tally of rows.
    """
    source, tally = open_text(data, text=text, tokenizer=tokenizer.fingerprint), Tally()
    found = scan(source, tally)
    everything = dict.fromkeys(range(len(found.sizes)), 0)
    size = fill_stores(source, folder, everything, tokenizer, source.fingerprint, sentences)
    return TokenStore(folder / "held_out"), size, tally
