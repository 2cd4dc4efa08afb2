"""What word vectors can be asked for: the two objectives of word2vec and their options."""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from selftaught.errors import SelftaughtError
from selftaught.lookup import checked
from selftaught.word2vec.forms import Form

if TYPE_CHECKING:  # numba takes half a second to load, which only training needs
    from selftaught.word2vec.kernel import Kernel

_MOST_NEGATIVES = 60


@dataclass(frozen=True)
class WordObjective:
    """What both objectives share.

    Args:
        dimensions: numbers of a vector.
        window: words to each side at most; how many is drawn anew for each word.
        negatives: noise words for a window, drawn by their frequency to the power 3/4; 0 for hierarchical softmax,
            which asks for the way to the word through a binary tree instead (Mikolov et al. 2013b, section 2.1).
        sample: the share of the text from which on a word is so common that it is dropped now and then; 0 keeps all
            (Mikolov et al. 2013b, "Distributed Representations of Words and Phrases", section 2.3).
        min_count: words that are rarer are not words.
        characters: whether Chinese is taken character by character, and not by words as jieba cuts them.
        cased: whether capital letters are kept.
        phrases: how many times as often as by chance two words must follow each other to be taken as one; 0 for
            never. word2vec's own program has 100.
        min_n: the length of the shortest character n-grams that words have vectors of, too, as in fastText, which
            takes 3; 0 for none.
        max_n: the length of the longest.
    """

    dimensions: int = 100
    window: int = 5
    negatives: int = 5
    sample: float = 1e-3
    min_count: int = 5
    characters: bool = False
    cased: bool = False
    phrases: float = 0.0
    min_n: int = 0
    max_n: int = 6

    def __post_init__(self) -> None:
        for least, names in ((1, ("dimensions", "window", "min_count")), (0, ("negatives", "phrases", "min_n"))):
            for name in names:
                if getattr(self, name) < least:
                    raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.negatives > _MOST_NEGATIVES:
            raise ValueError(
                f"more than {_MOST_NEGATIVES} negatives are not drawn, and {self.negatives} were asked for"
            )
        if self.min_n > self.max_n:
            raise ValueError(f"min_n is {self.min_n} and max_n is {self.max_n}: no n-gram is so long")
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample is a share from 0 to 1, not {self.sample}")

    @property
    def name(self) -> str:
        """The name used on the command line."""
        return next(name for name, kind in WORD_OBJECTIVES.items() if kind is type(self))

    rate: ClassVar[float]
    """The step size that training begins with where none is given."""

    averaged: ClassVar[bool]
    """Whether the words of a window guess together."""

    def kernel(self, *, parts: bool) -> "Kernel":
        """The compiled loop that trains it.

        Args:
            parts: whether words have more rows than one.
        """
        from selftaught.word2vec.kernel import compiled

        return compiled(Form(self.dimensions, self.window, self.negatives, self.averaged, parts))


@dataclass(frozen=True)
class SkipGram(WordObjective):
    """Guess from each word of a window, alone, the word in its middle (Mikolov et al. 2013a, section 3.2)."""

    rate: ClassVar[float] = 0.025
    averaged: ClassVar[bool] = False


@dataclass(frozen=True)
class CBOW(WordObjective):
    """Guess from all words of a window, averaged, the word in its middle (Mikolov et al. 2013a, section 3.1)."""

    rate: ClassVar[float] = 0.05
    averaged: ClassVar[bool] = True


WORD_OBJECTIVES: dict[str, type[WordObjective]] = {"skipgram": SkipGram, "cbow": CBOW}


def word_objective(name: str, options: Mapping[str, Any]) -> WordObjective:
    """The objective called ``name`` with these options.

    Raises:
        SelftaughtError: for an option that it has not, or a value that it cannot have.
    """
    kind = WORD_OBJECTIVES[name]
    try:
        return kind(**checked(kind, name, options))
    except ValueError as error:
        raise SelftaughtError(f"{name}: {error}", do="see selftaught objectives") from error


def described(name: str) -> dict[str, Any]:
    """What the objective is and its options with their defaults, for a list of all."""
    kind = WORD_OBJECTIVES[name]
    return {"about": (inspect.getdoc(kind) or "").replace("\n", " "), "options": asdict(kind())}
