"""Labelled text in memory: the examples, and what one should know about them before trusting a score."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from selftaught.data.tally import Tally


@dataclass(frozen=True)
class Example:
    text: str
    label: str
    file: str
    line: int


@dataclass(frozen=True)
class Labels:
    """Labelled examples in the order of the file; ``tally`` names the rows that are not among them."""

    examples: tuple[Example, ...]
    tally: Tally
    text_column: str
    label_column: str
    description: str

    @cached_property
    def counts(self) -> dict[str, int]:
        """Examples a label, the most frequent first."""
        return dict(Counter(example.label for example in self.examples).most_common())

    @cached_property
    def duplicates(self) -> int:
        """Rows that repeat an earlier row, text and label alike."""
        return len(self.examples) - len({(example.text, example.label) for example in self.examples})

    @cached_property
    def conflicts(self) -> int:
        """Texts that occur under more than one label."""
        labels: dict[str, set[str]] = {}
        for example in self.examples:
            labels.setdefault(example.text, set()).add(example.label)
        return sum(len(found) > 1 for found in labels.values())
