"""Examples of a task in memory: what a reader found, and what one should know before trusting a score on them."""

from collections import Counter
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from selftaught.data.tally import Tally
from selftaught.data.values import labels_in
from selftaught.errors import SelftaughtError


class Example(Protocol):
    """One example of a task: a frozen dataclass that holds the inputs and the target of its kind.

    ``file`` and ``line`` say where it stands. The fields are hashable.
    """

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def inputs(self) -> dict[str, str]:
        """The texts that are given, by name and in order; nothing of the target."""
        ...


E = TypeVar("E", bound=Example)


@dataclass(frozen=True)
class Columns:
    """The columns that the user named; those that are None are found by name or by what they hold.

    Args:
        text: the text, or the first of two.
        second: the second of two texts.
        label: the target.
    """

    text: str | None = None
    second: str | None = None
    label: str | None = None

    def refuse_second(self, task: str) -> None:
        """For a task that reads one text.

        Raises:
            SelftaughtError: a column of second texts was named.
        """
        if self.second is not None:
            raise SelftaughtError(
                f"--second names a column, {self.second!r}, but {task} reads one text",
                do="leave it out, or use --task pair",
            )


@dataclass(frozen=True)
class Examples(Generic[E]):
    """What a reader found, in the order of the file; ``tally`` names the rows that are not among them."""

    examples: tuple[E, ...]
    tally: Tally
    description: str

    @cached_property
    def duplicates(self) -> int:
        """Examples that repeat an earlier one, target and all."""
        return len(self.examples) - len({_content(example) for example in self.examples})

    @cached_property
    def conflicts(self) -> int:
        """Inputs that occur with more than one target."""
        targets: dict[tuple[str, ...], set[Any]] = {}
        for example in self.examples:
            targets.setdefault(tuple(example.inputs.values()), set()).add(_content(example))
        return sum(len(found) > 1 for found in targets.values())


def _content(example: Any) -> tuple[Any, ...]:
    """All of an example but where it stands."""
    return tuple(getattr(example, field.name) for field in fields(example) if field.name not in ("file", "line"))


def whole_text(example: Example) -> str:
    """The inputs as one text: two examples ask the same if theirs are the same."""
    return "\n".join(example.inputs.values())


def place(example: Example) -> str:
    """Where an example stands, as ``file:line``."""
    return f"{example.file}:{example.line}"


@dataclass(frozen=True)
class LabelledText:
    """A text and its label; where there are several labels, a JSON list of them (see `labels_in`)."""

    text: str
    label: str
    file: str
    line: int

    @property
    def inputs(self) -> dict[str, str]:
        return {"text": self.text}


@dataclass(frozen=True)
class Labels(Examples[LabelledText]):
    """Labelled texts, and the columns they were found in."""

    text_column: str
    label_column: str

    @cached_property
    def counts(self) -> dict[str, int]:
        """Examples a label, the most frequent first; the labels of a list count one by one."""
        return dict(Counter(name for example in self.examples for name in labels_in(example.label)).most_common())
