"""What word vectors can be asked for: the two objectives of word2vec and their options."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from selftaught.errors import SelftaughtError
from selftaught.lookup import checked

if TYPE_CHECKING:  # numba takes half a second to load, which only training needs
    from selftaught.word2vec.kernel import Kernel

_MOST_NEGATIVES = 60


@dataclass(frozen=True)
class WordObjective:
    """What both objectives share.

    Args:
        dimensions: numbers of a vector.
        window: words to each side at most; how many is drawn anew for each word.
        negatives: noise words for a window, drawn by their frequency to the power 3/4.
        sample: the share of the text from which on a word is so common that it is dropped now and then; 0 keeps all
            (Mikolov et al. 2013b, "Distributed Representations of Words and Phrases", section 2.3).
        min_count: words that are rarer are not words.
        characters: whether Chinese is taken character by character, and not by words as jieba cuts them.
        cased: whether capital letters are kept.
    """

    dimensions: int = 100
    window: int = 5
    negatives: int = 5
    sample: float = 1e-3
    min_count: int = 5
    characters: bool = False
    cased: bool = False

    def __post_init__(self) -> None:
        for name in ("dimensions", "window", "negatives", "min_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.negatives > _MOST_NEGATIVES:
            raise ValueError(
                f"more than {_MOST_NEGATIVES} negatives are not drawn, and {self.negatives} were asked for"
            )
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample is a share from 0 to 1, not {self.sample}")

    @property
    def name(self) -> str:
        """The name used on the command line."""
        return next(name for name, kind in WORD_OBJECTIVES.items() if kind is type(self))

    rate: ClassVar[float]
    """The step size that training begins with where none is given."""

    @property
    def chance(self) -> float:
        """The loss of a prediction, in nats, of one who says even odds to all words: the target and the noise."""
        return (1 + self.negatives) * math.log(2)

    def kernel(self) -> "Kernel":
        """The compiled loop that trains it."""
        raise NotImplementedError


@dataclass(frozen=True)
class SkipGram(WordObjective):
    """Guess from each word of a window, alone, the word in its middle (Mikolov et al. 2013a, section 3.2)."""

    rate: ClassVar[float] = 0.025

    def kernel(self) -> "Kernel":
        from selftaught.word2vec.kernel import skipgram_kernel

        return skipgram_kernel(self.dimensions, self.window, self.negatives)


@dataclass(frozen=True)
class CBOW(WordObjective):
    """Guess from all words of a window, averaged, the word in its middle (Mikolov et al. 2013a, section 3.1)."""

    rate: ClassVar[float] = 0.05

    def kernel(self) -> "Kernel":
        from selftaught.word2vec.kernel import cbow_kernel

        return cbow_kernel(self.dimensions, self.window, self.negatives)


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
