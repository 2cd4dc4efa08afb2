"""From raw text files to packed rows on disk: ours, and the way of transformers' example script run_mlm.py.

The example reads lines with ``datasets``, tokenises them with ``map`` a thousand at a time, and cuts each thousand's
tokens to rows with a second ``map`` over ``group_texts``. Both sides use the same trained tokenizer and files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import cyclopts
import datasets
import numpy as np
from transformers import AutoTokenizer

from benchmarks.pairs import alternate, compared, note, rate, tell
from selftaught.data.corpus import Corpus, prepare
from selftaught.data.source import open_text
from selftaught.data.store import TokenStore
from selftaught.data.text import PlainFile, TextFiles
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError

ROW = 128
BAR = 3.0
_FLOOR_TEXT = 8_192  # characters of a text given to the bare tokenizer: long enough to cost nothing in itself


def measure(*, data: Path, pairs: int = 5, vocabulary: int = 16_384, processes: int | None = None) -> None:
    """Compare the preparation of a corpus with the common example script's.

    Args:
        data: A folder of plain text files, in UTF-8.
        pairs: How many times each side runs.
        vocabulary: Tokens of the tokenizer, which is learned before the clock starts.
        processes: The example's --preprocessing_num_workers; none if not given, as there.
    """
    datasets.disable_progress_bars()
    files = plain_files(data)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokenizer = prepare(data, folder / "learned", seed=0, vocab_size=vocabulary).tokenizer
        tokenizer.save(folder / "tokenizer", longest_row=512)
        texts = blocks(files)

        def fresh() -> Path:
            return Path(mkdtemp(dir=folder))

        def ours() -> Corpus:
            return prepare(data, fresh(), seed=0, tokenizer=tokenizer)

        def peer() -> Grouped:
            return by_example(files, folder / "tokenizer", fresh(), processes)

        def floor() -> None:
            tokenizer.backend.encode_batch_fast(texts, add_special_tokens=False)

        same = check_same_tokens(ours(), peer(), tokenizer)
        note(f"the same {same['tokens']:,} tokens on both sides")
        sides = {"ours": ours, "peer": peer, "floor": floor}
        rates = alternate({name: rate(side, same["tokens"]) for name, side in sides.items()}, pairs)
    result = compared("prepare", "tokens/s", rates, bar=BAR, floor=median(rates["floor"]))
    tell({**result, **same, "bytes": open_text(data).size_bytes, "peer_processes": processes})


def plain_files(data: Path) -> list[str]:
    """The files that make up the corpus, in our order.

    Raises:
        SelftaughtError: if some of it is not plain text, which the example would read otherwise than we do.
    """
    source = open_text(data)
    plain = [file.file for file in source.files if isinstance(file, PlainFile)] if isinstance(source, TextFiles) else []
    if not isinstance(source, TextFiles) or len(plain) < len(source.files) or any(file.packing for file in plain):
        raise SelftaughtError("the comparison reads plain text files only", where=str(data))
    return [str(file.path) for file in plain]


def blocks(files: list[str]) -> list[str]:
    """The text in pieces of whole lines."""
    texts = []
    for file in files:
        lines, length = [], 0
        for line in Path(file).read_text(encoding="utf-8").splitlines(keepends=True):
            lines.append(line)
            length += len(line)
            if length >= _FLOOR_TEXT:
                texts.append("".join(lines))
                lines, length = [], 0
        texts.append("".join(lines))
    return texts


@dataclass(frozen=True)
class Grouped:
    """What the example makes: a data set of tokenised lines, and the one of rows cut from them."""

    lines: datasets.Dataset
    rows: datasets.Dataset


def by_example(files: list[str], tokenizer_folder: Path, cache: Path, processes: int | None) -> Grouped:
    """What run_mlm.py does without ``--line_by_line``, its two functions as they stand there."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    raw = datasets.load_dataset("text", data_files=files, cache_dir=str(cache), split="train")

    def tokenize_function(examples: dict[str, list[Any]]) -> Any:
        return tokenizer(examples["text"], return_special_tokens_mask=True)

    def group_texts(examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
        concatenated = {k: list(chain(*examples[k])) for k in examples}
        total = len(concatenated[next(iter(examples))])
        total = (total // ROW) * ROW
        return {k: [t[i : i + ROW] for i in range(0, total, ROW)] for k, t in concatenated.items()}

    lines = raw.map(tokenize_function, batched=True, num_proc=processes, remove_columns=["text"])
    return Grouped(lines, lines.map(group_texts, batched=True, num_proc=processes))


def check_same_tokens(corpus: Corpus, grouped: Grouped, tokenizer: TextTokenizer) -> dict[str, int]:
    """Hold both sides to the same ids in the same order.

    Ours, without the two tokens that open and close a document and with the held-out documents (or ends of
    documents) back in their places, must be the example's tokenised lines laid end to end. What the example then
    drops, because a thousand lines' last tokens do not fill a row, is counted.

    Raises:
        SelftaughtError: if a document is not the same.
    """
    theirs = _flat(grouped.lines)
    train, held_out = _documents(corpus.train), _documents(corpus.held_out)
    coming = {"train": next(train, None), "held_out": next(held_out, None)}
    place = 0
    while any(ids is not None for ids in coming.values()):
        for name, rest in (("train", train), ("held_out", held_out)):
            ids = coming[name]
            if ids is not None and np.array_equal(ids, theirs[place : place + len(ids)]):
                place, coming[name] = place + len(ids), next(rest, None)
                break
        else:
            raise SelftaughtError(f"the two sides differ in the document that begins at token {place:,}")
    if place < len(theirs):
        raise SelftaughtError(f"the example has {len(theirs) - place:,} tokens more")
    documents = corpus.train.manifest.documents + corpus.held_out.manifest.documents
    return {"tokens": place, "documents": documents, "dropped_by_peer": place - len(grouped.rows) * ROW}


def _flat(lines: datasets.Dataset) -> np.ndarray:
    """All ids of a data set's rows, one after the other."""
    return lines.data.column("input_ids").combine_chunks().flatten().to_numpy()


def _documents(store: TokenStore) -> Iterator[np.ndarray]:
    """The ids of each document without the token that opens it and the one that closes it."""
    for begin, end in zip(store.document_starts[:-1], store.document_starts[1:], strict=True):
        yield store.take(np.arange(begin + 1, end - 1))


if __name__ == "__main__":
    cyclopts.run(measure)
