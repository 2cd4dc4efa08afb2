"""How a labelled text is put into words for a language model: ``{text}\\nTopic: {label}\\n``."""

from dataclasses import dataclass

from selftaught.errors import SelftaughtError

TEXT, LABEL = "{text}", "{label}"
ENGLISH = "{text}\nAnswer: {label}\n\n"
CHINESE = "{text}\n答案：{label}\n\n"


@dataclass(frozen=True)
class Template:
    """What stands before, between and after a text and its label.

    Spaces before the label are its own, as most tokenizers have it, so that a question ends where its answer begins.
    """

    before: str
    between: str
    gap: str
    after: str

    @classmethod
    def of(cls, pattern: str) -> "Template":
        """From ``{text}`` and, after it, ``{label}``, each once; ``\\n`` and ``\\t`` may be written with a backslash.

        Raises:
            SelftaughtError: for any other pattern.
        """
        pattern = pattern.replace("\\n", "\n").replace("\\t", "\t")
        before, text, rest = pattern.partition(TEXT)
        between, label, after = rest.partition(LABEL)
        if not text or not label or TEXT in rest or LABEL in after or LABEL in before:
            raise SelftaughtError(
                f"the template {pattern!r} must hold {TEXT} once and after it {LABEL} once",
                do=f"for example {ENGLISH!r}",
            )
        question = between.rstrip(" ")
        return cls(before, question, between[len(question) :], after or "\n")

    def __str__(self) -> str:
        return self.before + TEXT + self.between + self.gap + LABEL + self.after

    def question(self, text: str) -> str:
        """All that stands before the answer."""
        return self.before + text + self.between

    def answer(self, word: str) -> str:
        """A label's word as it follows a question."""
        return self.gap + word

    @property
    def answer_context(self) -> str:
        """What announces an answer to any question: the line that the label stands on."""
        return self.between.rpartition("\n")[2]
