"""What counting alone makes of a run's text: a trigram model of the same tokens, as the line a network must beat."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from selftaught.data.corpus import prepare
from selftaught.data.store import TokenStore
from selftaught.errors import SelftaughtError
from selftaught.metrics.trigram import Trigram, trigrams
from selftaught.pretrained import Pretrained

MOST_TOKENS = 1 << 24  # beyond, pieces from all over the text: counting takes some 40 bytes a token
_BLOCK = 1 << 20


def trigram_baseline(pretrained: Pretrained, opening: int) -> tuple[Trigram, int]:
    """The trigram model of the tokens that a run was trained on, and how many of them were counted.

    The tokens are those that the run kept; where they were deleted, its text is read again.

    Args:
        opening: the token that opens a document.

    Raises:
        SelftaughtError: if neither is at hand.
    """
    with TemporaryDirectory() as folder:
        store = _training_tokens(pretrained, Path(folder))
        return Trigram.of(_blocks(store, opening), store.manifest.vocab_size), min(len(store), MOST_TOKENS)


def _training_tokens(pretrained: Pretrained, aside: Path) -> TokenStore:
    run, recipe, tokenizer = pretrained.run, pretrained.recipe, pretrained.tokenizer
    if run is None or recipe is None:
        raise SelftaughtError("nobody knows what this checkpoint was trained on", where=str(pretrained.folder))
    kept = run.folder / "tokens" / "train"
    if kept.is_dir() and (store := TokenStore(kept)).manifest.tokenizer == tokenizer.fingerprint:
        return store
    return prepare(recipe.data.path, aside, seed=recipe.train.seed, text=recipe.data.text, tokenizer=tokenizer).train


def _blocks(store: TokenStore, opening: int) -> Iterator[np.ndarray]:
    """The trigrams of a store, int64 [n, 3]; of a very long one those of evenly spaced pieces."""
    begins: Iterable[int] = range(0, len(store), _BLOCK)
    if len(store) > MOST_TOKENS:
        begins = np.linspace(0, len(store) - _BLOCK, MOST_TOKENS // _BLOCK).astype(np.int64).tolist()
    for begin in begins:
        places = np.arange(begin, min(begin + _BLOCK, len(store)))
        documents = store.document_starts[store.document_of(places)]
        found = trigrams(store.take, places, documents, opening)
        yield found[
            (places > documents) | (found[:, 2] != opening)
        ]  # the token that opens a document is never asked about
