"""What word vectors say of text that they were not trained on."""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from selftaught.data.source import open_text, require_rows
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.run.folder import Run
from selftaught.word2vec.model import WordModel
from selftaught.word2vec.tables import Tables
from selftaught.word2vec.training import WordMatrices, held_out_loss


def measure_words(place: str | Path, data: str, text: str | None) -> tuple[dict[str, float], Tally]:
    """The loss on ``data`` in nats a prediction, its chance line, and the share of its words that are known.

    Raises:
        SelftaughtError: if the run's second matrix is gone, or no word of the data is known.
    """
    model, run = WordModel.load(place), Run(Path(place))
    outputs = run.load_parts().get("outputs")
    if outputs is None or outputs.shape != model.vectors.shape:
        raise SelftaughtError(
            "what the words are guessed with is missing",
            where=str(run.folder / "heads.safetensors"),
            do="repeat the run",
        )
    tables = Tables.of(replace(model.objective, min_n=0), model.vocabulary)  # the vectors have the n-grams within
    matrices = WordMatrices(len(model.vocabulary), model.objective.dimensions, seed=0)
    matrices.inputs.copy_(torch.from_numpy(model.vectors))
    matrices.outputs.copy_(outputs)
    with tempfile.TemporaryDirectory() as folder:
        store, known, words, tally = _numbered(model, data, text, Path(folder) / "words")
        loss = held_out_loss(model.objective, matrices, tables, store, seed=0)
    if loss is None:
        raise SelftaughtError(
            f"of the {words:,} words of this text {known:,} are known, and no two of them stand together", where=data
        )
    return {"loss": loss, "chance_loss": tables.chance, "known_words": known / words}, tally


def _numbered(model: WordModel, data: str, text: str | None, folder: Path) -> tuple[TokenStore, int, int, Tally]:
    """The text as numbers of the model's words, how many those are, and of how many words."""
    source, tally, numbers = open_text(data, text=text), Tally(), model.vocabulary.numbers
    writer = StoreWriter(folder, source=source.fingerprint, tokenizer="words", vocab_size=len(numbers))
    known, words, document = 0, 0, -1
    for row in source.rows(tally):
        if row.document != document:
            writer.begin_document()
            document = row.document
        here = model.words(row.text)
        ids = [numbers[word] for word in here if word in numbers]
        known, words = known + len(ids), words + len(here)
        writer.add(ids)
    require_rows(source, tally)
    writer.close()
    return TokenStore(folder), known, words, tally
