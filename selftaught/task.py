"""The contract of a task: an objective whose hidden thing is what somebody has labelled.

A task is one file under ``selftaught/tasks`` with one frozen dataclass. It says how the standard file of its field is
read, how examples become tensors, what the answer is and how good it is, and what must be beaten; fine-tuning,
evaluation, prediction and the verdict know tasks by these methods alone.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self

from torch import nn

from selftaught.data.examples import Columns, E, Examples, whole_text
from selftaught.data.tokenise import TextTokenizer
from selftaught.objective import Batch, Objective

Answer = dict[str, Any]
"""What a task says about one example, JSON-ready; the first value is the answer itself."""


class Task(Objective, Generic[E]):
    """An objective whose hidden thing is a target that examples hold, so that it can be asked about new ones.

    Fields without a default are what :meth:`of` learns from the training examples (classes, …); nobody sets them.
    The others are options. All fields can be written as JSON, for a run keeps its task.
    """

    pipeline: ClassVar[str] = "text-classification"
    """The pipeline of transformers that a saved model is for."""

    longest: ClassVar[int] = 256
    """Tokens of a row at most."""

    cuts: ClassVar[bool] = True
    """Whether what does not fit into a row is not read; false for a task that spreads an example over several rows."""

    patience: ClassVar[int] = 4
    """Checks in a row without a better first measure that end the training; there are twelve in all."""

    stops_by_likelihood: ClassVar[bool] = False
    """Whether training is stopped by how likely the held-out targets are, for answering takes too long."""

    most_tested: ClassVar[int] = 5000
    """Rows that a verdict tests on at most."""

    reads_pictures: ClassVar[bool] = False
    """Whether a picture that is named beside texts is a part of an example, and not a file of examples."""

    caveat: ClassVar[str] = ""
    """What a user of a fine-tuned model must know about its answers."""

    @staticmethod
    @abstractmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[E]:
        """The examples in the standard file of the field; the description says what was detected.

        Args:
            columns: what the user named.
            labelled: false to read the inputs alone, for prediction.

        Raises:
            SelftaughtError: if there is nothing to learn from. A bad row is quarantined, not raised.
        """

    @abstractmethod
    def asked(self, texts: Sequence[str]) -> list[E]:
        """Examples without targets out of plain texts, as they are typed after ``selftaught predict RUN``."""

    @classmethod
    @abstractmethod
    def of(cls, examples: Sequence[E], **options: Any) -> Self:
        """The task that these training examples pose; ``options`` are fields, and win over what is found."""

    @abstractmethod
    def encode(self, examples: Sequence[E], tokenizer: TextTokenizer, longest: int, *, labelled: bool) -> Batch:
        """Examples as padded tensors ``input_ids``, ``attention_mask`` [R, T] with T <= ``longest``, and more.

        Where an example may give several rows, ``example`` int64 [R] numbers the examples that they belong to.

        Args:
            labelled: whether to add the targets; without, nothing in the batch may depend on them.
        """

    @abstractmethod
    def predict(self, features: Any, heads: nn.Module, batch: Batch) -> list[Answer]:
        """One answer an example, from the features of a batch that was encoded without targets."""

    def spelled(self, answers: Sequence[Answer], tokenizer: TextTokenizer) -> list[Answer]:
        """Answers as they are given to a user: where :meth:`predict` gives tokens, what these say."""
        return list(answers)

    @abstractmethod
    def measure(self, examples: Sequence[E], answers: Sequence[Answer]) -> dict[str, float]:
        """How good the answers are, by name: finite, and more is better. Early stopping watches the first."""

    @abstractmethod
    def baselines(self, train: Sequence[E], test: Sequence[E], seed: int) -> dict[str, list[Answer]]:
        """The answers to ``test`` of methods that need no pretraining, by the names they are shown under."""

    def shown(self, answer: Answer) -> list[str]:
        """An answer for the terminal: its texts, numbers and lists of texts; what is nested deeper is for programs."""
        found = []
        for value in answer.values():
            if isinstance(value, str):
                found.append(value)
            elif isinstance(value, int | float):
                found.append(f"{value:.3f}")
            elif isinstance(value, list) and all(isinstance(part, str) for part in value):
                found.append(", ".join(value))
        return found

    def strata(self, examples: Sequence[E]) -> list[str]:
        """The class of each example where there are classes: splits are stratified by it, and budgets counted in it."""
        return [""] * len(examples)

    def kin(self, examples: Sequence[E]) -> list[str]:
        """A text of each example; those with the same one, but for case and white space, are never parted by a split.

        They are the inputs, so that no test asks what the training has told.
        """
        return list(map(whole_text, examples))

    def facts(self, examples: Sequence[E]) -> dict[str, dict[str, float]]:
        """What is worth knowing about the targets, such as ``{"classes": {"pos": 17, "neg": 3}}``; counts are ints."""
        return {}

    def unknown(self, examples: Sequence[E]) -> list[str]:
        """The targets among these that no answer can be, such as labels that were not trained on."""
        return []

    def by_class(self, examples: Sequence[E], answers: Sequence[Answer]) -> dict[str, dict[str, float | None]]:
        """Measures of each class apart: ``rows``, ``recall``, ``precision`` (None where it was never the answer), …"""
        return {}
