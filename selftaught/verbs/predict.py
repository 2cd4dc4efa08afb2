"""``selftaught predict``: ask a model about new texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selftaught.answering import classify_texts, fill_masks, note_long_texts
from selftaught.console import tell
from selftaught.data.files import KINDS, split_suffix
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.pretrained import open_pretrained
from selftaught.verbs import Place


def predict(run: Place, *inputs: str, text: str | None = None, top: int = 5, json: bool = False) -> dict[str, Any]:
    """Ask a model about texts: a fine-tuned one for their labels, a pretrained one for the word behind [MASK].

    Args:
        run: A run, or a checkpoint folder of transformers.
        inputs: Texts, or files and folders of texts (each row is one).
        text: The column that holds the text, in files that have columns.
        top: For [MASK], how many words to name.
        json: Print one JSON object.
    """
    if not inputs:
        raise SelftaughtError("there is nothing to predict", do="give one or more texts or files after the run")
    if top < 1:
        raise SelftaughtError("--top must be at least 1")
    pretrained = open_pretrained(run)
    texts, notes = _texts(inputs, text)
    if pretrained.is_classifier:
        found = classify_texts(pretrained, texts)
        lines = [f"{a['label']}\t{a['probability']:.3f}\t{_line(t)}" for t, a in zip(texts, found, strict=True)]
        notes += note_long_texts(pretrained, texts)
    else:
        found = fill_masks(pretrained, texts, top)
        lines = [
            f"{', '.join(f'{word} {p:.3f}' for word, p in mask)}\t{_line(t)}"
            for t, a in zip(texts, found, strict=True)
            for mask in a["masks"]
        ]
    predictions = [{"text": t, **a} for t, a in zip(texts, found, strict=True)]
    return tell({"verb": "predict", "predictions": predictions, "notes": notes}, lines + notes, json=json)


def _texts(inputs: Sequence[str], column: str | None) -> tuple[list[str], list[str]]:
    """The texts themselves and the rows of the files and folders among the inputs."""
    texts, notes = [], []
    for given in inputs:
        if not _exists(given):
            texts.append(_text(given))
            continue
        tally = Tally()
        texts += [row.text for row in open_text(given, text=column).rows(tally)]
        if tally.quarantined:
            notes.append(f"{given}: {tally.summary()}; the first: {tally.records[0]}")
    if not texts:
        raise SelftaughtError("the files hold no text", where=", ".join(inputs), do="selftaught check tells why")
    return texts, notes


def _text(given: str) -> str:
    """An input that is no file; what must be a slip of the fingers is not answered."""
    if not given.strip():
        raise SelftaughtError("one of the inputs is empty", do="give a text, or a file of texts")
    if not any(map(str.isspace, given)) and split_suffix(given)[0] in KINDS:
        raise SelftaughtError(
            f"there is no file {given!r}", do="check the path; a text that looks like a file name can be put in a file"
        )
    return given


def _exists(given: str) -> bool:
    try:
        return bool(given) and Path(given).exists()
    except (OSError, ValueError):  # longer than a file name can be, or with a NUL byte: a text
        return False


def _line(text: str) -> str:
    """A text on one line, so that a line is an answer."""
    return " ".join(text.split())
