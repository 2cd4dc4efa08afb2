"""The task of a fine-tuned model: written beside its weights as ``task.json``, so that the folder alone is enough."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from selftaught.console import dump
from selftaught.data.files import read_json
from selftaught.errors import SelftaughtError
from selftaught.lookup import remake_task
from selftaught.pretrained import Pretrained
from selftaught.task import Task

FILE = "task.json"


def save_task(folder: Path, name: str, task: Task[Any]) -> None:
    """Write the task into a model folder under the name that it is found by."""
    text = dump({"task": name, "fields": asdict(task)}, indent=1)  # type: ignore[call-overload]
    (folder / FILE).write_text(text, encoding="utf-8")


def saved_task(pretrained: Pretrained) -> Task[Any] | None:
    """The task that a model was fine-tuned on; None if it was only pretrained.

    A checkpoint of others that is saved as a sequence classifier is one of ``classify``; one that is saved for question
    answering is one of ``answer``, and answers every question, for it does not say whether it was taught not to; one
    that is saved as a token classifier is one of ``tag``.

    Raises:
        SelftaughtError: the file is damaged, or the task cannot be found any more, or its tags are not those of IOB2.
    """
    file = pretrained.folder / FILE
    if file.is_file():
        try:
            found = read_json(file)
            name, fields = found["task"], dict(found["fields"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"the file does not say which task this is: {error}"
            raise SelftaughtError(what, where=str(file), do="restore it, or fine-tune again") from error
        return remake_task(name, fields)
    config = pretrained.backbone.config
    written_as = " ".join(config.architectures or ())
    if "QuestionAnswering" in written_as:
        return remake_task("answer", {"unanswerable": False})
    classes = [config.id2label[i] for i in sorted(config.id2label)]
    if "TokenClassification" in written_as:
        return remake_task("tag", {"classes": classes, "characters": False})
    if "SequenceClassification" not in written_as:
        return None
    several = config.problem_type == "multi_label_classification"
    return remake_task("classify", {"classes": classes, "several": several})
