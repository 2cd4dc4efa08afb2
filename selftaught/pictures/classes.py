"""Telling classes of what is seen, pictures or clips: the classes that labels name, and a taught head in a run's files.

model/task.json, model/clip_task.json   the classes, beside the network; the head's weights are the run's
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from safetensors import SafetensorError
from torch import Tensor, nn

from selftaught.console import dump
from selftaught.data.files import read_json
from selftaught.data.values import is_label_list, split_labels
from selftaught.decisions import AnyOf, OneOf, class_weights
from selftaught.errors import SelftaughtError
from selftaught.lookup import checked
from selftaught.objective import Objective

TASK = "classify"
_PART = "heads."


@dataclass(frozen=True)
class ClassifySeen(Objective):
    """Predict one of several classes, or all that apply.

    Args:
        classes: their names; the order is that of the logits.
        weights, smoothing: see :class:`selftaught.decisions.OneOf`.
        several: whether there is any number of labels; so it is where all labels are JSON lists. If set, ``|`` and
            ``;`` part the labels of a string as well.
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()
    smoothing: float = 0.0
    several: bool = False

    @property
    def name(self) -> str:
        return TASK

    @classmethod
    def of(cls, labels: Sequence[str], **options: Any) -> Self:
        """The task that these labels pose; ``options`` are fields, and win over what is found."""
        several = options.setdefault("several", all(map(is_label_list, labels)))
        classes = tuple(sorted({name for label in labels for name in (split_labels(label) if several else [label])}))
        options.setdefault("weights", () if several else class_weights(labels, classes))
        return cls(classes=classes, **options)

    @property
    def decision(self) -> OneOf | AnyOf:
        return (AnyOf if self.several else OneOf)(self.classes, self.weights, self.smoothing)


T = TypeVar("T", bound=ClassifySeen)
H = TypeVar("H", bound=nn.Module)


def save_classes(file: Path, task: ClassifySeen) -> None:
    """Write what a network was taught beside it."""
    file.write_text(dump({"task": TASK, "fields": asdict(task)}, indent=1), encoding="utf-8")


def head_parts(head: nn.Module) -> dict[str, Tensor]:
    """The weights of a head as a run keeps them."""
    return {_PART + name: tensor.detach().cpu() for name, tensor in head.state_dict().items()}


def load_taught(
    file: Path, kind: type[T], new_head: Callable[[int], H], parts: Callable[[], Mapping[str, Tensor]]
) -> tuple[T, H]:
    """What :func:`save_classes` wrote into ``file``, and the head.

    Args:
        new_head: makes one for so many classes.
        parts: reads its weights.

    Raises:
        SelftaughtError: if either is damaged.
    """
    try:
        task = kind(**checked(kind, TASK, read_json(file)["fields"]))
        head = new_head(len(task.classes))
        head.load_state_dict({name.removeprefix(_PART): part for name, part in parts().items()})
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError) as error:
        what = f"what this network was taught cannot be read: {error}"
        raise SelftaughtError(what, where=str(file), do="restore it, or fine-tune again") from error
    return task, head
