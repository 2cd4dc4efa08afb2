"""``selftaught predict``: ask a model about new texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selftaught.answering import classify_texts, fill_masks
from selftaught.console import tell
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.pretrained import open_pretrained


def predict(run: Path, *inputs: str, text: str | None = None, top: int = 5, json: bool = False) -> dict[str, Any]:
    """Ask a model about texts: a fine-tuned one for their labels, a pretrained one for the word behind [MASK].

    Args:
        run: A run, or a checkpoint folder of transformers.
        inputs: Texts, or files of texts (each row is one).
        text: The column that holds the text, in files that have columns.
        top: For [MASK], how many words to name.
        json: Print one JSON object.
    """
    if not inputs:
        raise SelftaughtError("there is nothing to predict", do="give one or more texts or files after the run")
    pretrained = open_pretrained(run)
    texts, notes = _texts(inputs, text)
    if pretrained.is_classifier:
        found = classify_texts(pretrained, texts)
        lines = [f"{a['label']}\t{a['probability']:.3f}\t{t.strip()}" for t, a in zip(texts, found, strict=True)]
    else:
        found = fill_masks(pretrained, texts, top)
        lines = [
            f"{', '.join(f'{word} {p:.3f}' for word, p in mask)}\t{t.strip()}"
            for t, a in zip(texts, found, strict=True)
            for mask in a["masks"]
        ]
    predictions = [{"text": t, **a} for t, a in zip(texts, found, strict=True)]
    return tell({"verb": "predict", "predictions": predictions, "notes": notes}, lines + notes, json=json)


def _texts(inputs: Sequence[str], column: str | None) -> tuple[list[str], list[str]]:
    """The texts themselves and the rows of the files among the inputs."""
    texts, notes = [], []
    for given in inputs:
        if not _is_file(given):
            texts.append(given)
            continue
        tally = Tally()
        texts += [row.text for row in open_text(given, text=column).rows(tally)]
        if tally.quarantined:
            notes.append(f"{given}: {tally.summary()}; the first: {tally.records[0]}")
    if not texts:
        raise SelftaughtError("the files hold no text", where=", ".join(inputs), do="selftaught check tells why")
    return texts, notes


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file()
    except (OSError, ValueError):  # longer than a file name can be, or with a NUL byte: a text
        return False
