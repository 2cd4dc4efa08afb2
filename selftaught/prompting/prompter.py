"""Prompting a decoder: labelled examples are written before a question, and the likeliest answer is taken.

Brown et al. 2020, "Language models are few-shot learners", section 2.4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from selftaught.data.examples import LabelledText
from selftaught.data.template import Template
from selftaught.errors import SelftaughtError
from selftaught.pretrained import Pretrained
from selftaught.prompting.scoring import CausalScorer, Prompt, open_scorer
from selftaught.randomness import derive

TOTAL, PER_TOKEN, OVER_CONTEXT = METHODS = ("total", "per token", "over answer context")
Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Context:
    """What stands before the answer to one question, and how many examples are in it."""

    tokens: Tokens
    examples: int


class Prompter:
    """A decoder and the examples it is shown.

    Args:
        template: how a text and its label are written.
        words: what each label is called.
        shown: labelled texts to draw examples from.
        seed: of the draws.

    Raises:
        SelftaughtError: if the model has not learned to continue a text.
    """

    def __init__(
        self,
        pretrained: Pretrained,
        template: Template,
        words: Mapping[str, str],
        shown: Sequence[LabelledText],
        seed: int,
    ) -> None:
        scorer = open_scorer(pretrained)
        if not isinstance(scorer, CausalScorer):
            raise SelftaughtError(
                "this model cannot be prompted: it has not learned to continue a text",
                where=str(pretrained.folder),
                do="give a run of selftaught pretrain --objective causal_lm, or fine-tune this one",
            )
        self._scorer, self._template, self._seed = scorer, template, seed
        self.labels = tuple(words)
        self._answers = tuple(self._scorer.encode([template.answer(word) for word in words.values()]))
        said = dict(zip(self.labels, self._answers, strict=True))
        (after,) = self._scorer.encode([template.after])
        questions = self.questions([example.text for example in shown])
        self._examples = [(*q, *said[e.label], *after) for q, e in zip(questions, shown, strict=True)]

    @property
    def longest_row(self) -> int:
        """The most tokens of context and answer together."""
        return self._scorer.longest_row

    def questions(self, texts: Sequence[str]) -> list[Tokens]:
        """Texts as the template asks about them."""
        return self._scorer.encode([self._template.question(text) for text in texts])

    def fits(self, question: Tokens) -> bool:
        """Whether the network can read a question with each of its answers."""
        return len(question) <= self._room

    def context(self, question: Tokens, shots: int, draw: int, row: int) -> Context:
        """A question behind ``shots`` examples, or as many of them as fit: the last are nearest to the question.

        The examples are a function of seed, draw and row: each row has its own, and those of fewer shots are the
        nearest of those of more. Only whole examples are left out, the farthest first.
        """
        rng = np.random.default_rng(derive("examples", self._seed, draw, row))
        drawn = [self._examples[i] for i in rng.permutation(len(self._examples))[:shots]]
        fitting = sum(length <= self._room - len(question) for length in accumulate(map(len, drawn)))
        before = [token for example in reversed(drawn[:fitting]) for token in example]
        return Context((*before, *question), fitting)

    def likelihoods(self, contexts: Sequence[Context]) -> dict[str, np.ndarray]:
        """How likely each label's words are after each context, in nats, by method: float64 [N, labels].

        - ``total``: summed over the tokens.
        - ``per token``: their mean, so that a label of many tokens is not at a disadvantage.
        - ``over answer context``: ``total`` less what the words have where nothing but an answer is announced, so
          that a frequent word is not at an advantage.
        """
        opening = self._scorer.opening
        (announced,) = self._scorer.encode([self._template.answer_context])
        prompts = [Prompt((*opening, *tokens), self._answers) for tokens in (announced, *(c.tokens for c in contexts))]
        alone, *after = self._scorer.score(prompts)
        totals = np.stack(after)
        lengths = np.array([len(answer) for answer in self._answers])
        return dict(zip(METHODS, (totals, totals / lengths, totals - alone), strict=True))

    @property
    def _room(self) -> int:
        """Tokens that are left for examples and question."""
        return self.longest_row - len(self._scorer.opening) - max(map(len, self._answers))
